"""One build: begun, followed, cancelled, and why it failed."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_spawner.home.builds import BuildFailed, Progress, Wanted, failure
from ds01_widgets.connecting import Connect
from ds01_widgets.models.notebook_words import in_a_notebook
from ds01_widgets.running import Job, Running

TELL_SECONDS = 0.5
"""Observers are told of more log no more often than this."""

_AROUND = 2


@dataclass(frozen=True, slots=True)
class CodeLine:
    """One line of a Dockerfile.

    Attributes:
        number: From 1.
        text: It.
        failed: Whether the build failed at it.
    """

    number: int
    text: str
    failed: bool


class ImageBuild:
    """Follows a build to its end.

    Args:
        wanted: What is built.
        changed: Is called when there is more to see.
        ended: Is called with the build as it ended.
        failed: Is called where it cannot be followed; it may go on.

    Attributes:
        wanted: What is built.
        progress: How far it is.
        build: As the API tells of it; `None` before it was begun.
        cancelling: Whether somebody wants it to end.
        failure: Why it failed; `None` where it did not, or not yet.
    """

    def __init__(
        self,
        wanted: Wanted,
        changed: Callable[[], None],
        ended: Callable[["ImageBuild"], None],
        failed: Callable[[DS01Error], None],
    ) -> None:
        self.wanted = wanted
        self.progress = Progress(wanted.dockerfile)
        self.build: m.Build | None = None
        self.cancelling = False
        self.failure: BuildFailed | None = None
        self._changed = changed
        self._ended = ended
        self._failed = failed
        self._told_at = 0.0
        self._when_begun: Callable[[str], None] | None = None

    @property
    def words(self) -> str:
        """How far it is, in a sentence."""
        if self.cancelling:
            return "Cancelling …"
        return self.progress.words or f"Building {self.wanted.name} …"

    @property
    def advice(self) -> str:
        """What to do about the failure, in the words of a notebook."""
        return "" if self.failure is None else in_a_notebook(self.failure.next_step)

    @property
    def place(self) -> tuple[CodeLine, ...]:
        """The lines of the Dockerfile around the one that failed; none where nobody knows it."""
        if self.failure is None:
            return ()
        at = self.failure.explanation.line or self.failure.build.failed_line
        lines = self.wanted.dockerfile.splitlines()
        if at is None or not 1 <= at <= len(lines):
            return ()
        first, last = max(1, at - _AROUND), min(len(lines), at + _AROUND)
        return tuple(
            CodeLine(number, lines[number - 1], number == at) for number in range(first, last + 1)
        )

    def begin(self, running: Running, open_client: Connect) -> None:
        """Build it."""
        key = uuid.uuid4().hex

        def work(job: Job) -> m.Build:
            request = self.wanted.request()
            with open_client() as client:
                job.when_cancelled(client.break_off)
                begun = client.build(request, key=key)
                return self._follow(job, open_client, begun)

        running.start(work, self._end, self._failed)

    def resume(self, running: Running, open_client: Connect, begun: m.Build) -> None:
        """Follow one that was begun before."""
        self.build = begun
        running.start(lambda job: self._follow(job, open_client, begun), self._end, self._failed)

    def cancel(self, running: Running, open_client: Connect) -> None:
        """End it; that it has ended is told as its end."""
        if self.cancelling:
            return
        self.cancelling = True
        self._changed()

        def end(build: str) -> None:
            def work(_job: Job) -> m.Build:
                with open_client() as client:
                    return client.cancel_build(build)

            running.start(work, lambda _build: None, self._failed)

        if self.build is None:
            self._when_begun = end
        else:
            end(self.build.id)

    def _follow(self, job: Job, open_client: Connect, begun: m.Build) -> m.Build:
        job.tell(lambda: self._began(begun))
        with open_client() as client:
            job.when_cancelled(client.break_off)
            for news in client.follow_build(begun.id):
                if isinstance(news, m.Build):
                    return news
                job.tell(_with(self._more, news.text))
        raise Unavailable(
            "The line broke while the image was being built.", "It goes on: look again."
        )

    def _began(self, begun: m.Build) -> None:
        self.build = begun
        if self._when_begun is not None:
            self._when_begun(begun.id)
            self._when_begun = None
        self._changed()

    def _more(self, text: str) -> None:
        before = self.progress.words
        for _line in self.progress.take(text):
            pass
        if self.progress.words != before or monotonic() - self._told_at > TELL_SECONDS:
            self._told_at = monotonic()
            self._changed()

    def _end(self, ended: m.Build) -> None:
        self.build = ended
        if ended.state not in {"done", "cancelled"}:
            self.failure = failure(ended, self.progress.log, self.wanted)
        self._ended(self)


def _with(deed: Callable[[str], None], text: str) -> Callable[[], None]:
    return lambda: deed(text)
