"""The Coding environment's server side."""
