"""`ds01 admin aliases`: the names that people know, as small scripts that call ds01."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from ds01_cli.frame import guide, printing, table
from ds01_cli.frame.table import Group
from ds01_spawner.client.whole_files import put_text
from ds01_spawner.domain.errors import Conflict, NotFound, Unavailable

MARK = "# Written by: ds01 admin aliases install"
_FAMILIES = ("container", "image", "project")
_FAMILIES_BY_HYPHEN = ("gpu",)
_ALONE = ("user-setup", "check-limits")
_FORMER = {
    "ds01-events": "events",
    "ds01-health-check": "health",
    "bare-metal-access": "admin bare-metal",
    "add-user": "admin user add",
    "remove-user": "admin user remove",
}
_EXECUTABLE = 0o755

Folder = Annotated[Path, typer.Argument(help="Such as /usr/local/bin.", show_default=False)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]


def install(folder: Folder, *, dry_run: DryRun = False) -> None:
    """Write the names that people know into a folder."""
    from ds01_cli.commands import PROGRAM  # noqa: PLC0415 - it names this command

    _check_folder(folder)
    wanted = aliases(PROGRAM)
    foreign = [name for name in wanted if _exists(folder / name) and not _is_ours(folder / name)]
    if foreign:
        raise Conflict(
            f"{folder} has something else called {', '.join(foreign)}. Nothing was written.",
            "Take another folder, or move that away.",
        )
    if not dry_run:
        guide.tell("write")
        _write_all({folder / name: script(words, program()) for name, words in wanted.items()})
    done = "would be written" if dry_run else "written"
    printing.say(f"{len(wanted)} names {done} to {folder}: {', '.join(wanted)}.")
    if str(folder.resolve()) not in os.environ.get("PATH", "").split(os.pathsep):
        printing.note(f"{folder} is not in PATH, so shells do not find them there.")


def remove(folder: Folder, *, dry_run: DryRun = False) -> None:
    """Remove what install wrote, and nothing else."""
    _check_folder(folder)
    ours = sorted(each.name for each in folder.iterdir() if _is_ours(each))
    if not dry_run:
        guide.tell("remove")
        for name in ours:
            try:
                (folder / name).unlink()
            except OSError as exc:
                raise _closed(folder / name, exc) from exc
    done = "would be removed" if dry_run else "removed"
    names = f": {', '.join(ours)}" if ours else ""
    printing.say(f"{len(ours)} names {done} from {folder}{names}.")


def aliases(program: Group) -> Mapping[str, str]:
    """What each name calls: `container-deploy` is `container deploy`."""
    found: dict[str, str] = {}
    for word in (*_FAMILIES, *_FAMILIES_BY_HYPHEN):
        group = program.entries.get(word)
        if not isinstance(group, Group) or not group.entries:
            continue
        if word in _FAMILIES:
            found[word] = word
        found |= {f"{word}-{name}": f"{word} {name}" for name in group.entries}
    found |= {name: name for name in _ALONE if name in program.entries}
    return found | {name: words for name, words in _FORMER.items() if _knows(program, words)}


def script(words: str, program: str) -> str:
    """A script that calls the program."""
    return f'#!/bin/sh\n{MARK}\nexec {program} {words} "$@"\n'


def program() -> str:
    """How this program is called, for a shell."""
    if (path := shutil.which("ds01")) is not None:
        return shlex.quote(str(Path(path).absolute()))
    return f"{shlex.quote(sys.executable)} -m ds01_cli.main"


def _knows(program: Group, words: str) -> bool:
    return table.found(words.split(), program) is not None


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise NotFound(f"There is no folder {folder}.", f"Make it: mkdir -p {folder}")


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _is_ours(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return MARK.encode() in file.read(len(MARK) + 20)
    except OSError:
        return False


def _write_all(scripts: Mapping[Path, str]) -> None:
    """Write all of them; what was not there before goes again when one cannot be."""
    fresh = [path for path in scripts if not _exists(path)]
    try:
        for path, text in scripts.items():
            _write(path, text)
    except (Unavailable, KeyboardInterrupt):
        for path in fresh:
            path.unlink(missing_ok=True)
        raise


def _write(path: Path, text: str) -> None:
    try:
        put_text(path, text, _EXECUTABLE)
    except OSError as exc:
        raise _closed(path, exc) from exc


def _closed(path: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{path} cannot be changed: {error.strerror}.", "Try it with sudo, or take another folder."
    )
