"""Tunnels to containers that end, or are gone, while their SSH server is started."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Conflict, DS01Error, NotFound, Unavailable
from ds01_spawner.gateway.api import tunnel
from ds01_spawner.gateway.api.raw_exec import STDOUT
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.gateway.wire.call import Answer
from fakes.api_lab import ApiLab

pytestmark = pytest.mark.enable_socket

GONE = Answer(404, {"message": "No such container: c1"})
ENDED, RUNS = (Answer(200, {"State": {"Running": runs}}) for runs in (False, True))
AT_ONCE = "thesis was started, and ended at once."
JUST_NOW = "thesis has just ended."
NONE = "No SSH server can be started in thesis."


class Refused:
    """What the engine says in place of a program: as an answer, or as its output."""

    def __init__(self, *, at_once: bool) -> None:
        self._at_once = at_once

    async def begin(self) -> str | None:
        return "container c1 is not running" if self._at_once else None

    async def parts(self) -> AsyncIterator[tuple[int, bytes]]:
        yield STDOUT, b"OCI runtime exec failed: exec failed: ..."


async def begun(server: tunnel.Tunnel) -> None:
    await server.begin()
    assert not [part async for part in server.parts()]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("found", "started", "error"),
    [
        (ENDED, True, Conflict(AT_ONCE)),
        (GONE, True, Conflict(AT_ONCE)),
        (ENDED, False, Conflict(JUST_NOW)),
        (RUNS, True, NotFound(NONE)),
        (Answer(500, {"message": "?"}), False, Unavailable(NONE)),
    ],
)
async def test_what_has_ended_is_not_said_to_lack_a_shell(
    lab: ApiLab, at_once: bool, found: Answer, started: bool, error: DS01Error
) -> None:
    @asynccontextmanager
    async def refused(*_given: Any) -> AsyncIterator[Refused]:
        yield Refused(at_once=at_once)

    lab.link.answers["GET /containers/c1/json"] = found
    access = m.SshAccess(
        name="thesis", user="alice", host_keys=("k",), command=("x",), started=started
    )
    prepared = tunnel.Prepared(Caller(1001, 0, "alice", None), "e1", "c1", access)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tunnel, "raw_exec", refused)
        async with tunnel.Tunnels(lab.api).opened(prepared) as server:
            with pytest.raises(type(error)) as refusal:
                await begun(server)
    assert refusal.value.message == error.message
