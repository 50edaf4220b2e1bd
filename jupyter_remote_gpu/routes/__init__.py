"""The Jupyter Server extension: a thin face of the daemon, as REST and as events."""
