"""What a client asks of a build, and what the engine's classic builder is told. Pure.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImageBuild
"""

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.domain.labels import unreserved
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.docker.asked_limits import (
    AskedLimits,
    asked_limits,
    check_limits,
    swap_beside,
)
from ds01_spawner.gateway.docker.go_json import Fields, decoded
from ds01_spawner.gateway.docker.image_names import own_reference
from ds01_spawner.gateway.wire.call import Query

NO_BUILDKIT = (
    "BuildKit is off here: what it runs could not be kept within your limits.",
    "Set DOCKER_BUILDKIT=0, and use nothing in the Dockerfile that only BuildKit knows.",
)
_FALSE = frozenset({"", "0", "no", "false", "none"})
_MOST = 64
_MOST_FILE_DESCRIPTORS = 1024**2
_ULIMITS = frozenset(
    {"as", "core", "cpu", "data", "fsize", "locks", "memlock", "nofile", "nproc", "rss", "stack"}
)
_PLATFORM = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_.-]+){0,3}")
_TARGET = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
_CPU_PERIOD = 100_000
_UNBOUNDED_SHM = 1024**4
_LIMITS = {
    "memory": "Memory",
    "memswap": "MemorySwap",
    "cpuperiod": "CpuPeriod",
    "cpuquota": "CpuQuota",
    "cpushares": "CpuShares",
    "shmsize": "ShmSize",
}
_SWITCHED_OFF = {
    "squash": "--squash is an experiment of the engine's",
    "isolation": "--isolation is for Windows",
    "securityopt": "--security-opt would change what keeps a build in its bounds",
}


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What somebody wants built, and how; names are theirs.

    Attributes:
        tags: Names for the image.
        dockerfile: Path in the context; empty: the usual one.
        target: Stage to stop at; empty: the last.
        build_args: Values of `ARG`; `None` for one that is named only.
        labels: Labels for the image; the platform's are dropped.
        extra_hosts: Lines for /etc/hosts, `name:address`.
        cache_from: Images whose layers may be used again.
        no_cache: Whether nothing is used again.
        pull: Whether bases that may be fetched are fetched anew.
        quiet: Whether only the id is told.
        platform: Such as `linux/amd64`; empty: the server's.
        network: `default` or `none`.
        asked: Limits below the person's own.
        ulimits: In the engine's words.
    """

    tags: tuple[str, ...] = ()
    dockerfile: str = ""
    target: str = ""
    build_args: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    extra_hosts: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    no_cache: bool = False
    pull: bool = False
    quiet: bool = False
    platform: str = ""
    network: str = "default"
    asked: AskedLimits = field(default_factory=AskedLimits)
    ulimits: tuple[Mapping[str, Any], ...] = ()


def build_options(query: Query) -> BuildOptions:
    """The options in the parameters of `POST /build`.

    Raises:
        InvalidRequest: One cannot be understood.
        Forbidden: One is not for people.
    """
    first = {name: values[0] for name, values in query.items() if values}
    _check_closed(first)
    asked = {field_: _number(first, name) for name, field_ in _LIMITS.items()}
    asked_host = Fields({**asked, "CpusetCpus": first.get("cpusetcpus", "")})
    platform, target = first.get("platform", ""), first.get("target", "")
    if platform and not _PLATFORM.fullmatch(platform):
        raise InvalidRequest(f"{shown(platform)} is no platform such as linux/amd64.")
    if target and not _TARGET.fullmatch(target):
        raise InvalidRequest(f"{shown(target)} is no name of a stage.")
    return BuildOptions(
        tags=tuple(each for each in query.get("t", ())[:_MOST] if each),
        dockerfile=first.get("dockerfile", ""),
        target=target,
        build_args=_texts(first, "buildargs", nulls=True),
        labels=unreserved({name: value or "" for name, value in _texts(first, "labels").items()}),
        extra_hosts=_extra_hosts(query.get("extrahosts", ())),
        cache_from=tuple(_list(first, "cachefrom")),
        no_cache=_flag(first, "nocache"),
        pull=_flag(first, "pull"),
        quiet=_flag(first, "q"),
        platform=platform,
        network=_network(first.get("networkmode", "")),
        asked=asked_limits(asked_host),
        ulimits=_ulimits(first),
    )


@dataclass(frozen=True, slots=True)
class BuildSite:
    """Where a build runs.

    Attributes:
        user: Whose it is.
        cgroup_parent: In the engine's form.
        network: The engine's name of the network, or `none`.
        dockerfile: Name in the context that the engine is sent.
        cache_from: Ids of images.
    """

    user: str
    cgroup_parent: str
    network: str
    dockerfile: str
    cache_from: tuple[str, ...] = ()


def builder_query(options: BuildOptions, limits: Limits, site: BuildSite) -> dict[str, list[str]]:
    """The parameters for the engine: all that bounds a build is said, asked for or not.

    Raises:
        QuotaExceeded: More is asked for than the person may have.
        InvalidRequest: A tag cannot be the person's.
    """
    check_limits(options.asked, limits)
    query = {
        "t": [own_reference(each, site.user) for each in options.tags],
        "dockerfile": [site.dockerfile],
        "extrahosts": list(options.extra_hosts),
        "networkmode": [site.network],
        "cgroupparent": [site.cgroup_parent],
        "version": ["1"],
        "rm": ["1"],
        "forcerm": ["1"],
        **_bounds(options, limits),
    }
    # Whose the image is stands in its first layer: dockerfile_plan.
    for name, texts in (("labels", options.labels), ("buildargs", options.build_args)):
        if texts:
            query[name] = [json.dumps(dict(texts))]
    if options.ulimits:
        query["ulimits"] = [json.dumps([dict(each) for each in options.ulimits])]
    if site.cache_from:
        query["cachefrom"] = [json.dumps(list(site.cache_from))]
    for name, value in (("target", options.target), ("platform", options.platform)):
        if value:
            query[name] = [value]
    for name, on in (("nocache", options.no_cache), ("q", options.quiet)):
        if on:
            query[name] = ["1"]
    return {name: values for name, values in query.items() if values}


def _bounds(options: BuildOptions, limits: Limits) -> dict[str, list[str]]:
    asked = options.asked
    cpus = _least(_least(limits.max_cpus, limits.aggregate.cpus), asked.cpus)
    memory = _least(limits.memory_bytes, asked.memory_bytes)
    swap = _least(
        asked.memory_swap_bytes,
        swap_beside(_whole(memory), limits.memory_bytes, limits.memory_swap_bytes),
    )
    shm = _least(limits.shm_size_bytes, asked.shm_size_bytes)
    bounds: dict[str, float] = {"shmsize": shm or memory or _UNBOUNDED_SHM}
    if memory is not None:
        bounds["memory"] = memory
        bounds["memswap"] = -1 if swap is None else max(swap, memory)
    if cpus is not None:
        bounds["cpuperiod"] = _CPU_PERIOD
        bounds["cpuquota"] = max(1000, round(cpus * _CPU_PERIOD))
    if "CpuShares" in asked.kept:
        bounds["cpushares"] = asked.kept["CpuShares"]
    query = {name: [str(int(value))] for name, value in bounds.items()}
    if "CpusetCpus" in asked.kept:
        query["cpusetcpus"] = [asked.kept["CpusetCpus"]]
    return query


def _check_closed(first: Mapping[str, str]) -> None:
    if first.get("version", "1") not in {"", "1"} or first.get("session") or first.get("outputs"):
        raise Forbidden(*NO_BUILDKIT)
    if first.get("remote"):
        raise Forbidden(
            "A build from an address would be fetched by the server, not by you.",
            "Download it here, and build it here: git clone ADDRESS; docker build FOLDER.",
        )
    for name, reason in _SWITCHED_OFF.items():
        text = first.get(name, "")
        if text.lower() not in {*_FALSE, "null", "[]", "default"}:
            raise Forbidden(f"{reason}.", "Leave it out.")


def _network(text: str) -> str:
    if text in {"", "default", "bridge"}:
        return "default"
    if text == "none":
        return text
    raise Forbidden(
        f"--network {shown(text)} is not for builds: they have your own network, or none.",
        "Leave it out, or use --network none.",
    )


def _extra_hosts(entries: Sequence[str]) -> tuple[str, ...]:
    if len(entries) > _MOST:
        raise InvalidRequest(f"--add-host is given {len(entries)} times; {_MOST} are allowed.")
    for entry in entries:
        name, _, address = entry.partition(":")
        try:
            known = bool(_HOST.fullmatch(name)) and (
                address == "host-gateway" or bool(ipaddress.ip_address(address.strip("[]")))
            )
        except ValueError:
            known = False
        if not known or "%" in address:
            raise InvalidRequest(f"--add-host {shown(entry)} is no name:address.")
    return tuple(entries)


def _ulimits(first: Mapping[str, str]) -> tuple[Mapping[str, Any], ...]:
    found: list[Mapping[str, Any]] = []
    for entry in Fields({"Ulimits": _json(first, "ulimits")}).each("Ulimits"):
        name = entry.text("Name").lower()
        soft, hard = entry.number("Soft") or 0, entry.number("Hard") or 0
        entry.finish()
        if name not in _ULIMITS:
            raise InvalidRequest(f"--ulimit {shown(name)} cannot be set here.", "Leave it out.")
        most = _MOST_FILE_DESCRIPTORS
        if name == "nofile" and not 0 <= min(soft, hard) <= max(soft, hard) <= most:
            raise Forbidden(f"--ulimit nofile={soft}:{hard} is not possible.", f"At most {most}.")
        found.append({"Name": name, "Soft": soft, "Hard": hard})
    return tuple(found)


def _json(first: Mapping[str, str], name: str) -> Any:
    text = first.get(name, "").strip()
    return decoded(text.encode("utf-8", "surrogateescape")) if text else None


def _texts(first: Mapping[str, str], name: str, *, nulls: bool = False) -> dict[str, str | None]:
    value = _json(first, name) or {}
    good = isinstance(value, dict) and all(
        isinstance(each, str) or (nulls and each is None) for each in value.values()
    )
    if not good:
        raise InvalidRequest(f"{name} must be a JSON object of strings.")
    return dict(value)


def _list(first: Mapping[str, str], name: str) -> list[str]:
    value = _json(first, name) or []
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise InvalidRequest(f"{name} must be a JSON list of strings.")
    return value[:_MOST]


def _number(first: Mapping[str, str], name: str) -> int:
    text = first.get(name, "").strip() or "0"
    try:
        return int(text)
    except ValueError as exc:
        raise InvalidRequest(f"{name} must be a whole number; found {shown(text)}.") from exc


def _flag(first: Mapping[str, str], name: str) -> bool:
    return first.get(name, "").strip().lower() not in _FALSE


def _least(one: float | None, other: float | None) -> float | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
