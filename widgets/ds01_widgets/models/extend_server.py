"""One's servers and containers that run, when they stop, and how to keep one running."""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.client.words import gpu_words
from ds01_spawner.domain.wording import span
from ds01_spawner.home.folders import IN_A_CONTAINER
from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models.live import Live
from ds01_widgets.running import Running

_LIVE = frozenset({"running", "paused", "restarting"})
_CHOICES = tuple(timedelta(hours=hours) for hours in (1, 2, 4, 8, 12, 24, 48))


@dataclass(frozen=True, slots=True)
class ServerRow:
    """Something of one's own that runs.

    Attributes:
        name: What it is called in the API.
        title: What it is, for people.
        here: Whether this notebook is in it.
        sentences: What lies ahead of it.
        longest: For how long it can be kept running from now; `None` where asking is of no use.
        kept_for: For how much longer it is kept already; `None` where it is not.
    """

    name: str
    title: str
    here: bool
    sentences: tuple[str, ...]
    longest: timedelta | None
    kept_for: timedelta | None


@dataclass(frozen=True, slots=True)
class Duration:
    """How long something may be kept.

    Attributes:
        words: For people.
        value: From now; `None` is as long as is allowed.
    """

    words: str
    value: timedelta | None


class ExtendServerModel(Live[m.Containers]):
    """Keeps what somebody runs from being stopped for not being used.

    Attributes:
        chosen: Name of what is meant; empty where nothing runs.
        duration: How long it is to be kept; `None` is as long as is allowed.
        told: What came of the last time.
    """

    EVERY_SECONDS: ClassVar[float] = 15.0

    def __init__(self, open_client: Connect = connect, running: Running | None = None) -> None:
        super().__init__(open_client, running)
        self.chosen = ""
        self.duration: timedelta | None = None
        self.told: tuple[str, ...] = ()

    def read(self, client: Client) -> m.Containers:
        """See `Live`."""
        return client.containers()

    def take(self, found: m.Containers) -> None:
        """See `Live`."""
        super().take(found)
        names = [each.name for each in self.rows]
        if self.chosen not in names:
            self.choose(names[0] if names else "")
        elif not self.place_of_duration:
            self.duration = None

    @property
    def rows(self) -> tuple[ServerRow, ...]:
        """What runs: the one that this notebook is in first, then by name."""
        if self.found is None:
            return ()
        found = [_row(each, self.found) for each in self.found.containers if each.state in _LIVE]
        return tuple(sorted(found, key=lambda each: (not each.here, each.title)))

    @property
    def row(self) -> ServerRow | None:
        """What is chosen."""
        return next((each for each in self.rows if each.name == self.chosen), None)

    @property
    def durations(self) -> tuple[Duration, ...]:
        """How long it may be kept: what the policy allows, and shorter."""
        row = self.row
        if row is None or row.longest is None:
            return ()
        most = Duration("as long as is allowed", None)
        shorter = [Duration(span(each), each) for each in _CHOICES if each < row.longest]
        return (most, *shorter)

    @property
    def place_of_duration(self) -> int:
        """Which of `durations` is meant."""
        values = [each.value for each in self.durations]
        return values.index(self.duration) if self.duration in values else 0

    @property
    def hint(self) -> str:
        """What can be done with what is chosen, or why nothing can."""
        if self.found is None:
            return "Looking at what runs …"
        if self.row is None:
            return "Nothing of yours runs."
        if self.row.longest is None:
            return f"{self.row.title} is not stopped for not being used, or cannot be kept longer."
        return f"It can be kept running for {span(self.row.longest)} from now, used or not."

    def choose(self, name: str) -> None:
        """Mean this one."""
        self.touch()
        self.chosen = name
        self.duration = None
        self.changed()

    def keep_for(self, duration: timedelta | None) -> None:
        """Mean to keep it so long."""
        self.touch()
        self.duration = duration
        self.changed()

    def extend(self) -> None:
        """Keep what is chosen running."""
        row, duration = self.row, self.duration
        if row is None or self.busy:
            return
        self.touch()
        self.told = ()

        def ask(client: Client) -> tuple[m.Extended, m.Containers]:
            return client.extend(row.name, duration), client.containers()

        def then(answer: tuple[m.Extended, m.Containers]) -> None:
            kept, found = answer
            self.take(found)
            self.told = tuple(_told(row.title, kept, found.taken_at))

        self.ask(ask, then, f"Keeping {row.title} running …")


def _row(container: m.Container, found: m.Containers) -> ServerRow:
    longest = _left(container.keep_until, found.taken_at)
    return ServerRow(
        container.name,
        f"{_title(container)}{gpu_words(container)}",
        os.environ.get(IN_A_CONTAINER) in {container.name, container.container},
        container.sentences,
        longest,
        _left(container.kept_until, found.taken_at),
    )


def _title(container: m.Container) -> str:
    if container.server is None:
        return container.name
    return f"Server {container.server}" if container.server else "My server"


def _left(until: datetime | None, now: datetime) -> timedelta | None:
    return None if until is None or until <= now else until - now


def _told(title: str, kept: m.Extended, now: datetime) -> list[str]:
    lines = [f"{title} is kept running for {span(kept.until - now)}, used or not."]
    if kept.ends_anyway is not None:
        lines.append(f"Then it stops: {kept.ends_anyway}.")
    elif kept.shortened:
        lines.append("That is the most that the policy allows.")
    return lines
