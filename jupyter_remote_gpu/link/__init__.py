"""The link to a pod: asyncssh, our code's way onto the pod, and coming back after a cut."""
