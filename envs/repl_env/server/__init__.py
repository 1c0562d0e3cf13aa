"""The REPL environment's server side."""
