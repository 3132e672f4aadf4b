"""The API as its clients see it: wire models, problems as errors, and the typed client.

`models` and `problems` are shared with the server. May import `domain` only. What the names below
stand for is loaded when it is asked for: `places` and `logins` are used by programs that have to
start at once.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ds01_spawner.client.client import Client
    from ds01_spawner.client.places import behind_hub, from_environment, on_socket

__all__ = ["Client", "behind_hub", "from_environment", "on_socket"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "client" if name == "Client" else "places"
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)
