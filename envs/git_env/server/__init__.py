"""The server side of the Git environment."""
