"""Ends what people have open when they may not be here any more.

Who somebody is, is decided when a connection begins, and some last for days: terminals, SSH,
followed logs. So it is looked at again and again whether they are still let in. What cannot be
told ends nothing: a session that is cut takes somebody's work with it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from ds01_spawner.domain.errors import DS01Error, Forbidden
from ds01_spawner.gateway.identity import Caller
from ds01_spawner.ports import Accounts

LOOK_SECONDS = 8.0
LOOKS = 2
"""So many in a row say that somebody is out: one may be wrong while files are being edited."""

MISSING_SECONDS = 300.0
"""A directory service that is restarted says of everybody that there is no such account."""

_LOG = logging.getLogger(__name__)


class Standing(StrEnum):
    """Whether somebody is still let in."""

    IN = "in"
    OUT = "out"
    MISSING = "missing"


def standing(caller: Caller, accounts: Accounts, admin_group: str) -> Standing:
    """How somebody stands who has something open; may block.

    Out is whose account was closed or is somebody else's now, and who acts as an administrator and
    is none any more; while there is no such group, that is not known. To become one, or a home that
    is not as it should be, ends nothing.

    Raises:
        Unavailable: It cannot be told.
    """
    if caller.account is None:
        return Standing.IN
    try:
        accounts.check_open(caller.user)
    except Forbidden:
        return Standing.OUT
    name = accounts.name_of(caller.uid)
    if name is None:
        return Standing.MISSING
    if name != caller.user:
        return Standing.OUT
    if not caller.is_admin or _is_admin(caller, accounts, admin_group):
        return Standing.IN
    # A directory that is restarted tells of nobody's groups; then it does not know this one.
    return Standing.OUT if accounts.has_group(admin_group) else Standing.MISSING


def _is_admin(caller: Caller, accounts: Accounts, admin_group: str) -> bool:
    try:
        account = accounts.lookup(caller.user)
    except Forbidden:  # of their home; nothing new is opened to them, either
        return True
    return account is None or admin_group in account.groups


@dataclass
class _Present:
    """Somebody with something open.

    Attributes:
        caller: Who.
        cuts: What ends each of their connections.
        outs: How many looks in a row said that they are out.
        missing_since: Since when there is no such account.
    """

    caller: Caller
    cuts: dict[object, Callable[[], object]] = field(default_factory=dict)
    outs: int = 0
    missing_since: float | None = None

    def is_out(self, found: Standing, now: float) -> bool:
        """Whether they have to go, after one more look."""
        self.outs = self.outs + 1 if found is Standing.OUT else 0
        if found is not Standing.MISSING:
            self.missing_since = None
        elif self.missing_since is None:
            self.missing_since = now
        missing = 0.0 if self.missing_since is None else now - self.missing_since
        return self.outs >= LOOKS or missing >= MISSING_SECONDS


class Attendance:
    """Who has something open.

    Args:
        monotonic: The time, in seconds.
        patience_seconds: How long one person's look may keep the others waiting.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        patience_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._monotonic = monotonic
        self._patience_seconds = patience_seconds
        self._present: dict[tuple[int, str, bool], _Present] = {}

    @contextmanager
    def attending(self, caller: Caller, cut: Callable[[], object]) -> Iterator[None]:
        """Something is open meanwhile, and `cut` ends it."""
        key, mark = (caller.uid, caller.user, caller.is_admin), object()
        present = self._present.setdefault(key, _Present(caller))
        present.cuts[mark] = cut
        try:
            yield
        finally:
            del present.cuts[mark]
            if not present.cuts and self._present.get(key) is present:
                del self._present[key]

    async def watch(self, look: Callable[[Caller], Awaitable[Standing]]) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look_once(look)
            except Exception:  # noqa: BLE001 - the loop's top: the next turn is another try
                _LOG.exception("who is still let in cannot be told")

    async def look_once(self, look: Callable[[Caller], Awaitable[Standing]]) -> None:
        """Look at everybody, and end what those have open who are out."""
        every = tuple(self._present.values())
        found = await asyncio.gather(*(self._told(look, each.caller) for each in every))
        now = self._monotonic()
        for each, told in zip(every, found, strict=True):
            if each.is_out(told, now) and each.cuts:
                _LOG.info("%s is not let in any more: %d ended", each.caller.user, len(each.cuts))
                for cut in tuple(each.cuts.values()):
                    cut()

    async def _told(
        self, look: Callable[[Caller], Awaitable[Standing]], caller: Caller
    ) -> Standing:
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await look(caller)
        except (DS01Error, TimeoutError):
            return Standing.IN
        except Exception:  # noqa: BLE001 - the top of one person's look: the others' go on
            _LOG.exception("whether %s is still let in cannot be told", caller.user)
            return Standing.IN
