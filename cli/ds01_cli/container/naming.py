"""Which container is meant: as it was typed, or asked for, or the only one there is."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.frame import asking, completing
from ds01_cli.frame.asking import Choice
from ds01_spawner.client.words import state_words
from ds01_spawner.domain.errors import Forbidden, NotFound
from ds01_spawner.domain.names import SEPARATOR

if TYPE_CHECKING:
    from ds01_spawner.client import Client
    from ds01_spawner.client.models import Container

LIVE = frozenset({"running", "paused", "restarting"})
STOPPED = frozenset({"created", "exited", "dead"})

AnyName = Annotated[
    str | None,
    typer.Argument(
        help="Which container; without it, the only one you have.",
        autocompletion=completing.containers,
    ),
]
RunningName = Annotated[
    str | None,
    typer.Argument(
        help="Which container; without it, the only one that runs.",
        autocompletion=completing.running_containers,
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        help="Which containers; without any, you are asked.", autocompletion=completing.containers
    ),
]


def meant(name: str) -> str:
    """The name alone, of what somebody copied from elsewhere: `thesis` of `thesis._.ana`."""
    return name.partition(SEPARATOR)[0] or name


def asked(
    client: "Client",
    names: Sequence[str],
    states: Collection[str] = LIVE | STOPPED,
    *,
    user: str | None = None,
    none: str = "You have no container like that.",
) -> tuple[str, ...]:
    """What was typed, else the one that is chosen.

    Args:
        client: Knows what there is.
        names: As they were typed.
        states: Those that can be meant.
        user: Whose.
        none: What is said where there is none.

    Raises:
        NotFound: There is none.
        BadParameter: Nothing was typed, and there is nobody to ask.
    """
    if names:
        return tuple(dict.fromkeys(map(meant, names)))
    found = in_state(client, states, user, none)
    return (_chosen(found),)


def only(
    client: "Client",
    name: str | None,
    states: Collection[str] = LIVE,
    *,
    user: str | None = None,
    none: str = "None of your containers runs.",
) -> str:
    """What was typed, else the only one there is, else the one that is chosen.

    Raises:
        NotFound: There is none.
        BadParameter: There are several, and there is nobody to ask.
    """
    if name:
        return meant(name)
    found = in_state(client, states, user, none)
    if len(found) == 1:
        return found[0].name
    if not asking.can_ask():
        names = ", ".join(each.name for each in found)
        raise typer.BadParameter(f"You have several: {names}. Say which.", param_hint="NAME")
    return _chosen(found)


def in_state(
    client: "Client", states: Collection[str], user: str | None, none: str
) -> tuple["Container", ...]:
    """One's containers in any of these states.

    Raises:
        NotFound: There is none.
    """
    every = client.containers(user=user).containers
    found = tuple(each for each in every if each.state in states)
    if found:
        return found
    if every:
        raise NotFound(none, "ds01 container list shows those that you have.")
    raise NotFound(none, "Make one: ds01 container deploy")


def _chosen(found: Sequence["Container"]) -> str:
    options = [Choice(each.name, each.name, _hint(each)) for each in found]
    usual = found[0].name if len(found) == 1 else None
    return asking.choose("Which container?", options, "NAME", usual)


def _hint(container: "Container") -> str:
    gpu = f", GPU {', '.join(container.gpu_slots)}" if container.gpu_slots else ""
    return f"{state_words(container.state)}{gpu}"


def check_everybodys(client: "Client", *, everybody: bool) -> None:
    """Return to those who may look at everybody's; others would get their own without a word.

    Raises:
        Forbidden: It is somebody else.
    """
    from ds01_spawner.client.models import Role  # noqa: PLC0415 - help does without pydantic

    if everybody and client.me().role is Role.STUDENT:
        raise Forbidden(
            "Everybody's containers are for lab managers and administrators.",
            "For your own, leave out --all.",
        )
