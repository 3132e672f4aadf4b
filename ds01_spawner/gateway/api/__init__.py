"""The platform's own API, on the Unix socket under `/ds01/` and as a service of JupyterHub."""
