"""The files of a new project: all of them are made, or none."""

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ds01_spawner.client.whole_files import put_text
from ds01_spawner.domain.errors import Conflict, Forbidden, Unavailable
from ds01_spawner.home.projects import shown_path
from ds01_spawner.recipes import devcontainer
from ds01_spawner.recipes.catalogue import Catalogue
from ds01_spawner.recipes.project import REQUIREMENTS, Project, files_of
from ds01_spawner.recipes.recipe import Recipe

_GIT_SECONDS = 30


def planned(
    project: Project, framework: str, catalogue: Catalogue, *, with_devcontainer: bool = False
) -> dict[str, str]:
    """Every file of a new project, by its path.

    Args:
        project: What it is.
        framework: Key of what its image is made of.
        catalogue: What there is to choose from.
        with_devcontainer: Whether it has settings for VS Code's Dev Containers.

    Raises:
        NotFound: The catalogue has not what was chosen.
    """
    recipe = Recipe(framework, project.kind, requirements=(REQUIREMENTS,))
    files = files_of(project, recipe, catalogue)
    if with_devcontainer:
        files[devcontainer.PATH] = devcontainer.devcontainer(project)
    return files


def check_free(folder: Path) -> None:
    """Return when a project can be made there.

    Raises:
        Conflict: Something is there already.
    """
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


def make(folder: Path, files: Mapping[str, str]) -> None:
    """Make all files, or none: they are written beside, and moved into place when all are there.

    Raises:
        Unavailable: They cannot be made.
    """
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


def make_repository(folder: Path) -> tuple[str, ...]:
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
