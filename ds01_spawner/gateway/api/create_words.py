"""What is said of containers on their way, in the words of who asks through the API. Pure."""

from ds01_spawner.domain.errors import Conflict, DS01Error, NoCapacity
from ds01_spawner.domain.labels import Interface
from ds01_spawner.gateway.api.ask import Ask
from ds01_spawner.gateway.docker.create.asks import NameTaken

_CLI = "ds01-cli"


def interface_of(ask: Ask) -> Interface:
    """The door: the command line says that it is one."""
    return Interface.CLI if ask.agent.startswith(_CLI) else Interface.API


def in_own_words(error: DS01Error, ask: Ask) -> DS01Error:
    """The same error, for somebody who has no Docker client before them."""
    if isinstance(error, NameTaken):
        return Conflict(
            "You have a container of that name already.",
            "Choose another name, or retire that one first.",
        )
    if isinstance(error, NoCapacity):
        return NoCapacity(error.message, _instead(error, ask), place=error.place)
    return error


def _instead(error: NoCapacity, ask: Ask) -> str:
    is_cli = interface_of(ask) is Interface.CLI
    wait, size = ("--wait 15m", "--gpu") if is_cli else ("`wait`", "`gpu`")
    if error.place:
        return (
            f"You would be number {error.place} in the queue: wait for your turn ({wait}), or ask "
            f"for another size ({size})."
        )
    return f"Wait longer ({wait.replace('15m', '4h')}), or ask for another size ({size})."
