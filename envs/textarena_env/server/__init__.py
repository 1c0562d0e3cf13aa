"""The TextArena environment's server side."""
