"""What runs inside the sandbox: an IPython kernel, spoken to over pipes. The server imports only `frames`."""
