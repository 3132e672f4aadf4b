"""The `Engine` port on Docker's HTTP API.

`engine` is the port; `connection` carries calls with their deadlines and `breaker` keeps a stuck
engine from taking every thread; `payload`, `demand` and `subnets` are pure.
"""

from ds01_spawner.adapters.docker_engine.connection import Deadlines
from ds01_spawner.adapters.docker_engine.engine import DEFAULT_SOCKET, DockerEngine
from ds01_spawner.adapters.docker_engine.payload import container_payload

__all__ = ["DEFAULT_SOCKET", "Deadlines", "DockerEngine", "container_payload"]
