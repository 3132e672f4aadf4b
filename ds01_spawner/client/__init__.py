"""The API as its clients see it: wire models, problems as errors, and the typed client.

`models` and `problems` are shared with the server. May import `domain` only.
"""

from ds01_spawner.client.client import Client
from ds01_spawner.client.places import behind_hub, from_environment, on_socket

__all__ = ["Client", "behind_hub", "from_environment", "on_socket"]
