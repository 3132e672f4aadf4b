"""The policy, read from files and read again when they change."""

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ds01_spawner.adapters.system_zone import SystemZone
from ds01_spawner.adapters.text_files import read_text, unreadable
from ds01_spawner.domain.errors import PolicyError, PolicyProblem, SettingsFault, Unavailable
from ds01_spawner.domain.event import Event
from ds01_spawner.policy.exemptions import ExemptionsFile
from ds01_spawner.policy.loading import LoadedPolicy, load_policy
from ds01_spawner.policy.members import SUFFIX, MembersFile
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.ports import Clock, EventLog

POLICY_FILE = "resource-limits.yaml"
EXEMPTIONS_FILE = "lifecycle-exemptions.yaml"
GROUPS_FOLDER = "groups"

_CHECK_EVERY = timedelta(seconds=1)
_SETTLED_NANOSECONDS = 3 * 10**9
"""A file changed this recently may change again without its time stamp showing it."""

_log = logging.getLogger(__name__)

Stamp = tuple[str, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class PolicyText:
    """A policy file, its members files and the exemptions beside it, as they are on disk."""

    path: str
    text: str
    members_files: tuple[MembersFile, ...]
    exemptions_file: ExemptionsFile | None = None

    def load(self) -> LoadedPolicy:
        """The policy they describe.

        Raises:
            PolicyError: Something is wrong with one of them.
        """
        return load_policy(self.text, self.path, self.members_files, self.exemptions_file)

    @property
    def digest(self) -> bytes:
        """The same for the same content, whatever the files' dates."""
        parts = [self.text, *(f"{each.path}\n{each.text}" for each in self.members_files)]
        if self.exemptions_file is not None:
            parts.append(f"{self.exemptions_file.path}\n{self.exemptions_file.text}")
        return hashlib.sha256("\0".join(parts).encode()).digest()


def read_policy(path: Path) -> PolicyText:
    """A policy file, and beside it the members files in `groups` and the exemptions.

    Raises:
        PolicyError: A file cannot be read as text.
    """
    problems: list[PolicyProblem] = []
    texts: dict[Path, str] = {}
    for file in _files(path):
        try:
            texts[file] = read_text(file)
        except PolicyError as exc:
            problems += exc.problems
    if problems:
        raise PolicyError(tuple(problems))
    text = texts.pop(path)
    exempted = texts.pop(path.with_name(EXEMPTIONS_FILE), None)
    members_files = tuple(
        MembersFile(file.name.removesuffix(SUFFIX), str(file), text) for file, text in texts.items()
    )
    exemptions_file = (
        None
        if exempted is None
        else ExemptionsFile(str(path.with_name(EXEMPTIONS_FILE)), exempted, SystemZone())
    )
    return PolicyText(str(path), text, members_files, exemptions_file)


class PolicyFiles:
    """The `PolicySource` port: the policy, members files and exemptions of one folder.

    Looks at the files' time stamps at most once a second, and at their content when a stamp has
    changed or is so young that it proves nothing. A broken edit changes nothing but `problems`;
    it is written to the audit log once.
    """

    def __init__(  # noqa: PLR0913 - two of them are clocks for the tests
        self,
        directory: Path,
        clock: Clock,
        events: EventLog,
        *,
        actor: str = "ds01",
        monotonic: Callable[[], float] = time.monotonic,
        wall_nanoseconds: Callable[[], int] = time.time_ns,
    ) -> None:
        self._path = directory / POLICY_FILE
        self._clock = clock
        self._events = events
        self._actor = actor
        self._monotonic = monotonic
        self._wall_nanoseconds = wall_nanoseconds
        self._lock = threading.Lock()
        self._policy: Policy | None = None
        self._problems: tuple[PolicyProblem, ...] = ()
        self._good_digest = b""
        self._seen_digest = b""
        self._stamps: tuple[Stamp, ...] | None = None
        self._loaded_at: datetime | None = None
        self._next_check = float("-inf")
        self._unsaid: Event | None = None

    @property
    def problems(self) -> tuple[PolicyProblem, ...]:
        """What is wrong with the files now; empty when the policy in force is what they say."""
        return self._problems

    @property
    def loaded_at(self) -> datetime | None:
        """When this process read the policy in force; `None` before the first."""
        return self._loaded_at

    def current(self) -> Policy:
        """The last good policy; picks up edits by itself.

        While one thread reads an edit, others get the policy from before it.

        Raises:
            SettingsFault: No valid policy has been read since the process started.
        """
        # A thread without any policy has to wait for the first.
        if self._due() and self._lock.acquire(blocking=self._policy is None):
            try:
                if self._due():
                    self._look()
                    self._next_check = self._monotonic() + _CHECK_EVERY.total_seconds()
            finally:
                self._lock.release()
        if self._policy is None:
            problems = "\n".join(map(str, self._problems))
            raise SettingsFault(
                f"No valid policy has been read yet.\n{problems}",
                "Correct it; ds01 policy check shows every fault.",
            )
        return self._policy

    def _due(self) -> bool:
        return self._monotonic() >= self._next_check

    def _look(self) -> None:
        self._say()
        stamps = self._read_stamps()
        if stamps is not None and stamps == self._stamps:
            return
        try:
            files = read_policy(self._path)
        except PolicyError as exc:
            self._stamps, self._seen_digest = None, b""
            self._broken(exc)
            return
        self._stamps = stamps
        digest = files.digest
        if digest == self._seen_digest:
            return
        self._seen_digest = digest
        try:
            loaded = files.load()
        except PolicyError as exc:
            self._broken(exc)
        else:
            self._good(loaded.policy, digest)

    def _good(self, policy: Policy, digest: bytes) -> None:
        first, repaired = self._policy is None, bool(self._problems)
        if digest != self._good_digest:
            self._policy, self._good_digest = policy, digest
            self._loaded_at = self._clock.now()
        self._problems = ()
        if repaired or not first:
            self._say(
                self._event(
                    "policy.reload",
                    "ok",
                    "the files are valid again" if repaired else "the files have changed",
                    {
                        "groups": len(policy.groups),
                        "people": len(policy.users),
                        "exemptions": len(policy.exemptions),
                    },
                )
            )

    def _broken(self, error: PolicyError) -> None:
        if error.problems == self._problems:
            return
        self._problems = error.problems
        kept = (
            "the last good policy stays in force"
            if self._policy
            else "this process has read none before it, and allows nothing"
        )
        count = len(error.problems)
        _log.error("The policy is invalid; %s:\n%s", kept, error)
        self._say(
            self._event(
                "policy.invalid",
                "failed",
                f"{count} {'problem' if count == 1 else 'problems'}; {kept}",
                {"problems": [str(problem) for problem in error.problems[:20]]},
            )
        )

    def _event(self, action: str, outcome: str, reason: str, details: dict[str, object]) -> Event:
        return Event(
            ts=self._clock.now(),
            user=None,
            action=action,
            resource=str(self._path),
            actor=self._actor,
            interface="policy",
            outcome=outcome,
            reason=reason,
            details=details,
        )

    def _say(self, event: Event | None = None) -> None:
        """Write `event`, or the one that could not be written the last time."""
        event = event or self._unsaid
        if event is None:
            return
        try:
            self._events.append(event)
        except Unavailable:
            self._unsaid = event
            _log.exception("The audit log does not take %s yet", event.action)
        else:
            self._unsaid = None

    def _read_stamps(self) -> tuple[Stamp, ...] | None:
        """What identifies the files' content, or `None` when nothing cheap does."""
        stamps: list[Stamp] = []
        try:
            for file in _files(self._path):
                found = file.stat()
                age = self._wall_nanoseconds() - max(found.st_mtime_ns, found.st_ctime_ns)
                if age < _SETTLED_NANOSECONDS:
                    return None
                stamps.append(
                    (
                        str(file),
                        found.st_dev,
                        found.st_ino,
                        found.st_size,
                        found.st_mtime_ns,
                        found.st_ctime_ns,
                    )
                )
        except (OSError, PolicyError):
            return None
        return tuple(stamps)


class NoEvents:
    """The `EventLog` of who only looks: what is wrong with a file is the services' to write."""

    def append(self, event: Event) -> None:
        """Nothing."""


class PolicyForLooks(PolicyFiles):
    """The policy for who decides nothing: where there is no valid one, what is built in."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        super().__init__(directory, clock, NoEvents())

    def current(self) -> Policy:
        """The policy, or what is built in."""
        try:
            return super().current()
        except Unavailable:
            return load_policy("defaults: {}", "built in", (), None).policy


def _files(path: Path) -> list[Path]:
    folder = path.parent / GROUPS_FOLDER
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(SUFFIX))
    except FileNotFoundError:
        names = []
    except OSError as exc:
        raise unreadable(folder, exc) from exc
    exemptions = path.with_name(EXEMPTIONS_FILE)
    return [
        path,
        *([exemptions] if os.path.lexists(exemptions) else []),
        *(folder / name for name in names if not name.startswith(".")),
    ]
