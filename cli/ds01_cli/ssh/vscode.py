"""`ds01 vscode`: opens a container in an editor."""

import shutil
import subprocess
from enum import StrEnum
from typing import Annotated
from urllib.parse import quote

import typer

from ds01_cli.frame import completing, guide, printing, session
from ds01_cli.ssh import running, setup
from ds01_spawner.domain.errors import Conflict, InvalidRequest
from ds01_spawner.recipes.ssh_config import editor_link


class Editor(StrEnum):
    """Programs that speak VS Code's Remote-SSH."""

    CODE = "code"
    CURSOR = "cursor"


_SCHEMES = {Editor.CODE: "vscode", Editor.CURSOR: "cursor"}


def vscode(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Which container; without it, the only one that runs.",
            autocompletion=completing.containers,
        ),
    ] = None,
    path: Annotated[
        str | None, typer.Argument(metavar="FOLDER", help="A folder in it; without it, your home.")
    ] = None,
    *,
    editor: Annotated[Editor, typer.Option(help="Which editor.")] = Editor.CODE,
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the address; open nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Open a container in VS Code or Cursor."""
    guide.tell("find")
    host = running.host(name)
    with session.connect() as client:
        where = setup.ready(client)
        home = client.ssh().home
    folder = path or home
    if not folder.startswith("/"):
        raise InvalidRequest(f"{folder} is no folder of the container.", "Begin it with a slash.")
    remote = f"vscode-remote://ssh-remote+{host}{quote(folder)}"
    link = editor_link(host, folder, _SCHEMES[editor])
    if as_json:
        printing.print_json({"host": host, "path": folder, "remote": remote, "link": link})
        return
    if only_print:
        printing.say(link)
        return
    if not setup.is_included(where):
        raise Conflict("Your editor does not know your containers yet.", "Run: ds01 ssh-config")
    guide.tell("open")
    program = shutil.which(editor.value)
    if program is None:
        printing.say(
            f"{editor.value} is not on this computer's PATH. Open this address in a browser"
            " on the computer with your editor:",
            link,
        )
        return
    code = subprocess.run([program, "--folder-uri", remote], check=False).returncode  # noqa: S603 - what was asked for
    if code:
        raise typer.Exit(code)
    printing.say(f"{host} opens in {editor.value}, in {folder}.")
