"""From a grant and what a Docker client asked for to the container that is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ds01_spawner.domain.container import ContainerSpec, Mount
from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.domain.grant import NOTICES
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.gateway.docker.options.container import AskedContainer
from ds01_spawner.gateway.docker.options.gpu import environment_within
from ds01_spawner.gateway.docker.options.narrowing import narrowed
from ds01_spawner.gateway.docker.options.network import NONE, endpoint_settings
from ds01_spawner.gateway.docker.options.ports import port_bindings
from ds01_spawner.gateway.docker.options.process import check_restart_policy, log_config

HOMELESS = "/tmp"  # noqa: S108 - a folder of the container's own
"""Where somebody lives in a container without their home; as the image's `/` nothing could be kept
there, and programs keep their caches and marks at home."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the engine and the host say about the things that were asked for.

    Attributes:
        mounts: Binds as they are staged, volumes by the engine's names, other containers' mounts.
        network: The engine's name or id of the first network, `none`, or `container:ID`; empty for
            the person's own.
        links: `ID:ALIAS`, with full ids, of the containers that are linked on it.
        working_dir: Where its process begins; empty for `/`.
        has_home: Whether the image says where its user lives.
        exposed: Ports that the image exposes, as `80/tcp`; for `docker run -P`.
        marks: The platform's labels beside those of the grant, such as `ds01.binds`.
    """

    mounts: tuple[Mount, ...] = ()
    network: str = ""
    links: tuple[str, ...] = ()
    working_dir: str = ""
    has_home: bool = False
    exposed: tuple[str, ...] = ()
    marks: Mapping[str, str] = field(default_factory=dict)


def dressed(
    spec: ContainerSpec,
    asked: AskedContainer,
    limits: Limits,
    account: UnixAccount,
    found: Found,
) -> ContainerSpec:
    """The container: the grant's bounds, and within them what was asked for.

    No home is mounted unless it was asked for; the notices stay.

    Args:
        spec: What was granted.
        asked: What the client asked for.
        limits: The limits of the grant.
        account: The person.
        found: What was found of the things asked for.

    Raises:
        QuotaExceeded: The person's limits have become less than what was asked for.
        Forbidden: Folders of the host, for an image's own user.
        Unavailable: The policy for image users changed since the request was read.
    """
    user = asked.user
    if user.is_image_user != limits.allow_image_user:
        raise Unavailable("Your limits changed just now.", "Try again.")
    has_binds = any(mount.kind == "bind" for mount in found.mounts)
    if user.is_image_user and has_binds:
        raise Forbidden(
            "No folder of the server can be mounted into a container that runs as its image's "
            "user.",
            "Use a volume.",
        )
    if has_binds:
        check_restart_policy(asked.wishes.get("HostConfig", {}))
    notices = tuple(mount for mount in spec.mounts if mount.target == NOTICES)
    network = found.network or spec.network
    bounded = narrowed(spec, asked.limits, limits)
    return replace(
        bounded,
        labels={**asked.labels.kept, **spec.labels, **found.marks},
        user=user.user,
        group_add=_groups(spec, asked, has_binds=has_binds),
        cap_drop=("ALL",),
        cap_add=user.capabilities,
        environment=_environment(spec, asked, account, found),
        command=None,
        working_dir=None,
        hostname=None,
        mounts=(*found.mounts, *notices),
        network=network,
        use_init=bool(asked.wishes.get("HostConfig", {}).get("Init")),
        wishes=_wishes(spec, asked, found, network),
    )


def _groups(spec: ContainerSpec, asked: AskedContainer, *, has_binds: bool) -> tuple[int, ...]:
    """An image's user has what was asked for; the person has theirs with folders of the host.

    Without such folders groups are of no use, and the engine copies files in as root (`archive`):
    /etc/group, too, where it looks groups up by name at each `docker exec`.
    """
    if asked.user.is_image_user:
        return asked.user.groups
    return spec.group_add if has_binds else ()


def _environment(
    spec: ContainerSpec, asked: AskedContainer, account: UnixAccount, found: Found
) -> dict[str, str]:
    """The platform's variables; of who one is and where one lives, the client may say otherwise."""
    said = {entry.partition("=")[0] for entry in asked.wishes.get("Env", ())}
    dropped = said & {"HOME", "USER"}
    environment = dict(spec.environment)
    if account.home not in {mount.target for mount in found.mounts}:
        environment["HOME"] = HOMELESS
        if found.has_home:
            dropped.add("HOME")
    if asked.user.is_image_user:
        dropped |= {"HOME", "USER"}
    return {name: value for name, value in environment.items() if name not in dropped}


def _wishes(
    spec: ContainerSpec, asked: AskedContainer, found: Found, network: str
) -> dict[str, Any]:
    wishes = dict(asked.wishes)
    if environment := wishes.get("Env"):
        wishes["Env"] = list(environment_within(environment, len(spec.gpu_uuids))[0])
    host = {**wishes.get("HostConfig", {}), **asked.limits.kept, **asked.network.kept}
    host["LogConfig"] = log_config(host.get("LogConfig"), spec.log_max_bytes)
    if asked.mounts.tmpfs:
        host["Tmpfs"] = {each.target: each.options for each in asked.mounts.tmpfs}
    exposed = (*found.exposed, *wishes.get("ExposedPorts", ())) if asked.network.publish_all else ()
    if ports := port_bindings(asked.network.ports, exposed):
        host["PortBindings"] = ports
        wishes["ExposedPorts"] = {**wishes.get("ExposedPorts", {}), **{name: {} for name in ports}}
    wishes["HostConfig"] = host
    if network != NONE and asked.network.container is None:
        settings = endpoint_settings(asked.network.first, spec.labels.get("ds01.name"), found.links)
        wishes["NetworkingConfig"] = {"EndpointsConfig": {network: settings}}
    return wishes
