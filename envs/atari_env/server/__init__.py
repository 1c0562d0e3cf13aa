"""The Atari environment's server side."""
