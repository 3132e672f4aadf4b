"""An image that is built: what is asked for, how far it is, and why it failed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import DS01Error, InvalidRequest
from ds01_spawner.domain.wording import clean, size
from ds01_spawner.recipes.dockerfile_reading import step_of, steps
from ds01_spawner.recipes.failures import Explanation, explained

_STEP = re.compile(r"Step (?P<number>\d+)/(?P<of>\d+) : (?P<told>.*)")
_NEWS = ("Collecting ", "Downloading ", "Installing ", "Building wheel", "Get:", "Setting up ")
_KEPT_CHARACTERS = 400_000
_LONGEST_LINE = 200


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
    """

    name: str
    dockerfile: str
    files: dict[str, str]
    shown: str = "the Dockerfile"
    recipe: str | None = None
    fresh: bool = False

    def request(self) -> m.BuildRequest:
        """The same for the API.

        Raises:
            InvalidRequest: It is more than the API takes.
        """
        try:
            return m.BuildRequest(
                name=self.name,
                dockerfile=self.dockerfile,
                files=self.files,
                no_cache=self.fresh,
                pull=self.fresh,
                recipe=self.recipe,
            )
        except ValidationError as exc:
            what = exc.errors()[0]
            raise InvalidRequest(
                f"{self.shown} cannot be sent: {what['loc'][0]}: {what['msg']}.", "Shorten it."
            ) from exc


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


@dataclass(frozen=True, slots=True)
class Line:
    """One line that a builder told.

    Attributes:
        text: It, on one line of a terminal.
        is_step: Whether a step of the Dockerfile begins with it.
        is_news: Whether it says what is being done within one.
    """

    text: str
    is_step: bool = False
    is_news: bool = False


class Progress:
    """How far a build is, by its log.

    Args:
        dockerfile: What is built.

    Attributes:
        log: The end of what was told.
        number: The step that it is at, from 1; 0 before the first.
        of: How many there are.
        title: What it does, in words; empty where nothing says it.
    """

    def __init__(self, dockerfile: str) -> None:
        self._known = steps(dockerfile)
        self._rest = ""
        self.log = ""
        self.number = 0
        self.of = 0
        self.title = ""

    @property
    def words(self) -> str:
        """`Step 3 of 12: Jupyter`; empty before the first that has a title."""
        return f"Step {self.number} of {self.of}: {self.title}" if self.title else ""

    def take(self, text: str) -> Iterator[Line]:
        """More of the log; each whole line of it."""
        self.log = (self.log + text)[-_KEPT_CHARACTERS:]
        *whole, self._rest = (self._rest + text).split("\n")
        for each in whole:
            plain = clean(each.strip(), _LONGEST_LINE)
            match = _STEP.match(each)
            if match is None:
                yield Line(plain, is_news=plain.startswith(_NEWS))
                continue
            step = step_of(match["told"], self._known)
            if step is not None and step.title:
                self.number, self.of = int(match["number"]), int(match["of"])
                self.title = step.title
            yield Line(plain, is_step=True)


def failure(ended: m.Build, log: str, wanted: Wanted) -> BuildFailed:
    """Why a build was not done: where, why, and what to do.

    Args:
        ended: How it ended.
        log: What it told, at least the end of it.
        wanted: What was to be built.
    """
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


def said_sizes(ended: m.Build) -> str:
    """How large an image is now, was before, and may be; to stand behind what says it is ready."""
    if ended.size_bytes is None:
        return ""
    beside = [
        f"{word}: {size(figure)}"
        for word, figure in (("before", ended.previous_size_bytes), ("limit", ended.largest_bytes))
        if figure is not None
    ]
    return f", {size(ended.size_bytes)}" + (f" ({', '.join(beside)})" if beside else "")
