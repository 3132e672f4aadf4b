"""What a client wants mounted: folders of the host, volumes, memory, and others' mounts."""

import posixpath
import re
from dataclasses import dataclass

from ds01_spawner.domain.bind import Bind, check_binds
from ds01_spawner.domain.closed_places import is_closed
from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.domain.labels import unreserved
from ds01_spawner.domain.names import check_docker_name, shown
from ds01_spawner.gateway.docker.options.forbidden_fields import LOCAL_VOLUMES
from ds01_spawner.gateway.docker.reading.go_json import Fields, is_empty

MOST_MOUNTS = 128
_IGNORED_OPTIONS = frozenset(
    {"rw", "z", "Z", "private", "rprivate", "consistent", "cached", "delegated", "default"}
)
_OWN_PROPAGATION = frozenset({"", "private", "rprivate"})
_TMPFS_WORDS = frozenset(
    {"ro", "rw", "exec", "noexec", "nosuid", "nodev", "noatime", "relatime", "mode", "size", "sync"}
    | {"async", "nr_blocks", "nr_inodes", "uid", "gid", "atime", "diratime", "nodiratime"}
)
_TMPFS_VALUE = re.compile(r"^[0-9]{1,19}[kKmMgG%]?\Z", re.ASCII)
_REFERENCE = re.compile(r"^/?[A-Za-z0-9][A-Za-z0-9_.-]{0,255}\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class AskedVolume:
    """A volume in a container.

    Attributes:
        name: What its owner calls it; `None` for one of the container's own, without a name.
        target: Absolute path inside.
        read_only: Whether the container may not write to it.
        no_copy: Whether a new one stays empty, without what the image has at `target`.
        labels: For a volume that is made with the container.
    """

    name: str | None
    target: str
    read_only: bool = False
    no_copy: bool = False
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AskedTmpfs:
    """A file system in memory.

    Attributes:
        target: Absolute path inside.
        options: As mount(8) takes them.
    """

    target: str
    options: str = ""


@dataclass(frozen=True, slots=True)
class AskedSource:
    """Another container whose mounts are wanted too.

    Attributes:
        container: Name or id, as the client said it.
        read_only: Whether they are wanted to read only.
    """

    container: str
    read_only: bool = False


_Mount = Bind | AskedVolume | AskedTmpfs


@dataclass(frozen=True, slots=True)
class AskedMounts:
    """Everything a client wants mounted.

    Attributes:
        binds: Folders and files of the host.
        volumes: Volumes.
        tmpfs: File systems in memory.
        sources: Containers whose mounts are wanted.
    """

    binds: tuple[Bind, ...] = ()
    volumes: tuple[AskedVolume, ...] = ()
    tmpfs: tuple[AskedTmpfs, ...] = ()
    sources: tuple[AskedSource, ...] = ()


def asked_mounts(config: Fields, host: Fields) -> AskedMounts:
    """What is to be mounted.

    Raises:
        Forbidden: Something that would reach beyond the container.
        InvalidRequest: Something that makes no sense.
    """
    found: list[_Mount] = [_from_text(text) for text in host.texts("Binds") or ()]
    found += [_from_fields(fields) for fields in host.each("Mounts")]
    found += [
        AskedTmpfs(checked_target(target), _tmpfs_options(options))
        for target, options in host.text_entries("Tmpfs").items()
    ]
    binds = tuple(each for each in found if isinstance(each, Bind))
    volumes = tuple(each for each in found if isinstance(each, AskedVolume))
    tmpfs = tuple(each for each in found if isinstance(each, AskedTmpfs))
    taken = {each.target for each in found}
    if len(taken) < len(found):
        raise InvalidRequest("Two things are to be mounted at one place.", "Mount one of them.")
    # As in Docker, what `-v /path` alone says gives way to anything named at that place.
    bare = [checked_target(target) for target in config.entries("Volumes")]
    volumes += tuple(AskedVolume(None, target) for target in bare if target not in taken)
    if len(binds) + len(volumes) + len(tmpfs) > MOST_MOUNTS:
        raise InvalidRequest(f"More than {MOST_MOUNTS} things are to be mounted.")
    check_binds(binds)
    sources = tuple(_source(text) for text in host.texts("VolumesFrom") or ())
    return AskedMounts(binds, volumes, tmpfs, sources)


def checked_target(target: str) -> str:
    """`target` without `..` and doubled slashes.

    Raises:
        InvalidRequest: It is not an absolute path, or `/`.
        Forbidden: It is the platform's or the kernel's.
    """
    if not target.startswith("/"):
        raise InvalidRequest(f"{shown(target)} is not an absolute path.", "Begin it with /.")
    plain = "/" + posixpath.normpath(target).lstrip("/")
    if plain == "/":
        raise InvalidRequest("Nothing can be mounted at / of a container.", "Choose a folder.")
    if is_closed(plain):
        raise Forbidden(
            f"Nothing can be mounted at {shown(plain)} of a container.", "Choose another folder."
        )
    return plain


def checked_reference(text: str) -> str:
    """A container's name or id, as far as it can be one.

    Raises:
        InvalidRequest: It cannot.
    """
    if not _REFERENCE.match(text):
        raise InvalidRequest(f"{shown(text)} cannot name a container.")
    return text.removeprefix("/")


def _from_text(text: str) -> Bind | AskedVolume:
    """`SOURCE:TARGET[:OPTIONS]`, as `docker run -v` says it."""
    parts = text.split(":")
    if len(parts) == 1:
        return AskedVolume(None, checked_target(text))
    if len(parts) > 3 or not all(parts):  # noqa: PLR2004 - the three parts
        raise InvalidRequest(
            f"The mount {shown(text)} cannot be read.", "Write it as SOURCE:TARGET[:ro]."
        )
    source, target, options = parts[0], checked_target(parts[1]), parts[2:]
    words = options[0].split(",") if options else []
    unknown = [word for word in words if word not in _IGNORED_OPTIONS | {"ro", "nocopy"}]
    if unknown:
        raise Forbidden(
            f"The mount option {shown(unknown[0])} is not available here.",
            "Use ro, rw or nocopy.",
        )
    read_only = "ro" in words
    if source.startswith("/"):
        return Bind(source, target, read_only=read_only, create_missing=True)
    return AskedVolume(_volume_name(source), target, read_only, "nocopy" in words)


def _from_fields(fields: Fields) -> _Mount:
    """An entry of `Mounts`, as `docker run --mount` says it."""
    kind = fields.text("Type")
    source, target = fields.text("Source"), checked_target(fields.text("Target"))
    read_only = bool(fields.flag("ReadOnly"))
    fields.drop("Consistency")
    bind, volume, tmpfs = (
        fields.inner(name) for name in ("BindOptions", "VolumeOptions", "TmpfsOptions")
    )
    mount: _Mount
    match kind:
        case "bind":
            mount = _bind(source, target, bind, read_only=read_only)
        case "volume":
            mount = _volume(source, target, volume, read_only=read_only)
        case "tmpfs":
            mount = AskedTmpfs(target, _tmpfs_from(tmpfs, read_only=read_only))
        case _:
            raise Forbidden(
                f"Mounts of type {shown(kind)} are not available here.",
                "Use bind, volume or tmpfs.",
            )
    for rest in (bind, volume, tmpfs, fields):
        rest.finish()
    return mount


def _bind(source: str, target: str, options: Fields, *, read_only: bool) -> Bind:
    if (propagation := options.text("Propagation")) not in _OWN_PROPAGATION:
        raise Forbidden(
            f"The bind propagation {shown(propagation)} would carry mounts to the server.",
            "Leave it out.",
        )
    create = bool(options.flag("CreateMountpoint"))
    # What lies mounted below a staged folder comes along read-only or not as it is there.
    options.drop("ReadOnlyNonRecursive")
    if options.flag("NonRecursive") or options.flag("ReadOnlyForceRecursive"):
        raise Forbidden("Binds are neither non-recursive nor forced here.", "Leave that out.")
    if not source.startswith("/"):
        raise InvalidRequest(f"{shown(source)} is not an absolute path.", "Begin it with /.")
    return Bind(source, target, read_only=read_only, create_missing=create)


def _volume(source: str, target: str, options: Fields, *, read_only: bool) -> AskedVolume:
    driver = options.inner("DriverConfig")
    if driver.text("Name") not in {"", "local"} or not is_empty(driver.take("Options")):
        # type=none,o=bind makes a volume of any folder of the server.
        raise Forbidden(
            LOCAL_VOLUMES,
            "Leave volume-driver and volume-opt out; mount a folder of yours with type=bind.",
        )
    driver.finish()
    if options.text("Subpath"):
        raise Forbidden("A part of a volume cannot be mounted here.", "Mount all of it.")
    kept = tuple(unreserved(options.text_entries("Labels")).items())
    name = _volume_name(source) if source else None
    return AskedVolume(name, target, read_only, bool(options.flag("NoCopy")), kept)


def _volume_name(text: str) -> str:
    if "/" in text or text.startswith((".", "~")):
        raise InvalidRequest(
            f"{shown(text)} is neither an absolute path nor a volume's name.",
            "Begin a path with /.",
        )
    return check_docker_name(text)


def _tmpfs_from(options: Fields, *, read_only: bool) -> str:
    words: list[str] = ["ro"] if read_only else []
    if size := options.number("SizeBytes"):
        words.append(f"size={size}")
    if mode := options.number("Mode"):
        words.append(f"mode={mode:o}")
    for pair in _list(options.take("Options")):
        words += ["=".join(str(part) for part in _list(pair))]
    return _tmpfs_options(",".join(words))


def _list(value: object) -> list[object]:
    if value is not None and not isinstance(value, list):
        raise InvalidRequest(f"{shown(value)} is not an option of a tmpfs.", "Use [[NAME, VALUE]].")
    return value or []


def _tmpfs_options(text: str) -> str:
    for word in filter(None, text.split(",")):
        name, has_value, value = word.partition("=")
        if name not in _TMPFS_WORDS or (has_value and not _TMPFS_VALUE.match(value)):
            raise Forbidden(
                f"The tmpfs option {shown(word)} is not available here.",
                "Use size, mode, uid, gid, ro or exec.",
            )
    return text


def _source(text: str) -> AskedSource:
    name, _, mode = text.partition(":")
    if mode not in {"", "ro", "rw", "z", "Z"}:
        raise InvalidRequest(f"{shown(text)} cannot be read.", "Write it as CONTAINER[:ro].")
    return AskedSource(checked_reference(name), mode == "ro")
