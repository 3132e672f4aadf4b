"""What a client asks of a build, and what the engine's classic builder is told. Pure.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImageBuild
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ds01_spawner.adapters.docker_engine.figures import (
    cpu_figures,
    memory_figures,
    shm_figures,
)
from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.domain.labels import unreserved
from ds01_spawner.domain.limits import Limits, least
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.docker.dockerfile.plan import PLATFORM
from ds01_spawner.gateway.docker.not_offered import NO_BUILDKIT
from ds01_spawner.gateway.docker.options.limits import AskedLimits, asked_limits, check_limits
from ds01_spawner.gateway.docker.options.narrowing import memory_and_swap
from ds01_spawner.gateway.docker.options.network import extra_hosts
from ds01_spawner.gateway.docker.options.ulimits import asked_ulimits
from ds01_spawner.gateway.docker.reading.go_json import Fields, decoded
from ds01_spawner.gateway.docker.reading.image_names import own_reference
from ds01_spawner.gateway.docker.reading.listing_bounds import check_labels_fit
from ds01_spawner.gateway.docker.reading.parameters import is_on, whole_number
from ds01_spawner.gateway.wire.call import Query

_MOST = 64
_TARGET = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_LIMITS = {
    "memory": "Memory",
    "memswap": "MemorySwap",
    "cpuperiod": "CpuPeriod",
    "cpuquota": "CpuQuota",
    "cpushares": "CpuShares",
    "shmsize": "ShmSize",
    "cpusetcpus": "CpusetCpus",
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
    marks = {name: value or "" for name, value in _texts(first, "labels").items()}
    check_labels_fit(marks)
    asked: dict[str, Any] = {
        field_: whole_number(name, first.get(name, ""))
        for name, field_ in _LIMITS.items()
        if name != "cpusetcpus"
    }
    asked["CpusetCpus"] = first.get("cpusetcpus", "")
    hosts = list(query.get("extrahosts", ()))
    platform, target = first.get("platform", ""), first.get("target", "")
    if platform and not PLATFORM.fullmatch(platform):
        raise InvalidRequest(f"{shown(platform)} is not a platform such as linux/amd64.")
    if target and not _TARGET.fullmatch(target):
        raise InvalidRequest(f"{shown(target)} is not a stage's name.")
    return BuildOptions(
        tags=tuple(each for each in query.get("t", ())[:_MOST] if each),
        dockerfile=first.get("dockerfile", ""),
        target=target,
        build_args=_texts(first, "buildargs", nulls=True),
        labels=unreserved(marks),
        extra_hosts=tuple(extra_hosts(Fields({"ExtraHosts": hosts}))),
        cache_from=tuple(_list(first, "cachefrom")),
        no_cache=is_on(first.get("nocache", "")),
        pull=is_on(first.get("pull", "")),
        quiet=is_on(first.get("q", "")),
        platform=platform,
        network=_network(first.get("networkmode", "")),
        asked=asked_limits(Fields(asked)),
        ulimits=tuple(asked_ulimits(Fields({"Ulimits": _json(first, "ulimits")}))),
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


def names_of(options: BuildOptions, user: str) -> tuple[str, ...]:
    """The engine's references for the image, each once.

    Raises:
        InvalidRequest: A tag cannot be the person's.
    """
    return tuple(dict.fromkeys(own_reference(each, user) for each in options.tags))


def builder_query(options: BuildOptions, limits: Limits, site: BuildSite) -> dict[str, list[str]]:
    """The parameters for the engine: all that bounds a build is said, asked for or not.

    No names: the image gets them when it was looked at. And never `q`: what is not told cannot be
    followed.

    Raises:
        QuotaExceeded: More is asked for than the person may have.
    """
    check_limits(options.asked, limits)
    query = {
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
    if options.no_cache:
        query["nocache"] = ["1"]
    return {name: values for name, values in query.items() if values}


def _bounds(options: BuildOptions, limits: Limits) -> dict[str, list[str]]:
    asked = options.asked
    cpus = least(limits.max_cpus, limits.aggregate.cpus, asked.cpus)
    memory, swap = memory_and_swap(asked, limits.memory_bytes, limits.memory_swap_bytes)
    figures: dict[str, Any] = {
        name: asked.kept[name] for name in ("CpuShares", "CpusetCpus") if name in asked.kept
    }
    figures |= shm_figures(least(limits.shm_size_bytes, asked.shm_size_bytes), memory)
    if memory is not None:
        figures |= memory_figures(memory, swap)
    if cpus is not None:
        figures |= cpu_figures(cpus)
    return {name: [str(figures[field_])] for name, field_ in _LIMITS.items() if field_ in figures}


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
        if is_on(text) and text.lower() not in {"null", "[]", "default"}:
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
