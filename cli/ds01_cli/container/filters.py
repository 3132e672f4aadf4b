"""Which containers somebody wants to see: `name=…`, `state=…`, `gpu=…`. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ds01_spawner.client.models import ContainerStats, Stats

_STATES: Mapping[str, frozenset[str]] = {
    "running": frozenset({"running"}),
    "paused": frozenset({"paused"}),
    "stopped": frozenset({"created", "exited", "dead"}),
    "created": frozenset({"created"}),
    "exited": frozenset({"exited"}),
    "restarting": frozenset({"restarting"}),
    "removing": frozenset({"removing"}),
    "dead": frozenset({"dead"}),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """Values by key: of one key any will do, of several keys each has to.

    Attributes:
        wanted: They.
    """

    wanted: Mapping[str, tuple[str, ...]]

    @classmethod
    def parse(cls, wishes: Iterable[str]) -> "Filters":
        """What was typed.

        Raises:
            BadParameter: It is no filter.
        """
        wanted: dict[str, tuple[str, ...]] = {}
        for wish in wishes:
            key, equals, value = wish.partition("=")
            if key not in _KEYS or not equals or not value:
                raise _wrong(f"{wish} is no filter. Use name=…, state=… or gpu=….")
            if key == "state" and value not in _STATES:
                raise _wrong(f"{value} is no state. Use running, paused or stopped.")
            wanted[key] = (*wanted.get(key, ()), value)
        return cls(wanted)

    def of(self, found: "Stats") -> "Stats":
        """Those that are wanted."""
        left = tuple(each for each in found.containers if self.match(each))
        return found.model_copy(update={"containers": left})

    def match(self, container: "ContainerStats") -> bool:
        """Whether it is wanted."""
        return all(
            any(_KEYS[key](container, value) for value in values)
            for key, values in self.wanted.items()
        )


def _name(container: "ContainerStats", value: str) -> bool:
    return fnmatchcase(container.name, value)


def _state(container: "ContainerStats", value: str) -> bool:
    return container.state in _STATES[value]


def _gpu(container: "ContainerStats", value: str) -> bool:
    """`any`, `none`, a slot `0:1`, or a card `0` with all of its slots."""
    slots = container.gpu_slots
    if value in {"any", "none"}:
        return bool(slots) is (value == "any")
    return any(value in {slot, slot.partition(":")[0]} for slot in slots)


_KEYS: Mapping[str, Callable[["ContainerStats", str], bool]] = {
    "name": _name,
    "state": _state,
    "gpu": _gpu,
}


def _wrong(text: str) -> typer.BadParameter:
    return typer.BadParameter(text, param_hint="--filter")
