"""Door 1: JupyterHub. Imports `composition` and below, JupyterHub and dockerspawner."""
