"""What every hop speaks: frames, records and the log that holds them.

Standard library only: this package also runs on the pod and inside kernels.
"""

PROTOCOL = 1
"""Version of the wire protocol; written down in ``docs/architecture.md``."""
