"""The OpenSpiel environment's server side."""
