"""The dial's server."""
