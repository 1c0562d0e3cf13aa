"""The server of the Git tasks."""
