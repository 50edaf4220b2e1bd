"""What a pod is: its ssh command, its place in the registry, its pinned host key."""
