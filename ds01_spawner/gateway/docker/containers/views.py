"""Containers as their owner sees them: their own names instead of the engine's. Pure.

What is not mentioned here is shown as the engine says it.
"""

from collections.abc import Mapping
from typing import Any

from ds01_spawner.domain import labels, names
from ds01_spawner.domain.bind import BindSet, binds_of, staged_bind
from ds01_spawner.domain.names import SEPARATOR
from ds01_spawner.gateway.docker.reading.image_names import shown_image
from ds01_spawner.gateway.docker.reading.names import own_name


def listed_view(entry: Mapping[str, Any], user: str) -> dict[str, Any]:
    """One entry of `GET /containers/json`."""
    wanted = binds_of(entry.get("Labels") or {})
    seen = dict(entry)
    seen["Names"] = [_name(name, user) for name in entry.get("Names") or ()]
    seen["Image"] = _image(_named(entry.get("Image"), entry.get("Labels")), user)
    if entry.get("Mounts"):
        seen["Mounts"] = [_mount(mount, wanted, user) for mount in entry["Mounts"]]
    if entry.get("HostConfig"):
        seen["HostConfig"] = {**entry["HostConfig"], **_network_mode(entry["HostConfig"], user)}
    if entry.get("NetworkSettings"):
        seen["NetworkSettings"] = _network_settings(entry["NetworkSettings"], user)
    return seen


def inspected_view(inspected: Mapping[str, Any], user: str) -> dict[str, Any]:
    """`GET /containers/{id}/json`."""
    config = inspected.get("Config") or {}
    wanted = binds_of(config.get("Labels") or {})
    seen = dict(inspected)
    seen["Name"] = _name(str(inspected.get("Name") or ""), user)
    image = _named(config.get("Image"), config.get("Labels"))
    seen["Config"] = {**config, "Image": _image(image, user)}
    seen["HostConfig"] = _host_config(inspected.get("HostConfig") or {}, wanted, user)
    seen["Mounts"] = [_mount(mount, wanted, user) for mount in inspected.get("Mounts") or ()]
    if inspected.get("NetworkSettings"):
        seen["NetworkSettings"] = _network_settings(inspected["NetworkSettings"], user)
    return seen


def in_own_words(message: str, inspected: Mapping[str, Any], ref: str, user: str) -> str:
    """What the engine says of a container, about what its owner calls `ref`."""
    engine = str(inspected.get("Name") or "").removeprefix("/")
    text = message.replace(str(inspected.get("Id") or "\0"), ref.removeprefix("/"))
    if engine:
        text = text.replace(engine, own_name(engine, user))
    return without_owner(text, user)


def without_owner(message: str, user: str) -> str:
    """A message of the engine's without this person's ending of names."""
    return message.replace(f"{SEPARATOR}{names.user_slug(user)}", "")


def _named(image: Any, marks: Mapping[str, str] | None) -> Any:
    """What an image was called when a container was made of it by its id."""
    is_id = isinstance(image, str) and image.startswith("sha256:")
    return (marks or {}).get(labels.IMAGE, image) if is_id else image


def _name(name: str, user: str) -> str:
    """`/web`; or `/web/db`, as a link calls a container."""
    return "/".join([own_name(part, user) for part in name.split("/")])


def _image(reference: Any, user: str) -> Any:
    if not isinstance(reference, str):
        return reference
    return shown_image(reference, user)


def _network_mode(host: Mapping[str, Any], user: str) -> dict[str, Any]:
    mode = host.get("NetworkMode")
    return {"NetworkMode": own_name(mode, user)} if isinstance(mode, str) else {}


def _network_settings(settings: Mapping[str, Any], user: str) -> dict[str, Any]:
    networks = settings.get("Networks") or {}
    seen = {own_name(name, user): _endpoint(each, user) for name, each in networks.items()}
    return {**settings, "Networks": seen}


def _endpoint(endpoint: Any, user: str) -> Any:
    if not isinstance(endpoint, Mapping):
        return endpoint
    lists = {
        key: [own_name(str(name), user) for name in endpoint[key]]
        for key in ("Aliases", "DNSNames")
        if endpoint.get(key)
    }
    return {**endpoint, **lists}


def _host_config(host: Mapping[str, Any], wanted: BindSet | None, user: str) -> dict[str, Any]:
    seen = {**host, **_network_mode(host, user)}
    if host.get("Binds"):
        seen["Binds"] = [_bind(text, wanted, user) for text in host["Binds"]]
    if host.get("Mounts"):
        seen["Mounts"] = [_mount(mount, wanted, user) for mount in host["Mounts"]]
    if host.get("VolumesFrom"):
        seen["VolumesFrom"] = [
            ":".join([own_name(part, user) for part in text.split(":")])
            for text in host["VolumesFrom"]
        ]
    if host.get("Links"):
        seen["Links"] = [
            ":".join([_name(part, user) for part in text.split(":")]) for text in host["Links"]
        ]
    return seen


def _bind(text: str, wanted: BindSet | None, user: str) -> str:
    source, colon, rest = text.partition(":")
    return f"{_source(source, wanted, user)}{colon}{rest}"


def _mount(mount: Mapping[str, Any], wanted: BindSet | None, user: str) -> dict[str, Any]:
    seen = dict(mount)
    if isinstance(mount.get("Name"), str):
        seen["Name"] = own_name(mount["Name"], user)
    if isinstance(mount.get("Source"), str):
        seen["Source"] = _source(mount["Source"], wanted, user)
        bind = staged_bind(wanted, mount["Source"])
        if bind is not None and bind.read_only:  # the stage is, and the engine does not know it
            seen |= {"RW": False} if "RW" in mount else {"ReadOnly": True}
    return seen


def _source(source: str, wanted: BindSet | None, user: str) -> str:
    """The owner's path for a staged one; a volume's name, also within its host path."""
    bind = staged_bind(wanted, source)
    if bind is not None:
        return bind.source
    return "/".join([own_name(part, user) for part in source.split("/")])
