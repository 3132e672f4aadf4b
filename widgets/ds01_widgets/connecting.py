"""The API that a notebook asks: that of the hub its server belongs to, or as on a command line."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ds01_spawner import __version__
from ds01_spawner.client import places

if TYPE_CHECKING:
    from ds01_spawner.client import Client

Connect = Callable[[], "Client"]
"""Opens a client of one's own; whoever calls it closes it."""


def connect() -> "Client":
    """A client of the API, to be closed or used in a `with`.

    In a server of the hub it asks at `DS01_API_URL` with the server's own token; elsewhere it looks
    where `ds01` looks.

    Raises:
        Unavailable: Nothing says where the API is, or who asks.
    """
    return places.opened(places.find(), agent=f"ds01-widgets/{__version__}")
