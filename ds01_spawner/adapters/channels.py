"""The channels of `notifications.yaml`, read again when it changes, through apprise."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ds01_spawner.adapters.apprise_sender import Unsendable, is_understood, send
from ds01_spawner.adapters.hang_guard import HangGuard
from ds01_spawner.adapters.text_files import read_text
from ds01_spawner.domain.errors import NotFound, PolicyError, PolicyProblem, Unavailable
from ds01_spawner.domain.event import Event
from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.domain.wording import clean
from ds01_spawner.policy.notifications import Channel, parse_addresses, parse_notifications
from ds01_spawner.ports import Clock, EventLog

NOTIFICATIONS_FILE = "notifications.yaml"
DEADLINE_SECONDS = 45.0
"""apprise's own time limits (4 s, 15 s for mail, for each step) come first, unless the other side
is slow in many small steps."""

_log = logging.getLogger(__name__)

Stamp = tuple[str, int, int, int, int] | tuple[str]


@dataclass(frozen=True, slots=True)
class ChannelFiles:
    """What `notifications.yaml` and the files that it names say.

    Attributes:
        channels: By name.
        read: The files that were read, whether they are there or not.
    """

    channels: Mapping[str, Channel]
    read: tuple[Path, ...]


def read_channels(path: Path, *, understood: Callable[[str], bool] | None = None) -> ChannelFiles:
    """The channels of a `notifications.yaml` and of the files that it names.

    Args:
        path: The file; where it is missing there are none.
        understood: Says whether an address can be sent to; it is not asked unless it is given.

    Raises:
        PolicyError: It names file, line, key and what was expected; never an address.
    """
    if not path.exists():
        return ChannelFiles({}, (path,))
    found = parse_notifications(read_text(path), str(path))
    read, problems = [path], list[PolicyProblem]()
    channels: dict[str, Channel] = {}
    for name, entry in found.entries.items():
        url, addresses = "" if entry.url is None else entry.url.get_secret_value(), {}
        try:
            if entry.url_file is not None:
                read.append(path.parent / entry.url_file)
                url = read_text(read[-1]).strip()
            if entry.addresses_file is not None:
                read.append(path.parent / entry.addresses_file)
                addresses = parse_addresses(read_text(read[-1]), str(read[-1]))
            channels[name] = found.channel(name, url, addresses)
        except PolicyError as exc:
            problems += exc.problems
            continue
        if understood is not None and not understood(channels[name].example):
            key = ("channels", name, "url" if entry.url_file is None else "url_file")
            problems.append(found.document.problem(key, "apprise does not understand this address"))
    if problems:
        raise PolicyError(tuple(problems))
    return ChannelFiles(channels, tuple(read))


def check_channels(path: Path) -> int:
    """How many channels a `notifications.yaml` names, all of which can be sent to.

    Raises:
        PolicyError: It names file, line, key and what was expected; never an address.
    """
    return len(read_channels(path, understood=is_understood).channels)


class AppriseChannels:
    """The `Channels` port. Safe to use from many threads.

    A broken edit changes nothing; it is written to the audit log once.

    Args:
        directory: Where `notifications.yaml` is, if there is one.
        clock: For events.
        events: Where a broken edit is reported.
        deadline_seconds: The longest that one message may take.
    """

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        events: EventLog,
        *,
        deadline_seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._path = directory / NOTIFICATIONS_FILE
        self._clock = clock
        self._events = events
        self._deadline_seconds = deadline_seconds
        self._lock = threading.Lock()
        self._files = ChannelFiles({}, (self._path,))
        self._stamps: tuple[Stamp, ...] | None = None
        self._problems: tuple[PolicyProblem, ...] = ()
        self._guards: dict[str, HangGuard] = {}

    @property
    def problems(self) -> tuple[PolicyProblem, ...]:
        """What is wrong with the files now; empty when what is in force is what they say."""
        return self._problems

    def names(self, kind: NoticeKind) -> Sequence[str]:
        """The channels that a notice of this kind goes through."""
        return [name for name, each in self._current().items() if kind in each.kinds]

    def send(self, channel: str, notice: Notice) -> None:
        """Send it; may take seconds.

        Raises:
            NotFound: There is no such channel, or no address for the person: do not try again.
            Unavailable: It was not accepted; try again later.
        """
        found = self._current().get(channel)
        if found is None:
            raise NotFound(f"There is no channel {channel} in {NOTIFICATIONS_FILE} any more.")
        url = found.url_for(notice.user)
        if url is None:
            raise NotFound(f"{clean(notice.user)} has no address for the channel {channel}.")
        title = notice.title if found.is_personal else f"{clean(notice.user)}: {notice.title}"
        # Most services show the title above the text.
        text = notice.text.removeprefix(notice.title).strip() or notice.text
        failure = self._guarded(channel, lambda: _failure(url, title, text))
        if failure is not None and failure.for_good:
            raise NotFound(f"The channel {channel} cannot be used: {failure}.")
        if failure is not None:
            raise Unavailable(f"The channel {channel} did not take it: {failure}.")

    def _guarded(self, channel: str, call: Callable[[], Unsendable | None]) -> Unsendable | None:
        with self._lock:
            guard = self._guards.setdefault(
                channel, HangGuard(f"channel {channel}", self._deadline_seconds)
            )
        try:
            return guard.run(call)
        except Unavailable as exc:
            raise Unavailable(
                f"The channel {channel} has not answered for {self._deadline_seconds:g} s."
            ) from exc

    def _current(self) -> Mapping[str, Channel]:
        with self._lock:
            # Before they are read: what changes meanwhile is read the next time.
            stamps = tuple(_stamp(path) for path in self._files.read)
            if stamps != self._stamps:
                self._stamps = stamps
                self._read()
            return self._files.channels

    def _read(self) -> None:
        try:
            files = read_channels(self._path)
        except PolicyError as exc:
            # A file that it names may be what is put right.
            self._stamps = None
            self._broken(exc)
            return
        if files.read != self._files.read:
            self._stamps = None
        self._files = files
        if self._problems:
            self._problems = ()
            self._say("policy.reload", "ok", "the file is valid again")

    def _broken(self, error: PolicyError) -> None:
        if error.problems == self._problems:
            return
        self._problems = error.problems
        kept = f"{len(self._files.channels)} of before stay in force"
        _log.error("The channels are invalid; %s:\n%s", kept, error)
        self._say("policy.invalid", "failed", f"channels cannot be read; {kept}")

    def _say(self, action: str, outcome: str, reason: str) -> None:
        event = Event(
            ts=self._clock.now(),
            user=None,
            action=action,
            resource=str(self._path),
            actor="ds01",
            interface="policy",
            outcome=outcome,
            reason=reason,
            details={"problems": [str(each) for each in self._problems[:20]]},
        )
        try:
            self._events.append(event)
        except Unavailable:
            _log.exception("The audit log does not take %s", action)


def _failure(url: str, title: str, text: str) -> Unsendable | None:
    try:
        send(url, title, text)
    except Unsendable as exc:
        return exc
    return None


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return (str(path),)
    return (str(path), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
