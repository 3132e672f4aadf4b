"""Where the Dockerfile of an image is: in a project, or in a folder of the image's own."""

import os
import shlex
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ds01_spawner.client.whole_files import put_text
from ds01_spawner.domain.errors import InvalidRequest, NotFound, Unavailable
from ds01_spawner.domain.names import shown
from ds01_spawner.home import folders
from ds01_spawner.home.projects import all_with_image, image_of, shown_path, with_image
from ds01_spawner.recipes.packages import image_name

DOCKERFILE = "Dockerfile"
_IMAGES = "ds01-images"


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a Dockerfile, or for one.

    Attributes:
        folder: Where it is.
        project: Of which project; `None` for a folder of the image's own.
    """

    folder: Path
    project: str | None = None

    @property
    def dockerfile(self) -> Path:
        """The Dockerfile."""
        return self.folder / DOCKERFILE

    @property
    def shown(self) -> str:
        """The Dockerfile, as a person would type it."""
        return shown_path(self.dockerfile)

    @property
    def flag(self) -> str:
        """` --project NAME`, to stand after an image's name; empty where it is in no project."""
        if self.project is None:
            return ""
        usual = self.folder == (folders.projects() / self.project).resolve()
        return f" --project {shlex.quote(self.project if usual else str(self.folder))}"

    def read(self, name: str = DOCKERFILE) -> str | None:
        """The text of a file in it; `None` where there is none.

        Raises:
            InvalidRequest: It cannot be read.
        """
        try:
            return (self.folder / name).read_text("utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as exc:
            raise InvalidRequest(f"{self.folder / name} cannot be read: {exc}.") from exc

    def write(self, text: str, name: str = DOCKERFILE) -> None:
        """Put a file in its place, whole or not at all.

        Raises:
            Unavailable: It cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            put_text(self.folder / name, text)
        except OSError as exc:
            with suppress(OSError):
                self.remove([])
            raise Unavailable(
                f"{self.folder / name} cannot be written: {exc.strerror}.",
                "Make room or choose another folder.",
            ) from exc

    def remove(self, names: Iterable[str]) -> None:
        """Take files away, and the image's own folder when nothing else is in it."""
        for name in names:
            (self.folder / name).unlink(missing_ok=True)
        if self.project is None and self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def written(self) -> tuple[Path, ...]:
        """What was written for the image: its Dockerfile, and what was read from other files."""
        made = sorted(self.folder.glob("requirements.from-*.txt"))
        return (*([self.dockerfile] if self.dockerfile.is_file() else []), *made)


def place_of(name: str, project: str | None) -> Place:
    """Where the Dockerfile of an image is.

    Args:
        name: What the image is called.
        project: A project's name, or its folder; `None`: in a folder of the image's own.

    Raises:
        NotFound: There is no such project.
    """
    if project is None:
        return Place(Path.home() / _IMAGES / image_name(name))
    folder = Path(project).expanduser()
    if not folder.is_dir() and os.sep not in project:
        folder = folders.projects() / project
    if not folder.is_dir():
        raise NotFound(
            f"There is no project {shown(project)}.",
            f"Begin one: ds01 project init {project}; or give its folder.",
        )
    resolved = folders.resolved(folder)
    return Place(resolved, resolved.name)


def place_of_image(name: str, project: str | None, called: str | None = None) -> Place:
    """Where the Dockerfile of an image is that there is already.

    Args:
        name: What the image is called.
        project: A project's name, or its folder, as a person said it.
        called: The project of a container that was made of it.

    Raises:
        NotFound: There is no such project.
        InvalidRequest: It may be one of several.
    """
    if project is None and (folder := with_image(image_name(name), called)) is not None:
        return Place(folder, folder.name)
    return place_of(name, project)


def every_place_of(name: str) -> tuple[Place, ...]:
    """Everywhere that a Dockerfile of an image is: in a folder of its own, and in projects."""
    found = [place_of(name, None), *(Place(each, each.name) for each in all_with_image(name))]
    return tuple(each for each in found if each.dockerfile.is_file())


def name_for(name: str | None, project: str | None) -> str | None:
    """What an image is called: as was said, else as its project; `None` where nothing says it.

    Raises:
        InvalidRequest: It cannot be called so.
        NotFound: There is no such project.
    """
    if name is not None:
        return image_name(name)
    if project is None:
        return None
    place = place_of("", project)
    try:
        return image_name(image_of(place.folder) or place.folder.name.lower().replace(" ", "-"))
    except InvalidRequest as exc:
        next_step = exc.next_step or f"Say what to call it, first: NAME{place.flag}."
        raise InvalidRequest(exc.message, next_step) from exc
