"""`ds01 container start`, `stop`, `restart`, `pause`, `unpause` and `remove`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.container import naming
from ds01_cli.container.naming import LIVE, STOPPED, Names
from ds01_cli.container.ways import gpu_words
from ds01_cli.frame import guide, printing, session, waiting
from ds01_cli.frame.flags import Json, User
from ds01_spawner.domain.errors import Conflict, DS01Error

if TYPE_CHECKING:
    from ds01_spawner.client import Client
    from ds01_spawner.client.models import Container, Removed

GRACE = "its programs get up to 60 s to end"
_NONE_RUNS = "None of your containers runs."
_NONE_STOPPED = "None of your containers is stopped."
_RUNNING = frozenset({"running"})


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of deed.

    Attributes:
        deed: Does it to the container of a name.
        told: What is said when it is done.
        states: Of containers that can be meant.
        none: What is said where there is none.
    """

    deed: "Callable[[Client, str], Container | Removed]"
    told: "Callable[[Container | Removed], str]"
    states: frozenset[str]
    none: str


def start(names: Names = None, *, user: User = None, as_json: Json = False) -> None:
    """Start a stopped container."""
    guide.tell("start")

    def deed(client: "Client", name: str) -> "Container":
        with waiting.status(f"Starting {name} …"):
            return client.start(name, user=user)

    def told(done: "Container | Removed") -> str:
        return f"{done.name} runs{gpu_words(done)}. Get in: ds01 container attach {done.name}"

    _each(names, _Kind(deed, told, STOPPED, _NONE_STOPPED), user, as_json=as_json)


def stop(names: Names = None, *, user: User = None, as_json: Json = False) -> None:
    """Stop a container; it can be started again for a while.

    Its programs get 60 seconds to end by themselves.
    """
    guide.tell("stop")

    def deed(client: "Client", name: str) -> "Container":
        with waiting.status(f"Stopping {name}: {GRACE} …"):
            return client.stop(name, user=user)

    def told(done: "Container | Removed") -> str:
        later = " ".join(getattr(done, "sentences", ()))
        return f"{done.name} is stopped. {later}".rstrip()

    _each(names, _Kind(deed, told, LIVE, _NONE_RUNS), user, as_json=as_json)


def restart(names: Names = None, *, user: User = None, as_json: Json = False) -> None:
    """Stop a container and start it again."""
    guide.tell("restart")

    def deed(client: "Client", name: str) -> "Container":
        with waiting.status(f"Restarting {name}: {GRACE} …"):
            return client.restart(name, user=user)

    def told(done: "Container | Removed") -> str:
        return f"{done.name} runs again{gpu_words(done)}."

    _each(names, _Kind(deed, told, LIVE, _NONE_RUNS), user, as_json=as_json)


def pause(names: Names = None, *, user: User = None, as_json: Json = False) -> None:
    """Hold every program of a container still.

    It keeps its memory and its GPU.
    """
    guide.tell("pause")

    def deed(client: "Client", name: str) -> "Container":
        return client.pause(name, user=user)

    def told(done: "Container | Removed") -> str:
        return (
            f"{done.name} is paused; it keeps its memory{_and_gpu(done)}."
            f" Let it go on: ds01 container unpause {done.name}"
        )

    _each(names, _Kind(deed, told, _RUNNING, _NONE_RUNS), user, as_json=as_json)


def unpause(names: Names = None, *, user: User = None, as_json: Json = False) -> None:
    """Let a paused container go on."""
    guide.tell("unpause")

    def deed(client: "Client", name: str) -> "Container":
        return client.unpause(name, user=user)

    def told(done: "Container | Removed") -> str:
        return f"{done.name} goes on."

    kind = _Kind(deed, told, frozenset({"paused"}), "None of your containers is paused.")
    _each(names, kind, user, as_json=as_json)


def remove(
    names: Names = None,
    *,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Stop it first, if it runs.")
    ] = False,
    user: User = None,
    as_json: Json = False,
) -> None:
    """Remove a stopped container.

    Your files and your images stay. For one that runs: ds01 container retire.
    """
    guide.tell("remove")

    def deed(client: "Client", name: str) -> "Removed":
        with waiting.status(f"Removing {name} …"):
            try:
                return client.remove(name, force=force, user=user)
            except Conflict as exc:
                if force:
                    raise
                raise Conflict(
                    exc.message,
                    f"Stop and remove it at once: ds01 container retire {name}",
                ) from exc

    def told(done: "Container | Removed") -> str:
        return f"{done.name} is removed. Your files stay."

    states = LIVE | STOPPED if force else STOPPED
    none = "You have no container." if force else _NONE_STOPPED
    _each(names, _Kind(deed, told, states, none), user, as_json=as_json)


def _each(names: Sequence[str] | None, kind: _Kind, user: str | None, *, as_json: bool) -> None:
    with session.connect() as client:
        chosen = naming.asked(client, names or (), kind.states, user=user, none=kind.none)
        each(client, chosen, kind.deed, kind.told, as_json=as_json)


def each(
    client: "Client",
    names: Sequence[str],
    deed: "Callable[[Client, str], Container | Removed | None]",
    told: "Callable[[Container | Removed], str]",
    *,
    as_json: bool,
) -> None:
    """Do it to one after the other, whatever becomes of those before; the first error counts.

    Args:
        client: Of the API.
        names: Of containers.
        deed: Does it to the container of a name; `None` where it was left as it is.
        told: What is said when it is done.
        as_json: Whether the answer is for programs.

    Raises:
        DS01Error: It could not be done to one of them, and was tried with all.
    """
    from ds01_spawner.client.problems import (  # noqa: PLC0415 - help does without pydantic
        NotTheApi,
        Unauthenticated,
        Unreachable,
    )

    done: list[Container | Removed] = []
    errors: list[DS01Error] = []
    for name in names:
        try:
            became = deed(client, name)
        except (Unauthenticated, Unreachable, NotTheApi):
            raise  # nor would it be done to the others
        except DS01Error as exc:
            errors.append(exc)
            continue
        if became is None:
            continue
        done.append(became)
        if not as_json:
            printing.say(told(became))
    if as_json and (done or len(names) > 1):
        printing.print_json(done[0] if len(names) == 1 else {"containers": done})
    for error in errors[1:]:
        printing.note(str(error))
    if errors:
        raise errors[0]


def _and_gpu(done: "Container | Removed") -> str:
    return " and its GPU" if getattr(done, "gpu_slots", ()) else ""
