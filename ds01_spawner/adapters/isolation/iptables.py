"""The packet filter, through iptables' own programs.

They are those that the engine uses, so both write into the same tables, legacy or nft.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ds01_spawner.adapters.isolation.rules import (
    Family,
    Saved,
    faults,
    removal_text,
    restore_text,
)
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.fence import Fence

_PROGRAMS = {Family.V4: "iptables", Family.V6: "ip6tables"}
_PLACES = "/usr/sbin:/sbin"
_LOCK_SECONDS = "5"
_DEADLINE_SECONDS = 30.0
_TRIES = 3
_IPV6 = Path("/proc/net/if_inet6")
_BRIDGES = Path("/proc/sys/net/bridge")
"""There once br_netfilter is loaded."""


class IptablesFilter:
    """The `PacketFilter` port.

    Args:
        within: Put before every command, such as `ip netns exec NAME`.
        ipv6: Whether there is IPv6; `None`: as the kernel says.
        bridged: Whether the kernel shows what stays within one bridge; `None`: as it says.
    """

    def __init__(
        self, within: Sequence[str] = (), *, ipv6: bool | None = None, bridged: bool | None = None
    ) -> None:
        self._within = tuple(within)
        self._ipv6 = ipv6
        self._shows_bridged = bridged

    def faults(self, fence: Fence) -> tuple[str, ...]:
        """What keeps `fence` from being in force."""
        return tuple(
            fault
            for family in self._families()
            for fault in faults(self._saved(family), fence, family, bridged=self._bridged())
        )

    def put_up(self, fence: Fence) -> None:
        """Put `fence` in force; each family of addresses in one step."""
        for family in self._families():
            self._change(
                family, partial(restore_text, fence=fence, family=family, bridged=self._bridged())
            )

    def take_down(self, tag: str) -> None:
        """Remove the fence of an installation."""
        for family in self._families():
            self._change(family, partial(removal_text, tag=tag))

    def _families(self) -> list[Family]:
        ipv6 = _IPV6.exists() if self._ipv6 is None else self._ipv6
        return [Family.V4, Family.V6] if ipv6 else [Family.V4]

    def _bridged(self) -> bool:
        return _BRIDGES.exists() if self._shows_bridged is None else self._shows_bridged

    def _saved(self, family: Family) -> Saved:
        return Saved.parse(self._run(f"{_PROGRAMS[family]}-save", "-t", "filter"))

    def _change(self, family: Family, text_for: Callable[[Saved], str]) -> None:
        """Work out what to do and do it; once more where the table changed in between."""
        for left in reversed(range(_TRIES)):
            text = text_for(self._saved(family))
            if not text:
                return
            try:
                self._run(
                    f"{_PROGRAMS[family]}-restore", "--noflush", "-w", _LOCK_SECONDS, given=text
                )
            except Unavailable:
                if not left:
                    raise
            else:
                return

    def _run(self, program: str, *arguments: str, given: str = "") -> str:
        path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_PLACES}")
        if path is None:
            raise Unavailable(
                f"{program} is not installed, so nothing keeps containers from the host's"
                " addresses.",
                "Install the package iptables.",
            )
        try:
            done = subprocess.run(  # noqa: S603 - a fixed program, and rules that we wrote
                [*self._within, path, *arguments],
                input=given,
                capture_output=True,
                text=True,
                check=False,
                timeout=_DEADLINE_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as exc:
            raise Unavailable(f"{program} did not run: {exc}.") from exc
        if done.returncode != 0:
            said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            raise Unavailable(
                f"{program} failed: {said[:500]}.",
                "As root, in the host's own network, iptables -S DOCKER-USER should print rules.",
            )
        return done.stdout
