"""Files that list packages, beside a Dockerfile that reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ds01_spawner.domain.errors import InvalidRequest, NotFound
from ds01_spawner.home import folders
from ds01_spawner.home.image_places import Place
from ds01_spawner.recipes.requirements import as_text, listed

_FROM = "requirements.from-"


@dataclass(frozen=True, slots=True)
class Requirements:
    """What the build reads packages from.

    Attributes:
        names: Files beside the Dockerfile.
        written: Text of those that are not there yet, or are to be other than they are.
        notes: What was left out or is meant otherwise, in sentences.
    """

    names: tuple[str, ...] = ()
    written: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def requirements_of(place: Place, path: str | None) -> Requirements:
    """The files that a build reads packages from, for what a person gave.

    A `requirements.txt` of the folder is read as it is. Anything else is said anew in a file
    beside the Dockerfile, which is for the caller to write.

    Args:
        place: Where the Dockerfile is.
        path: What the person gave; `None` for nothing.

    Raises:
        NotFound: It is not there.
        InvalidRequest: It lists no packages that can be read.
    """
    if path is None:
        return Requirements()
    given = Path(path).expanduser()
    beside = place.folder / given
    source = beside if not given.exists() and beside.exists() else given
    found = listed(source.name, _read(source))
    inside = folders.resolved(source).parent == folders.resolved(place.folder)
    if inside and source.suffix == ".txt":
        for name in found.includes:
            listed(name, _read(place.folder / name))
        return Requirements((source.name, *found.includes), notes=found.notes)
    if found.includes:
        raise InvalidRequest(
            f"{source.name} includes {found.includes[0]}, which is not in the image's folder.",
            f"Put both into {place.folder}, and give --requirements {source.name}.",
        )
    name = f"{_FROM}{source.stem}.txt"
    return Requirements((name,), {name: as_text(found, source.name)}, found.notes)


def renewed(place: Place, names: tuple[str, ...]) -> Requirements:
    """The same files, with the text of those that were made from others, as these are now.

    Raises:
        InvalidRequest: One of those lists no packages that can be read.
    """
    written: dict[str, str] = {}
    notes: list[str] = []
    for name in names:
        stem = name.removeprefix(_FROM).removesuffix(".txt")
        if not name.startswith(_FROM):
            continue
        for suffix in (".yml", ".yaml", ".toml"):
            source = place.folder / f"{stem}{suffix}"
            if source.is_file():
                found = listed(source.name, _read(source))
                written[name] = as_text(found, source.name)
                notes += found.notes
                break
    return Requirements(names, written, tuple(notes))


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as exc:
        raise NotFound(f"There is no file {path}.", "Give its path, or leave it out.") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidRequest(f"{path} cannot be read: {exc}.") from exc
