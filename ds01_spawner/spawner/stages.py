"""The steps of a start as a page shows them: done, now, still to come. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ds01_spawner.domain.refusal_facts import KEY
from ds01_spawner.spawner.progress import ProgressEvent, Stage

WAITS = "Waiting for a GPU"

_TITLES = {
    Stage.LIMITS: "Checking your limits",
    Stage.IMAGE: "Fetching the image",
    Stage.QUEUE: WAITS,
    Stage.GPU: "Reserving a GPU",
    Stage.LINE: "Waiting for others to start",
    Stage.CREATE: "Creating your server",
    Stage.START: "Starting your server",
    Stage.ANSWER: "Waiting for JupyterLab to answer",
    Stage.READY: "Opening it",
}
_ONLY_IF_NEEDED = frozenset({Stage.IMAGE, Stage.QUEUE, Stage.LINE})


class LineState(StrEnum):
    """How far a step is."""

    DONE = "done"
    NOW = "now"
    TODO = "todo"


@dataclass(frozen=True, slots=True)
class StageLine:
    """One line of the list.

    Attributes:
        stage: Which.
        text: What it says.
        state: How far it is.
        hidden: Whether it is left out, because most starts have no such step.
    """

    stage: Stage
    text: str
    state: LineState
    hidden: bool


@dataclass(frozen=True, slots=True)
class Start:
    """A start at one moment.

    Attributes:
        lines: Every step that there may be, in order.
        percent: How far it is.
        place: In the GPU queue; 0 when it does not wait.
        length: How many compete there.
        reason: What it waits for.
        wait: How long that is likely to take; empty where nothing tells.
    """

    lines: tuple[StageLine, ...]
    percent: int = 0
    place: int = 0
    length: int = 0
    reason: str = ""
    wait: str = ""


def start_of(told: Sequence[ProgressEvent], *, wants_gpu: bool) -> Start:
    """What a page shows of a start.

    Args:
        told: What it said so far.
        wants_gpu: Whether it is one with a GPU.
    """
    told = [event for event in told if KEY not in event]  # the page has the hub's sentence
    texts = {event["step"]: _text(event) for event in told}
    order = list(Stage)
    last = told[-1] if told else None
    at = -1 if last is None else order.index(last["step"])
    lines = tuple(
        StageLine(
            stage,
            texts.get(stage, _TITLES[stage]),
            _state(number, at),
            hidden=stage not in texts
            and (stage in _ONLY_IF_NEEDED or (stage is Stage.GPU and not wants_gpu)),
        )
        for number, stage in enumerate(order)
    )
    if last is None:
        return Start(lines)
    return Start(
        lines,
        last["progress"],
        last.get("place", 0),
        last.get("length", 0),
        last.get("reason", ""),
        last.get("wait", ""),
    )


def _text(event: ProgressEvent) -> str:
    return WAITS if event.get("place") else event["message"]


def _state(number: int, at: int) -> LineState:
    if number == at:
        return LineState.NOW
    return LineState.DONE if number < at else LineState.TODO
