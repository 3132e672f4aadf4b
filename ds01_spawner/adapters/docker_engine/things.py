"""What people have in the engine beside containers: volumes, images, networks."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from ds01_spawner.adapters.docker_engine.connection import Call, Connection
from ds01_spawner.domain.errors import NotFound
from ds01_spawner.domain.labels import IMAGE_OWNER, USER
from ds01_spawner.domain.names import SEPARATOR, home_volume, network_name, user_slug
from ds01_spawner.domain.people import Thing, ThingKind

_PATHS = {
    ThingKind.VOLUME: "/volumes/",
    ThingKind.IMAGE: "/images/",
    ThingKind.NETWORK: "/networks/",
}
_UNNAMED = "<none>:<none>"


def things_of(connection: Connection, user: str) -> tuple[Thing, ...]:
    """Volumes, images and networks that are one person's."""
    volumes = connection.json(Call("GET", "/volumes", "list volumes")).get("Volumes") or ()
    networks = connection.json(Call("GET", "/networks", "list networks"))
    images = connection.json(Call("GET", "/images/json", "list images"))
    return (
        *(Thing(ThingKind.VOLUME, each["Name"]) for each in volumes if _is_own(each, user)),
        *(Thing(ThingKind.IMAGE, name) for each in images for name in _own_names(each, user)),
        *(Thing(ThingKind.NETWORK, each["Name"]) for each in networks if _is_own(each, user)),
    )


def remove_thing(connection: Connection, thing: Thing) -> None:
    """Remove one; one that is gone is removed."""
    name = quote(thing.name, safe="/:@")
    path = f"{_PATHS[thing.kind]}{name}"
    seconds = connection.deadlines.remove
    try:
        connection.json(
            Call("DELETE", path, f"remove {thing.name}", subject=thing.name, seconds=seconds)
        )
    except NotFound:
        return


def _is_own(thing: Mapping[str, Any], user: str) -> bool:
    name, marks = str(thing["Name"]), thing.get("Labels") or {}
    if USER in marks:
        return bool(marks[USER] == user)
    own = {home_volume(user), network_name(user)}
    return name in own or name.endswith(f"{SEPARATOR}{user_slug(user)}")


def _own_names(image: Mapping[str, Any], user: str) -> Iterator[str]:
    """What the person calls an image; its id where nobody calls it anything."""
    slug = user_slug(user)
    names = [each for each in image.get("RepoTags") or () if each != _UNNAMED]
    own = [each for each in names if each.startswith(f"ds01-{slug}/")]
    if own:
        yield from own
    elif not names and (image.get("Labels") or {}).get(IMAGE_OWNER) == slug:
        yield str(image["Id"])
