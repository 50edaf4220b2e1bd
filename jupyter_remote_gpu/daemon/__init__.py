"""The laptop's process: local socket, lifetime, pods, mirrors and the snapshot."""
