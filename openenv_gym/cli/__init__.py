"""The `openenv-gym` command line."""
