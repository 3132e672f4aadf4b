"""A start of a server, followed although the connection breaks: it is the hub's, and goes on."""

from collections.abc import Callable

from ds01_spawner.client import models as m
from ds01_spawner.client.problems import Unreachable
from ds01_spawner.domain.errors import Unavailable

_LOOKS = 20
"""A gateway that is restarted is back within some seconds."""

Look = Callable[[], m.Server | None]


def followed(
    ask: Look, look: Look, may_join: Callable[[], bool], sleep: Callable[[float], object]
) -> m.Server:
    """The server that runs.

    Args:
        ask: Has it started, or joins its start; `None` where the answer ends before that.
        look: How it stands; `None` where there is none.
        may_join: Whether something was heard since this was last asked, so that it has begun.
        sleep: Waits between two looks.

    Raises:
        DS01Error: It was refused, or failed.
        Unavailable: The connection broke, and the start has ended since, or nobody answers.
    """
    while True:
        broken = Unavailable("The gateway broke off before the server was ready.", "See its state.")
        try:
            end = ask()
            if end is not None:
                return end
        except Unreachable as exc:
            broken = exc
        if not may_join():
            raise broken
        there = _seen_again(look, sleep)
        if there is not None and there.state == "running":
            return there
        if there is None or there.state != "starting":
            raise broken


def _seen_again(look: Look, sleep: Callable[[float], object]) -> m.Server | None:
    for _ in range(_LOOKS - 1):
        try:
            return look()
        except Unavailable:
            sleep(1.0)
    return look()
