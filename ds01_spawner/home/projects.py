"""Where projects are: each is a folder with a `pyproject.toml` that has a table `[tool.ds01]`."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ds01_spawner.domain.errors import DS01Error, InvalidRequest, NotFound
from ds01_spawner.domain.names import shown
from ds01_spawner.home import folders
from ds01_spawner.recipes.project import SETTINGS, Project, read_settings

_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Found:
    """A project and its folder.

    Attributes:
        folder: Where it is, without links.
        project: What its settings say; `None` where they cannot be read.
        problem: Why they cannot.
    """

    folder: Path
    project: Project | None
    problem: str = ""

    @property
    def shown(self) -> str:
        """Its folder, as a person would type it."""
        return shown_path(self.folder)


def shown_path(path: Path) -> str:
    """A path as a person would type it."""
    for home in (Path.home(), Path.home().resolve()):
        if path.is_relative_to(home):
            return f"~/{path.relative_to(home)}"
    return str(path)


def find(name: str | None) -> tuple[Path, Project]:
    """A project by its name or folder; without one, that of the folder in which one is.

    Raises:
        NotFound: There is none.
        InvalidRequest: Its settings cannot be read.
    """
    if name is None:
        folder = _around()
        if folder is None:
            raise NotFound(
                "You are not in a project's folder.",
                "Say which project: ds01 project list shows them.",
            )
    else:
        folder = Path(name).expanduser()
        if os.sep not in name and not _is_project(folder):
            folder = usual_folder() / name
        if not folder.is_dir():
            raise NotFound(
                f"There is no project {shown(name)}.",
                f"Begin it: ds01 project init {name}; ds01 project list shows those that are.",
            )
        folder = folders.resolved(folder)
    return folder, _read(folder)


def usual_folder() -> Path:
    """Where projects are made."""
    return folders.projects()


def every() -> Iterator[Found]:
    """The projects in the usual folder, by name."""
    usual = usual_folder()
    folders = sorted(usual.iterdir()) if usual.is_dir() else []
    yield from (_found(folder) for folder in folders if _is_project(folder))


def with_image(image: str, called: str | None = None) -> Path | None:
    """The folder of the project that an image is of, where one can be found.

    Args:
        image: What the image is called.
        called: What the project is called, where that is known.

    Raises:
        InvalidRequest: Several projects have such an image.
    """
    around = _around()
    matching = list(_matching(image))
    named = [each for each in matching if each.project and each.project.name == called]
    inside = [each for each in matching if each.folder == around]
    folders = dict.fromkeys(each.folder for each in named or inside or matching)
    if len(folders) > 1:
        listed = ", ".join(map(shown_path, folders))
        raise InvalidRequest(
            f"Several projects have an image called {image}: {listed}.",
            "Say which: --project FOLDER.",
        )
    return next(iter(folders), None)


def all_with_image(image: str) -> tuple[Path, ...]:
    """The folders of all projects that can be found that an image is of."""
    return tuple(dict.fromkeys(each.folder for each in _matching(image)))


def image_around() -> str | None:
    """What the image of the project is called in whose folder one is; `None` outside of any."""
    around = _around()
    found = None if around is None else _found(around).project
    return None if found is None else found.image_name


def image_of(folder: Path) -> str | None:
    """What the image of a folder's project is called; `None` where it is no project of ds01.

    Raises:
        InvalidRequest: Its settings cannot be read.
    """
    return _read(folder).image_name if _is_project(folder) else None


def _matching(image: str) -> Iterator[Found]:
    """Projects with such an image: the one in which one is, and those in the usual folder."""
    around = _around()
    first = [] if around is None else [_found(around)]
    for each in (*first, *every()):
        if each.project is not None and each.project.image_name == image:
            yield each


def _around() -> Path | None:
    """The project's folder in which one is."""
    cwd = folders.resolved(Path.cwd())
    return next((each for each in (cwd, *cwd.parents) if _is_project(each)), None)


def _found(folder: Path) -> Found:
    resolved = folders.resolved(folder)
    try:
        return Found(resolved, _read(resolved))
    except DS01Error as exc:
        return Found(resolved, None, exc.message)


def _is_project(folder: Path) -> bool:
    try:
        return (folder / SETTINGS).is_file() and "[tool.ds01" in _text(folder)
    except InvalidRequest:
        return True


def _read(folder: Path) -> Project:
    if not (folder / SETTINGS).is_file():
        raise InvalidRequest(
            f"{shown_path(folder)} has no {SETTINGS}: it is no project of ds01.",
            "Begin one: ds01 project init NAME.",
        )
    return read_settings(_text(folder), folder.name)


def _text(folder: Path) -> str:
    path = folder / SETTINGS
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InvalidRequest(f"{shown_path(path)} is larger than 1 MiB.", "Shorten it.")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidRequest(f"{shown_path(path)} cannot be read: {exc}.") from exc
