"""`ds01 port-forward`: ports of a container on this computer."""

import re
import socket
from typing import Annotated

import typer

from ds01_cli.frame import completing, guide, printing
from ds01_cli.ssh import running, setup

_PORTS = re.compile(r"^(?:(\d{1,5}):)?(\d{1,5})$")
_MOST = 65535


def port_forward(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Which container.",
            autocompletion=completing.running_containers,
        ),
    ],
    ports: Annotated[
        list[str],
        typer.Argument(metavar="PORTS", help="Its ports; HERE:THERE where they are to differ."),
    ],
) -> None:
    """Reach a port of a container from here.

    Only this computer reaches it. It lasts until you press Ctrl-C.
    """
    pairs = [_pair(text) for text in ports]
    host = running.host(name)
    setup.ready()  # before anything is said to work
    guide.tell("forward")
    options = ["-N", "-o", "ExitOnForwardFailure=yes"]
    for here, there in pairs:
        options += ["-L", f"127.0.0.1:{here}:localhost:{there}"]
        printing.say(f"http://localhost:{here} is port {there} of {name}.")
    printing.say("Press Ctrl-C to end it.")
    running.become("ssh", [*options, host])


def _pair(text: str) -> tuple[int, int]:
    found = _PORTS.match(text)
    numbers = [int(part) for part in found.groups() if part is not None] if found else []
    if not numbers or not all(0 < number <= _MOST for number in numbers):
        raise typer.BadParameter(f"{text} is no port. Try 6006, or 8080:6006.")
    here, there = numbers[0], numbers[-1]
    if not _is_free(here):
        raise typer.BadParameter(
            f"Port {here} of this computer is taken. Choose another: {here + 1}:{there}."
        )
    return here, there


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
