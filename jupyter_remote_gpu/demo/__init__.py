"""A pod on this machine, to try everything without renting one.

OpenSSH's own server on a loopback port, with keys and a home folder of its own, and in
front of it a relay that can take the network away for a while.
"""
