"""What somebody may use, what they do use, and what says so."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.client.limit_words import USAGE, amount, place_of, sentences
from ds01_spawner.domain.wording import clean
from ds01_widgets.models.live import Live

_TITLES = {
    "priority": "Rank in the GPU queue, of 100",
    "max_gpu_slots": "GPU slots at once",
    "max_gpu_slots_per_container": "GPU slots of one server",
    "max_gpu_equivalents": "GPUs at once, parts added up",
    "allow_full_gpu": "Whole GPUs",
    "allow_image_user": "Programs as another user than oneself",
    "max_cpus": "CPUs of one server",
    "memory": "Memory of one server",
    "memory_swap": "Memory of one server, with swap",
    "shm_size": "Shared memory of one server",
    "pids_limit": "Processes of one server",
    "io_read_bps": "Reading from disk, in a second",
    "io_write_bps": "Writing to disk, in a second",
    "storage": "Home and workspace",
    "max_image_size": "Size of one image",
    "max_containers_per_user": "Servers and containers at once",
    "idle_timeout": "Stops when unused for",
    "max_runtime": "Stops at the latest after",
    "gpu_hold_after_stop": "A stopped one keeps its GPU for",
    "container_hold_after_stop": "A stopped one is removed after",
    "aggregate.cpus": "CPUs of all together",
    "aggregate.memory": "Memory of all together",
    "aggregate.memory_high": "Memory of all together, slowed down above",
    "aggregate.pids": "Processes of all together",
    "policies.keep_alive_max": "Kept running on demand for at most",
    "policies.startup_grace": "Never counts as unused in its first",
    "policies.gpu_idle_threshold": "GPU counts as unused below",
    "policies.cpu_idle_threshold": "CPU counts as unused below",
    "policies.network_idle_threshold": "Network counts as unused below",
}
_NOTES_LONGEST = 300


@dataclass(frozen=True, slots=True)
class UsageRow:
    """How much of one limit is in use.

    Attributes:
        title: Of what.
        words: `1 of 2`.
        share: From 0 up; `None` where there is no limit, or nobody knows.
        set_by: What says so; empty where nothing does.
    """

    title: str
    words: str
    share: float | None
    set_by: str


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One limit.

    Attributes:
        title: What is limited.
        words: How much there may be.
        set_by: What says so.
    """

    title: str
    words: str
    set_by: str


class MyLimitsModel(Live[m.Me]):
    """One's limits."""

    EVERY_SECONDS: ClassVar[float] = 15.0

    def read(self, client: Client) -> m.Me:
        """See `Live`."""
        return client.me()

    @property
    def who(self) -> str:
        """`alice, in group student`."""
        if self.found is None:
            return "Looking up your limits …"
        explanation = self.found.explanation
        if explanation is None:
            return f"{self.found.user} is an administrator without limits of their own."
        group = f"in group {explanation.group}" if explanation.group else "in no group"
        return f"{self.found.user}, {group}"

    @property
    def usage(self) -> tuple[UsageRow, ...]:
        """What is in use now."""
        return () if self.found is None else tuple(_usage(self.found))

    @property
    def sentences(self) -> tuple[str, ...]:
        """What one server may have, and when it ends; and what else there is to know."""
        if self.found is None:
            return ()
        notes = tuple(clean(each, _NOTES_LONGEST) for each in self.found.notes)
        explanation = self.found.explanation
        if explanation is None:
            return notes
        why = f"Why you have limits of your own: {explanation.reason}"
        own = (clean(why, _NOTES_LONGEST),) if explanation.reason else ()
        return (*sentences(explanation.limits), *own, *notes)

    @property
    def limits(self) -> tuple[LimitRow, ...]:
        """Every limit, and where it is set."""
        explanation = None if self.found is None else self.found.explanation
        if explanation is None:
            return ()
        return tuple(
            LimitRow(_TITLES.get(key, key), each.words, place_of(each))
            for key, each in explanation.limits.items()
        )


def _usage(found: m.Me) -> Iterator[UsageRow]:
    limits = {} if found.explanation is None else found.explanation.limits
    for each in found.usage:
        limit = limits.get(each.limit)
        yield UsageRow(
            USAGE.get(each.limit, each.limit),
            amount(each),
            _share(each),
            "" if limit is None else place_of(limit),
        )


def _share(usage: m.Usage) -> float | None:
    if usage.used is None or usage.allowed is None:
        return None
    return usage.used / usage.allowed if usage.allowed else float(usage.used > 0)
