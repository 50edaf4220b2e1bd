"""What runs on the pod: commands that come and go, and one keeper a kernel that stays.

Python ≥ 3.10. The commands need the standard library only; the keeper runs in the
kernel's own Python, where ipykernel has brought pyzmq.
"""
