"""What people are told about their containers, in their words. Pure.

Somebody who came through the hub has a *server*; everybody else has a *container*.
"""

import hashlib
import shlex
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo

from ds01_spawner.domain.labels import Interface, format_timestamp
from ds01_spawner.domain.lifecycle import Countdown
from ds01_spawner.domain.names import DEFAULT_SERVER, SEPARATOR
from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.domain.storage import Folder, StorageUse
from ds01_spawner.domain.wording import clean, clock_time, length, size, span
from ds01_spawner.domain.work import Level, Rule

STOPS_IN = " stops in "
_ID_LENGTH = 32
_LONG = 300


@dataclass(frozen=True, slots=True)
class About:
    """The container that a notice is about.

    Attributes:
        user: Owner.
        container_id: Engine id.
        container_name: Engine name.
        name: What the owner calls it; may be anything.
        interface: The door it came through.
    """

    user: str
    container_id: str
    container_name: str
    name: str
    interface: Interface

    @property
    def is_server(self) -> bool:
        """Whether its owner knows it as a server of the hub."""
        return self.interface is Interface.HUB

    @property
    def phrase(self) -> str:
        """`your server`, `your server “thesis”`, `your container thesis-run`."""
        name = clean(self.name or self.container_name.partition(SEPARATOR)[0])
        if not self.is_server:
            return f"your container {name}"
        return "your server" if self.name in {"", DEFAULT_SERVER} else f"your server “{name}”"


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit as its administrator wrote it.

    Attributes:
        key: Dotted key, such as `idle_timeout` or `container_types.hub.idle_timeout`.
        value: Such as `2h`.
        origin: Where it is set, such as `group student, resource-limits.yaml line 31`.
    """

    key: str
    value: str
    origin: str

    @property
    def words(self) -> str:
        """`idle_timeout = 2h (group student, resource-limits.yaml line 31)`."""
        return f"{clean(self.key)} = {clean(self.value)} ({clean(self.origin, _LONG)})"

    def __str__(self) -> str:
        return f"Rule: {self.words}."

    def read_by(self, user: str) -> "Limit":
        """The same for a reader whose own entry in the policy is called theirs."""
        entry, comma, place = self.origin.partition(", ")
        if entry != f"user {user}":
            return self
        return replace(self, origin=f"your own entry{comma}{place}")


@dataclass(frozen=True, slots=True)
class Moment:
    """When somebody is told.

    Attributes:
        now: The moment.
        zone: Where its reader's clock hangs.
    """

    now: datetime
    zone: tzinfo

    def clock(self, moment: datetime) -> str:
        """A time as `clock_time` says it."""
        return clock_time(moment, self.now, self.zone)


def warning_notice(  # noqa: PLR0913 - the facts of one warning
    about: About,
    countdown: Countdown,
    level: Level,
    limit: Limit,
    moment: Moment,
    *,
    stops_at: datetime,
    keep_until: datetime | None = None,
    checkpoint_signal: str | None = None,
) -> Notice:
    """The notice that a container is going to be stopped.

    Args:
        about: Which container.
        countdown: Its way to the limit that will stop it.
        level: First or last warning.
        limit: That limit.
        moment: Now.
        stops_at: When the stop comes at the earliest.
        keep_until: Until when its owner may have it kept running; `None` where they may not.
        checkpoint_signal: The signal that its programs are sent with this warning, if any.
    """
    if countdown.rule is not Rule.IDLE:
        keep_until = None
    last = level is Level.FINAL
    left = stops_at - moment.now
    title = f"{_capital(about.phrase)}{STOPS_IN}{span(left)}, at {moment.clock(stops_at)}."
    saving = (
        f"Programs that handle {clean(checkpoint_signal)} are sent it now, so that they can save "
        "their work."
        if checkpoint_signal and last
        else ""
    )
    text = _paragraphs(
        _sentences(title, "This is the last warning." if last else ""),
        _sentences(reason(about, countdown, moment), _sooner(countdown)),
        _sentences(_advice(about, countdown, keep_until), saving),
        _keeping(about, keep_until, moment),
        _what_stays(about),
        str(limit.read_by(about.user)),
    )
    kind = NoticeKind.FINAL_WARNING if last else NoticeKind.FIRST_WARNING
    return _notice(
        about, kind, limit, moment, title, text, deadline=stops_at, keep_until=keep_until
    )


def stop_notice(about: About, rule: Rule, why: str, limit: Limit, moment: Moment) -> Notice:
    """The notice that a container has been stopped now.

    Args:
        about: Which container.
        rule: The limit that stopped it.
        why: What `reason` said when that was decided.
        limit: That limit.
        moment: Now.
    """
    title = f"{_capital(about.phrase)} was stopped at {moment.clock(moment.now)}."
    again = (
        "You can start it again on the hub's home page."
        if about.is_server
        else "You can start it again when you need it."
    )
    if rule is Rule.RUNTIME:
        again = f"{again} If you need longer, ask the administrator."
    text = _paragraphs(
        title, why, _sentences(_what_stayed(about), again), str(limit.read_by(about.user))
    )
    return _notice(about, NoticeKind.STOPPED, limit, moment, title, text)


def storage_notice(use: StorageUse, limit_bytes: int, limit: Limit, moment: Moment) -> Notice:
    """The notice that somebody's home fills up, or is full."""
    share = f"{size(use.size_bytes)} of {size(limit_bytes)}"
    full = use.size_bytes >= limit_bytes
    percent = use.size_bytes * 100 // max(limit_bytes, 1)
    title = (
        f"Your storage is full: {share} are in use."
        if full
        else f"Your storage fills up: {share} are in use ({percent} %)."
    )
    consequence = (
        "No new server or container starts until there is room. What runs goes on."
        if full
        else f"When {size(limit_bytes)} are reached, no new server or container starts."
    )
    text = _paragraphs(
        title,
        f"{consequence} Delete what you no longer need, or move it elsewhere.",
        _largest(use.largest),
        str(limit.read_by(use.user)),
    )
    about = About(use.user, "", "", "", Interface.UNKNOWN)
    return _notice(about, NoticeKind.STORAGE, limit, moment, title, text)


def stop_reason(about: About, countdown: Countdown, moment: Moment) -> str:
    """Why a limit stops a container now, in one or two sentences for its owner."""
    return _sentences(reason(about, countdown, moment, over=True), _sooner(countdown))


def reason(about: About, countdown: Countdown, moment: Moment, *, over: bool = False) -> str:
    """Why a limit stops a container, as a sentence for its owner.

    Args:
        about: Which container.
        countdown: Its way to that limit.
        moment: Now.
        over: Whether it has been stopped.
    """
    over = over or countdown.deadline <= moment.now
    end = moment.clock(countdown.deadline)
    ending = "ended" if over else "ends"
    if countdown.exemption is not None:
        return f"The exemption that it had {ending} at {end}."
    match countdown.rule:
        case Rule.IDLE if countdown.kept is not None:
            return f"You asked to keep it running without use, and that {ending} at {end}."
        case Rule.IDLE:
            return f"Nothing has run on it since {moment.clock(countdown.began_at)}."
        case Rule.RUNTIME:
            value = countdown.bound.value
            time = "Its time" if value is None else f"Its time of {length(value)}"
            began = f"it was first started at {moment.clock(countdown.began_at)}"
            return f"{time} is up{'' if over else ' then'}: {began}."
        case Rule.CONFLICT if about.is_server:
            return "Something else runs on its GPU and had it first."
        case Rule.CONFLICT:
            return "Two containers share its GPU, and the other had it first."


def _sooner(countdown: Countdown) -> str:
    return (
        "GPUs are in demand, so this comes sooner than usual."
        if countdown.high_demand and countdown.kept is None and countdown.exemption is None
        else ""
    )


def _advice(about: About, countdown: Countdown, keep_until: datetime | None) -> str:
    if countdown.rule is Rule.IDLE:
        use = "run a cell, or type in a terminal" if about.is_server else "run something in it"
        advice = f"Use it, and it goes on: {use}."
        if keep_until is None:
            return f"{advice} Without use it cannot be kept running any longer."
        return advice
    if countdown.rule is Rule.RUNTIME:
        return (
            "Save your work before then. It cannot be extended here: if you need longer, ask the "
            "administrator."
        )
    return "Save your work before then, and start again: you are given another GPU if one is free."


def _keeping(about: About, keep_until: datetime | None, moment: Moment) -> str:
    if keep_until is None:
        return ""
    ways = ["for everything that you run, type in a terminal: touch ~/.keep-alive"]
    if about.name and clean(about.name) == about.name and "/" not in about.name:
        file = f"~/.keep-alive.{shlex.quote(about.name)}"
        ways = [f"type in a terminal: touch {file}", *ways]
    if about.is_server:
        ways.insert(0, "press “Keep it running” in JupyterLab or on the hub's home page")
    return "\n".join(
        [
            f"To keep it running without using it, until {moment.clock(keep_until)} at most:",
            *(f"  - {way}" for way in ways),
        ]
    )


def _what_stays(about: About) -> str:
    if about.is_server:
        return (
            "When it stops, your home folder stays. What is in memory goes, and so does what you "
            "installed or saved outside your home folder."
        )
    return (
        "When it stops, your home folder stays. What is in memory goes at once, and files outside "
        "your home folder go when the container is removed later."
    )


def _what_stayed(about: About) -> str:
    if about.is_server:
        return (
            "Your home folder is as you left it. What was in memory is gone, and so is what you "
            "installed or saved outside your home folder."
        )
    return (
        "Your home folder is as you left it. What was in memory is gone, and files outside your "
        "home folder go when the container is removed."
    )


def _largest(folders: tuple[Folder, ...]) -> str:
    if not folders:
        return ""
    lines = [f"  {size(each.size_bytes):>8}  {clean(each.path)}" for each in folders]
    return "\n".join(["Your largest folders:", *lines])


def _notice(  # noqa: PLR0913, PLR0917 - the parts of one notice
    about: About,
    kind: NoticeKind,
    limit: Limit,
    moment: Moment,
    title: str,
    text: str,
    *,
    deadline: datetime | None = None,
    keep_until: datetime | None = None,
) -> Notice:
    facts = (about.user, about.container_id, kind, limit.key, format_timestamp(moment.now))
    return Notice(
        id=hashlib.sha256("\0".join(facts).encode(errors="replace")).hexdigest()[:_ID_LENGTH],
        user=about.user,
        kind=kind,
        created_at=moment.now,
        title=title,
        text=text,
        container_id=about.container_id,
        container_name=about.container_name,
        name=about.name,
        rule=clean(limit.key),
        value=clean(limit.value),
        origin=clean(limit.origin, _LONG),
        deadline=deadline,
        keep_until=keep_until,
    )


def _capital(phrase: str) -> str:
    return phrase[0].upper() + phrase[1:]


def _sentences(*sentences: str) -> str:
    return " ".join(each for each in sentences if each)


def _paragraphs(*paragraphs: str) -> str:
    return "\n\n".join(each for each in paragraphs if each)
