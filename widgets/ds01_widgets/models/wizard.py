"""What every wizard has: the API, work that takes a while, and what went wrong."""

import threading
from collections.abc import Callable
from typing import TypeVar

from ds01_spawner.client import Client
from ds01_spawner.domain.errors import DS01Error
from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models.observable import Observable
from ds01_widgets.running import Inline, Job, Running

T = TypeVar("T")


class Wizard(Observable):
    """The base of all models.

    Args:
        open_client: Opens a client of the API.
        running: How what takes a while is done; in the calling thread by default.

    Attributes:
        doing: What is being done now, in words; empty when nothing is.
        problem: What went wrong last; `None` when nothing did.
    """

    def __init__(self, open_client: Connect = connect, running: Running | None = None) -> None:
        super().__init__()
        self.running: Running = running or Inline()
        self.doing = ""
        self.problem: DS01Error | None = None
        self._open = open_client
        self._client: Client | None = None
        self._opening = threading.Lock()

    def load(self) -> None:
        """Read what it shows."""

    @property
    def busy(self) -> bool:
        """Whether something is being done that has to end first."""
        return bool(self.doing)

    @property
    def client(self) -> Client:
        """The client of this wizard, opened when it is first needed; any thread may ask it.

        Raises:
            Unavailable: Nothing says where the API is.
        """
        with self._opening:
            if self._client is None:
                self._client = self._open()
            return self._client

    def ask(
        self, question: Callable[[Client], T], then: Callable[[T], None], doing: str = ""
    ) -> Job:
        """Ask the API something; observers are told when it is asked, and of the answer.

        Args:
            question: Is called with the client, maybe by another thread: it changes nothing here.
            then: Takes the answer.
            doing: What is shown meanwhile; `busy` is true while it is.
        """
        return self.work(lambda _job: question(self.client), then, doing)

    def work(self, work: Callable[[Job], T], then: Callable[[T], None], doing: str = "") -> Job:
        """The same for anything that takes a while; see `Running.start`."""
        self.problem = None
        self.doing = doing
        self.changed()

        def done(result: T) -> None:
            self.doing = ""
            then(result)
            self.changed()

        return self.running.start(work, done, self.failed)

    def failed(self, error: DS01Error) -> None:
        """Something went wrong: observers are told."""
        self.doing = ""
        self.problem = error
        self.changed()

    def close(self) -> None:
        """End what is being done, and ask nothing any more."""
        self.running.close()
        with self._opening:
            if self._client is not None:
                self._client.close()
            self._client = None
