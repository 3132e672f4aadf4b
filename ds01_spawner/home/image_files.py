"""What becomes of the files that an image was made of, when it is deleted."""

from dataclasses import dataclass
from pathlib import Path

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.home.image_places import Place, every_place_of
from ds01_spawner.home.projects import shown_path


@dataclass(frozen=True, slots=True)
class Files:
    """What becomes of the files that an image was made of.

    Attributes:
        removed: Those that went with it.
        left: Those that are still there.
    """

    removed: tuple[Path, ...]
    left: tuple[Path, ...]

    def sentences(self) -> list[str]:
        """The same for people."""
        told = []
        if self.removed:
            told.append(f"Deleted with it: {', '.join(map(shown_path, self.removed))}")
        if self.left:
            told.append(f"Still there: {', '.join(map(shown_path, self.left))}")
        return told


def forgotten(name: str, *, with_dockerfile: bool) -> Files:
    """What becomes of the files of an image that is deleted; those that go, go now.

    A Dockerfile in a project stays: it is the project's.

    Args:
        name: What the image was called.
        with_dockerfile: Whether the Dockerfile in a folder of its own goes.
    """
    removed: list[Path] = []
    left: list[Path] = []
    for place in _places(name):
        goes = with_dockerfile and place.project is None
        (removed if goes else left).extend(place.written())
        if goes:
            place.remove(each.name for each in place.written())
            left += sorted(place.folder.iterdir()) if place.folder.is_dir() else []
    return Files(tuple(removed), tuple(left))


def _places(name: str) -> tuple[Place, ...]:
    """Where its Dockerfiles are; what `docker` named in ways of its own has none."""
    try:
        return every_place_of(name)
    except InvalidRequest:
        return ()
