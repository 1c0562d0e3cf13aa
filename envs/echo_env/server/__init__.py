"""The Echo environment's server side."""
