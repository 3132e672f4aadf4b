"""One start of a server: begun, its place in the queue followed, broken off."""

from collections.abc import Callable

from ds01_spawner.client import models as m
from ds01_spawner.client.words import place_words
from ds01_spawner.domain.errors import DS01Error
from ds01_widgets.connecting import Connect
from ds01_widgets.running import Job, Running


class ServerStart:
    """Follows a start to its end. Who closes the wizard leaves it under way: it is the hub's.

    Args:
        wanted: What is started.
        changed: Is called when there is more to see.
        done: Is called with the server that runs.
        failed: Is called with the reason why it does not; with `None` where it was broken off.

    Attributes:
        wanted: What is started.
        place: Where it stands in the queue; `None` while it does not wait.
        steps: What has been done so far, in words; the last is being done.
        goes_on: Whether it has not ended yet.
        cancelling: Whether somebody wants it to end.
    """

    def __init__(
        self,
        wanted: m.ServerRequest,
        changed: Callable[[], None],
        done: Callable[[m.Server], None],
        failed: Callable[[DS01Error | None], None],
    ) -> None:
        self.wanted = wanted
        self.place: m.Place | None = None
        self.steps: tuple[str, ...] = ()
        self.goes_on = True
        self.cancelling = False
        self._changed = changed
        self._done = done
        self._failed = failed

    @property
    def words(self) -> str:
        """How far it is, in a sentence."""
        if self.cancelling:
            return "Breaking the start off …"
        if self.place is not None:
            return place_words(self.place)
        return f"{self.steps[-1]} …" if self.steps else "Asking the hub to start it …"

    def begin(self, running: Running, open_client: Connect) -> None:
        """Start it."""

        def work(job: Job) -> m.Server:
            with open_client() as client:
                job.when_cancelled(client.break_off)
                return client.start_server(
                    self.wanted,
                    on_place=lambda place: job.tell(lambda: self._waits(place)),
                    on_step=lambda step: job.tell(lambda: self._does(step)),
                )

        running.start(work, self._ended, self._broke)

    def cancel(self, running: Running, open_client: Connect) -> None:
        """Break it off; that it has ended is told as its end."""
        if self.cancelling:
            return
        self.cancelling = True
        self._changed()

        def work(_job: Job) -> m.Server:
            with open_client() as client:
                return client.stop_server(self.wanted.name)

        running.start(work, lambda _server: None, self._broke)

    def _waits(self, place: m.Place) -> None:
        self.place = place
        self._changed()

    def _does(self, step: m.Step) -> None:
        self.place = None
        self.steps = (*self.steps, step.text.rstrip(" .…"))
        self._changed()

    def _ended(self, server: m.Server) -> None:
        if not self.goes_on:
            return
        self.goes_on = False
        if server.state == "running":
            self._done(server)
        else:
            self._failed(None)

    def _broke(self, error: DS01Error) -> None:
        if not self.goes_on:
            return
        self.goes_on = False
        self._failed(None if self.cancelling else error)
