"""Door 1: JupyterHub. Imports `composition` and below, JupyterHub and dockerspawner."""

from ds01_spawner.spawner.spawner import DS01Spawner

__all__ = ["DS01Spawner"]
