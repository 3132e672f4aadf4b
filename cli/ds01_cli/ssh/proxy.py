"""`ds01 ssh-proxy`: between `ssh` and a container. It is started for every connection.

So it loads neither the frame of the other commands nor the typed client.
"""

import sys
from collections.abc import Sequence

from ds01_cli.ssh import by_socket
from ds01_cli.ssh.pump import pump
from ds01_spawner.client import places
from ds01_spawner.client.whole_files import put_text
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.recipes.ssh_config import container_of, known_hosts

USAGE = """\
Usage: ds01 ssh-proxy [--known-hosts FILE] NAME

  Connect standard input and output to the SSH server of a container. ssh does
  this for you: see ds01 ssh-config --info.

Options:
  --known-hosts FILE  Keep the key that the container must show in this file.
  --info              Everything about it, with examples.
  --concepts          What is behind it, and why.
  -h, --help          Show this message and exit."""
_USAGE_ERROR = 2


def main(arguments: Sequence[str]) -> int:
    """Carry one SSH connection; ssh starts it for you.

    Raises:
        DS01Error: There is no connection; says why.
    """
    asked = _read(arguments)
    if isinstance(asked, int):
        return asked
    name, file = asked
    place = places.find()
    if place.socket is not None:
        opened = by_socket.opened(place.socket, name)
    else:
        from ds01_cli.ssh import by_websocket  # noqa: PLC0415 - it loads TLS

        opened = by_websocket.opened(place, name)
    if file:
        _keep(file, known_hosts(opened.host_keys))
    if opened.started:
        print(f"ds01: {name} was stopped; it has been started.", file=sys.stderr)  # noqa: T201
    return pump(opened)


def _read(arguments: Sequence[str]) -> tuple[str, str | None] | int:
    """The container and the file, or the exit code where there is nothing to connect."""
    words, names = list(arguments), list[str]()
    file: str | None = None
    while words:
        word = words.pop(0)
        if word in {"-h", "--help"}:
            print(USAGE)  # noqa: T201 - the program's own output
            return 0
        if word in {"--info", "--concepts"}:
            from ds01_cli.frame import pages  # noqa: PLC0415 - only where it is read

            pages.show("ssh-proxy", word.removeprefix("--"))
            return 0
        if word == "--guided":
            continue
        if word == "--known-hosts" and words:
            file = words.pop(0)
        elif word.startswith("-"):
            names = []
            break
        else:
            names.append(container_of(word))
    if len(names) != 1 or not names[0]:
        print(USAGE, file=sys.stderr)  # noqa: T201 - the program's own output
        return _USAGE_ERROR
    return names[0], file


def _keep(file: str, text: str) -> None:
    """Let the file hold the text; `ssh` reads it when the container has shown its key."""
    try:
        with open(file, encoding="ascii") as kept:  # noqa: PTH123 - pathlib is not loaded
            if kept.read() == text:
                return
    except (OSError, ValueError):
        pass
    try:
        put_text(file, text)
    except OSError as exc:
        raise Unavailable(
            f"The key of the container cannot be kept in {file}: {exc.strerror}.",
            "Run again: ds01 ssh-config.",
        ) from exc
