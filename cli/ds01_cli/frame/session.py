"""A session with the API: found, opened, and its failures in a sentence that says what next."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ds01_cli.frame import no_api
from ds01_spawner import __version__
from ds01_spawner.client.places import Place, find, opened
from ds01_spawner.domain.errors import DS01Error

if TYPE_CHECKING:
    from ds01_spawner.client import Client

AGENT = f"ds01-cli/{__version__}"


@contextmanager
def connect(
    place: Callable[[], Place] = find, open_client: "Callable[[Place, str], Client]" = opened
) -> "Iterator[Client]":
    """The client of the API that this process may use, to be used in a `with`.

    In this order: `DS01_GATEWAY_SOCKET`, `DS01_API_URL`, `DS01_URL` (and `DS01_TOKEN`), this
    machine's socket, the login that `ds01 login` keeps, the hub that a server belongs to.

    Raises:
        Unavailable: There is no API, or it does not answer; says what to do.
        Unauthenticated: The token does not count any more; says how to get another.
    """
    from ds01_spawner.client.problems import (  # noqa: PLC0415 - help does without pydantic
        NotTheApi,
        Unauthenticated,
        Unreachable,
    )

    found = place()
    with open_client(found, AGENT) as client:
        try:
            yield client
        except (Unauthenticated, Unreachable, NotTheApi) as exc:
            raise explained(exc, found) from exc


def explained(error: DS01Error, place: Place) -> DS01Error:
    """What `error` means for somebody who typed a command, and what they can do."""
    from ds01_spawner.client.problems import (  # noqa: PLC0415 - help does without pydantic
        NotTheApi,
        Unauthenticated,
        Unreachable,
    )

    if isinstance(error, Unauthenticated):
        return Unauthenticated(*no_api.token_refused(place))
    if isinstance(error, NotTheApi):
        down = error.status in {502, 503, 504}
        return no_api.gateway_down(place) if down else no_api.no_ds01(place, error.status)
    if place.socket is not None:
        return no_api.silent(place.socket)
    if isinstance(error, Unreachable) and error.too_slow:
        return no_api.late(place)
    return no_api.out_of_reach(place)
