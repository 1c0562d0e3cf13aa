"""The Chess environment's server side."""
