"""A build, begun, followed and explained; cancelled when its person goes."""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from ds01_cli.frame import printing, waiting
from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import DS01Error, Unavailable
from ds01_spawner.domain.wording import clean, size
from ds01_spawner.recipes.dockerfile_reading import step_of, steps
from ds01_spawner.recipes.failures import Explanation, explained

_STEP = re.compile(r"Step (?P<number>\d+)/(?P<of>\d+) : (?P<told>.*)")
_NEWS = ("Collecting ", "Downloading ", "Installing ", "Building wheel", "Get:", "Setting up ")
_KEPT_CHARACTERS = 400_000
_WIDEST = 60
_RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be built.

    Attributes:
        name: Of the image.
        dockerfile: Its text.
        files: What it copies.
        shown: Where the Dockerfile is, for messages.
        recipe: What it was made of; `None` where nothing says it.
        fresh: Whether everything is fetched anew.
        verbose: Whether all that the builder tells is printed.
    """

    name: str
    dockerfile: str
    files: dict[str, str]
    shown: str
    recipe: str | None = None
    fresh: bool = False
    verbose: bool = False


class BuildFailed(DS01Error):
    """An image that was not made.

    Attributes:
        build: How it ended.
        explanation: Why.
    """

    def __init__(self, message: str, build: m.Build, explanation: Explanation) -> None:
        super().__init__(message, explanation.fix)
        self.build = build
        self.explanation = explanation


def build(client: Client, wanted: Wanted) -> m.Build:
    """The build, done. Ctrl-C cancels it, and waits until it is.

    Raises:
        BuildFailed: It failed; says where, why, and what to do.
        KeyboardInterrupt: It was cancelled.
    """
    request = m.BuildRequest(
        name=wanted.name,
        dockerfile=wanted.dockerfile,
        files=wanted.files,
        no_cache=wanted.fresh,
        pull=wanted.fresh,
        recipe=wanted.recipe,
    )
    key = uuid.uuid4().hex
    try:
        begun = client.build(request, key=key)
        ended, log = _followed(client, begun, wanted)
    except KeyboardInterrupt:
        # The same key names the build that was begun, whether or not its answer was read.
        printing.console(stderr=True).print(_cancelled(client, request, key))
        raise
    if ended.state == "done":
        return ended
    raise _failed(ended, log, wanted)


def _cancelled(client: Client, request: m.BuildRequest, key: str) -> str:
    """What is said when the build has been cancelled, or could not be."""
    try:
        with waiting.status("Cancelling the build"):
            client.cancel_build(client.build(request, key=key).id)
    except DS01Error as exc:
        return f"note: The build may go on: {exc}"
    return "Cancelled: nothing was built."


def said_sizes(ended: m.Build) -> str:
    """How large an image is now, was before, and may be."""
    if ended.size_bytes is None:
        return ""
    beside = [
        f"{word}: {size(figure)}"
        for word, figure in (("before", ended.previous_size_bytes), ("limit", ended.largest_bytes))
        if figure is not None
    ]
    return f", {size(ended.size_bytes)}" + (f" ({', '.join(beside)})" if beside else "")


def _followed(client: Client, begun: m.Build, wanted: Wanted) -> tuple[m.Build, str]:
    log, line = "", ""
    ended = begun
    with waiting.status(f"Building {wanted.name}") as status:
        tell = _teller(wanted, status)
        for news in client.follow_build(begun.id):
            if isinstance(news, m.Build):
                ended = news
                continue
            log = (log + news.text)[-_KEPT_CHARACTERS:]
            *whole, line = (line + news.text).split("\n")
            for each in whole:
                tell(each)
    if ended.state == _RUNNING:
        raise Unavailable(
            "The gateway broke off before the build had ended.",
            "See whether the image is there: ds01 image list",
        )
    return ended, log


def _teller(wanted: Wanted, status: waiting.Status) -> Callable[[str], None]:
    known = steps(wanted.dockerfile)
    out = printing.console(stderr=True)
    where = ""

    def tell(line: str) -> None:
        nonlocal where
        plain = clean(line.strip(), 200)
        if wanted.verbose and plain:
            out.print(plain)
        if match := _STEP.match(line):
            step = step_of(match["told"], known)
            if step is not None and step.title:
                where = f"Step {match['number']} of {match['of']}: {step.title}"
                status.update(where)
        elif out.is_terminal and plain.startswith(_NEWS):
            status.update(f"{where} · {clean(plain, _WIDEST)}")

    return tell


def _failed(ended: m.Build, log: str, wanted: Wanted) -> BuildFailed:
    if ended.state == "cancelled":
        nothing = Explanation("Somebody cancelled the build.", "Build it again when you like.")
        return BuildFailed(nothing.what, ended, nothing)
    why = explained(log, wanted.dockerfile, ended.failure)
    line = why.line or ended.failed_line
    place = f" Line {line} of {wanted.shown}" if line else ""
    if place:
        text = wanted.dockerfile.splitlines()[line - 1].strip().rstrip("\\ ") if line else ""
        place += f" ({why.step}): {clean(text)}." if why.step else f": {clean(text)}."
    return BuildFailed(f"{wanted.name} was not built. {why.what}{place}", ended, why)
