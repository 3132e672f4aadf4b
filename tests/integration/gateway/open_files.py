"""What a process holds open: streams that nobody reads any more show here."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from integration.gateway.gateway_process import Gateway, eventually

_SAMPLES = 10


def open_sockets(pid: int) -> int:
    """How many sockets a process has."""
    folder = f"/proc/{pid}/fd"
    found = 0
    for number in os.listdir(folder):  # noqa: PTH208 - they come and go
        try:
            found += os.readlink(f"{folder}/{number}").startswith("socket:")  # noqa: PTH115
        except FileNotFoundError:
            continue
    return found


def _steady(pid: int) -> int:
    """How many sockets it has when that has not changed for half a second: it has just begun."""
    found: list[int] = []

    def is_steady() -> bool:
        found.append(open_sockets(pid))
        return len(found) >= _SAMPLES and len(set(found[-_SAMPLES:])) == 1

    eventually(is_steady, what="the number of open sockets stays")
    return found[-1]


@contextmanager
def nothing_left_open(gateway: Gateway) -> Iterator[None]:
    """Afterwards the gateway has no more sockets than before: both sides of each stream are gone.

    Nobody else uses the gateway meanwhile.
    """
    before = _steady(gateway.pid)
    yield
    eventually(
        lambda: open_sockets(gateway.pid) <= before, what=f"no more than {before} sockets are open"
    )
