"""Models of what changes by itself: asked again and again while somebody looks."""

from abc import ABC, abstractmethod
from datetime import timedelta
from time import monotonic
from typing import ClassVar, Generic, TypeVar

from ds01_spawner.client import Client
from ds01_spawner.domain.errors import DS01Error
from ds01_widgets import polling
from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models.wizard import Wizard
from ds01_widgets.running import Running

T = TypeVar("T")

LIVE_FOR = timedelta(minutes=20)
"""So long one that nobody touches asks by itself: each answer counts as work of the server's
kernel, and a page that was left open must not keep a server from being idle."""


class Live(Wizard, ABC, Generic[T]):
    """A wizard whose `read` is asked again and again between `show` and `hide`.

    Attributes:
        found: What was read last; `None` before that.
        stale: Why what is shown is old; `None` when it is not.
        seen: Whether it is on somebody's page.
    """

    EVERY_SECONDS: ClassVar[float] = 5.0

    def __init__(self, open_client: Connect = connect, running: Running | None = None) -> None:
        super().__init__(open_client, running)
        self.found: T | None = None
        self.stale: DS01Error | None = None
        self.seen = False
        self._watch: polling.Watch | None = None
        self._touched = monotonic()
        self._unread_yet = False

    @abstractmethod
    def read(self, client: Client) -> T:
        """Ask; is called by another thread, and changes nothing here."""

    def take(self, found: T) -> None:
        """Keep what was read."""
        self.found = found
        self.stale = None

    def polled(self, found: T) -> None:
        """Keep what was read while somebody looks."""
        self.take(found)

    def load(self) -> None:
        """Read once."""
        self.touch()
        self._unread_yet = True
        self.ask(self.read, self.take)

    @property
    def live(self) -> bool:
        """Whether it asks by itself now."""
        return self._watch is not None

    def touch(self) -> None:
        """Somebody did something: what is live stays so."""
        self._touched = monotonic()

    def show(self) -> None:
        """Somebody looks: from here on it asks by itself."""
        self.touch()
        self.seen = True
        if self._watch is None:
            self._watch = polling.watch(
                self.running,
                lambda: self.read(self.client),
                self._read,
                self._unread,
                self.EVERY_SECONDS,
            )
            self.changed()

    def hide(self) -> None:
        """Nobody looks: it asks no more."""
        self.seen = False
        self._rest()

    def close(self) -> None:
        """See `Wizard`."""
        self.hide()
        super().close()

    def _read(self, found: T) -> None:
        if self._unread_yet:  # the first reading may have failed
            self._unread_yet, self.problem = False, None
        self.polled(found)
        if monotonic() - self._touched > LIVE_FOR.total_seconds():
            self._rest()
        self.changed()

    def _rest(self) -> None:
        if self._watch is not None:
            self._watch.stop()
            self._watch = None
            self.changed()

    def _unread(self, error: DS01Error) -> None:
        self.stale = error
        self.changed()
