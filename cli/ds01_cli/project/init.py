"""`ds01 project init`: a folder with everything that a project begins with."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from ds01_cli.frame import asking, guide, printing, session
from ds01_cli.frame.asking import Choice
from ds01_cli.frame.flags import Json
from ds01_cli.image.choosing import catalogue_of
from ds01_cli.project.folders import shown_path, usual_folder
from ds01_spawner.client.whole_files import put_text
from ds01_spawner.domain.errors import Conflict, Forbidden, InvalidRequest, Unavailable
from ds01_spawner.recipes import devcontainer
from ds01_spawner.recipes.catalogue import NO_USE_CASE, Catalogue, Framework
from ds01_spawner.recipes.project import REQUIREMENTS, Project, files_of, project_name
from ds01_spawner.recipes.recipe import Recipe

_GIT_SECONDS = 30


def init(  # noqa: PLR0913 - the flags of the command
    *,
    name: Annotated[
        str | None, typer.Argument(help="What to call it, such as leaf-segmentation.")
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option("--type", help="cv, nlp, rl, ts, llm, audio, ml or custom."),
    ] = None,
    framework: Annotated[
        str | None, typer.Option(help="pytorch, tensorflow, jax, cpu, …; the usual one without it.")
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE", help="mig, full, a size such as 2g.10gb, at least 20gb, or none."
        ),
    ] = None,
    description: Annotated[
        str, typer.Option(metavar="TEXT", help="What it is about, in one line.")
    ] = "",
    quick: Annotated[
        bool, typer.Option("--quick", help="Ask nothing: what is not said is as usual.")
    ] = False,
    git: Annotated[bool, typer.Option("--git/--no-git", help="Make it a git repository.")] = True,
    with_devcontainer: Annotated[
        bool, typer.Option("--devcontainer", help="With settings for VS Code's Dev Containers.")
    ] = False,
    inside: Annotated[
        Path | None,
        typer.Option(
            "--in", metavar="FOLDER", help="Make it in this folder; without it, in ~/projects."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only list what would be made.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Begin a project: its folders, its Dockerfile, and a git repository."""
    guide.tell("name")
    called = project_name(name) if name else asking.text("Name of the project", "NAME", check=_name)
    folder = (inside.expanduser() if inside else usual_folder()) / called
    _check_free(folder)
    if is_root():
        check_roots(folder.parent)
    asks = not quick and asking.can_ask()
    with session.connect() as client:
        catalogue = catalogue_of(client.image_options())
    chosen = _kind(kind, catalogue, asks=asks)
    base = _framework(framework, catalogue, asks=asks and kind is None)
    size = gpu if gpu is not None else ("" if base.gpu else "none")
    project = Project(called, chosen, size, description=description)
    files = files_of(project, Recipe(base.key, chosen, requirements=(REQUIREMENTS,)), catalogue)
    if with_devcontainer:
        files[devcontainer.PATH] = devcontainer.devcontainer(project)
    if not dry_run:
        guide.tell("files")
        _make(folder, files)
    notes = () if dry_run or not git else _repository(folder)
    if as_json:
        told = {"name": called, "folder": str(folder), "type": chosen, "framework": base.key}
        printing.print_json({**told, "files": sorted(files), "made": not dry_run})
        return
    printing.note(*notes)
    if dry_run:
        printing.say(f"{shown_path(folder)} would have:", *(f"  {path}" for path in sorted(files)))
        return
    printing.say(
        f"The project {called} is in {shown_path(folder)}.",
        "Put packages that it needs into requirements.txt, data into data/raw.",
        f"Then build its image and begin: ds01 project launch {called} --open",
    )


def _kind(said: str | None, catalogue: Catalogue, *, asks: bool) -> str:
    guide.tell("type")
    if said is not None:
        return catalogue.use_case(said).key
    if not asks:
        return NO_USE_CASE
    options = [
        Choice(each.key, each.key, f"{each.title}. {each.description}")
        for each in catalogue.use_cases
    ]
    return asking.choose("What is it about", options, "--type", NO_USE_CASE)


def _framework(said: str | None, catalogue: Catalogue, *, asks: bool) -> Framework:
    guide.tell("framework")
    if said is not None:
        return catalogue.framework(said)
    usual = catalogue.frameworks[0]
    if not asks:
        return usual
    options = [
        Choice(each.key, each.key, f"{each.title}. {each.description}".strip())
        for each in catalogue.frameworks
    ]
    return catalogue.framework(asking.choose("Framework", options, "--framework", usual.key))


def _name(text: str) -> str:
    try:
        checked = project_name(text)
        _check_free(usual_folder() / checked)
    except (InvalidRequest, Conflict) as exc:
        raise ValueError(str(exc)) from exc
    return checked


def _check_free(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and (folder.is_file() or any(folder.iterdir()))):
        raise Conflict(
            f"{shown_path(folder)} is there already, and nothing in it was changed.",
            "Choose another name, or work on it: ds01 project launch.",
        )


def is_root() -> bool:
    """Whether root asks: what others prepare in their folders must not lead root elsewhere."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def check_roots(folder: Path) -> None:
    """Let root work only where nobody else can change what is on the way.

    Raises:
        Forbidden: The folder, or one above it, is somebody's, or others may write to it.
    """
    resolved = folder.resolve()
    for each in (resolved, *resolved.parents):
        try:
            found = each.stat()
        except FileNotFoundError:
            continue
        if found.st_uid != 0:
            raise Forbidden(
                f"root makes no project in {folder}: {each} belongs to the user {found.st_uid}.",
                f"Make it as them: sudo -u '#{found.st_uid}' ds01 project init …",
            )
        writers = stat.S_IWOTH | (stat.S_IWGRP if found.st_gid != 0 else 0)
        if found.st_mode & writers and not found.st_mode & stat.S_ISVTX:
            raise Forbidden(
                f"root makes no project in {folder}: others may write to {each}.",
                "Make it as the person whose it is to be, or choose another folder: --in FOLDER.",
            )


def _make(folder: Path, files: Mapping[str, str]) -> None:
    """Make all files, or none: they are written beside, and moved into place when all are there."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as exc:
        raise _unwritable(folder, exc) from exc
    try:
        for path, text in files.items():
            place = draft / path
            place.parent.mkdir(parents=True, exist_ok=True)
            put_text(place, text)
        draft.chmod(0o777 & ~_umask())
        draft.rename(folder)  # over an empty folder, or over nothing
    except OSError as exc:
        raise _unwritable(folder, exc) from exc
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _unwritable(folder: Path, error: OSError) -> Unavailable:
    return Unavailable(
        f"{shown_path(folder)} cannot be made: {error.strerror}.",
        "Nothing was made. Look at your room with ds01 check-limits, or choose another folder:"
        " --in FOLDER.",
    )


def _repository(folder: Path) -> tuple[str, ...]:
    """Make it a git repository; what went wrong, as sentences."""
    git = shutil.which("git")
    if git is None:
        return ("git is not installed here, so there is no repository yet.",)
    try:
        subprocess.run(  # noqa: S603 - git, with words of ours
            [git, "init", "--quiet", "--initial-branch=main", "."],
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=_GIT_SECONDS,
            text=True,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        said = (getattr(exc, "stderr", "") or str(exc)).strip().splitlines()
        return (f"git did not make a repository: {said[-1] if said else exc}.",)
    return ()
