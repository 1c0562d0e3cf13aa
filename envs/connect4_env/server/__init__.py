"""The Connect4 environment's server side."""
