"""The BrowserGym environment's server side."""
