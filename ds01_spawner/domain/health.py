"""How a part of the platform is: what a look at it found, and what to do. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


NOT_INSTALLED = "It is not installed"
"""How the verdict on a part begins that a lab may do without: it neither works nor fails."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a look found.

    Attributes:
        level: How bad it is.
        what: In a sentence.
        next_step: What to do about it; empty where nothing is to be done.
    """

    level: Level
    what: str
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """A check that was made.

    Attributes:
        name: Of which part.
        verdict: What it found.
        seconds: How long it took.
    """

    name: str
    verdict: Verdict
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DiskFacts:
    """A file system.

    Attributes:
        free_bytes: What who is not root may still write.
        size_bytes: All of it.
        free_inodes: Files that may still be made.
        inodes: All of them; 0 where there is no such bound.
        read_only: Whether nothing can be written.
        device: Names the file system.
    """

    free_bytes: int
    size_bytes: int
    free_inodes: int
    inodes: int
    read_only: bool = False
    device: int = 0


@dataclass(frozen=True, slots=True)
class FileFacts:
    """Whose a file is, and who may open it.

    Attributes:
        mode: Permission bits.
        uid: Owner.
        size_bytes: How much is in it.
        modified_at: When it was last written; of a socket, when it was made.
    """

    mode: int
    uid: int
    size_bytes: int = 0
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """A service as systemd knows it.

    Attributes:
        active: `active`, `inactive`, `failed`, …
        enabled: Whether it begins with the machine; `None` where systemd does not say.
    """

    active: str
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a web address answers.

    Attributes:
        status: HTTP status.
        certificate_ends: When its certificate does; `None` without one.
    """

    status: int
    certificate_ends: datetime | None = None


def good(what: str) -> Verdict:
    """All is well."""
    return Verdict(Level.OK, what)


def doubtful(what: str, next_step: str = "") -> Verdict:
    """It works, and somebody should look."""
    return Verdict(Level.WARN, what, next_step)


def bad(what: str, next_step: str = "") -> Verdict:
    """It does not work, or is not safe."""
    return Verdict(Level.FAIL, what, next_step)


def worst(verdicts: Iterable[Verdict], otherwise: Verdict) -> Verdict:
    """One verdict of several: everything that is not well, the worst first."""
    ranks = list(Level)
    found = sorted(
        (each for each in verdicts if each.level is not Level.OK),
        key=lambda each: -ranks.index(each.level),
    )
    if not found:
        return otherwise
    steps = dict.fromkeys(each.next_step for each in found if each.next_step)
    return Verdict(found[0].level, " ".join(each.what for each in found), " ".join(steps))
