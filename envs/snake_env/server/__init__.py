"""The Snake environment's server side."""
