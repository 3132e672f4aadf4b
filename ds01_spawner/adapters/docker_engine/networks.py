"""One bridge network for each person; see docs/decisions/002-one-network-per-person.md."""

import json
import time
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from ds01_spawner.adapters.docker_engine.connection import Call, Connection
from ds01_spawner.adapters.docker_engine.subnets import (
    choose_subnet,
    routed_subnets,
    subnets_of,
)
from ds01_spawner.domain import labels as marks
from ds01_spawner.domain.errors import Conflict, NotFound, Unavailable
from ds01_spawner.domain.names import bridge_name
from ds01_spawner.ports.isolation import Bridge

BRIDGE_OPTION = "com.docker.network.bridge.name"
"""The engine's option for the name of a bridge's network interface."""

_ROUTES = Path("/proc/net/route")
_INTERFACES = Path("/sys/class/net")
_POLL_SECONDS = 0.05
_TAKEN = ("overlaps", "same bridge name")
"""What the engine says when somebody else makes a network with this range or interface."""


def free_bridge(network: str, instance: str, interfaces: Path = _INTERFACES) -> str:
    """A name for the interface of a network that is about to be made.

    An interface that outlived its network, as after a crash of the engine, is passed over: the
    engine would take it with its old address, and then refuse the network for good.
    """
    attempt = 0
    while (interfaces / (name := bridge_name(network, instance, attempt))).exists():
        attempt += 1
    return name


def free_subnet(
    name: str, networks: Iterable[dict[str, Any]], pool: IPv4Network, prefix: int
) -> IPv4Network:
    """An address range for the network `name` that neither engine nor host use.

    Args:
        name: The engine's name of it.
        networks: Every network, as the engine lists them.
        pool: Where ranges are taken from.
        prefix: Their size.

    Raises:
        Unavailable: None is free.
    """
    taken = subnets_of(networks) + routed_subnets(_ROUTES.read_text())
    return choose_subnet(name, pool, prefix, taken)


def ensure_network(
    connection: Connection,
    name: str,
    labels: Mapping[str, str],
    *,
    pool: IPv4Network,
    prefix: int,
) -> None:
    """Make the bridge network `name` unless it exists.

    With the label of an installation, its interface has a name that this installation's packet
    filter knows.

    Docker allows two networks of one name, and then no container can join by that name. So an
    address range is chosen by name (the second maker is refused it), and should there be two all
    the same, everybody keeps the oldest.

    Raises:
        Unavailable: The engine does not answer, or no address range is free.
    """
    until = time.monotonic() + connection.deadlines.network
    while True:
        if _named(connection, name):
            return
        subnet = free_subnet(name, _list(connection), pool, prefix)
        try:
            made = _create(connection, name, labels, subnet)
        except (Conflict, Unavailable) as exc:
            # Somebody makes this network, or one with these addresses, at this moment; the
            # engine lists it when it is done.
            if isinstance(exc, Unavailable) and not any(text in exc.message for text in _TAKEN):
                raise
            if time.monotonic() > until:
                raise Unavailable(f"The network {name} could not be made: {exc}") from exc
            time.sleep(_POLL_SECONDS)
        else:
            _keep_oldest(connection, name, made)
            return


def _list(connection: Connection) -> list[dict[str, Any]]:
    return list(connection.json(Call("GET", "/networks", "list networks")))


def _named(connection: Connection, name: str) -> list[dict[str, Any]]:
    """The networks of exactly this name; the engine looks closely at those alone."""
    query = {"filters": json.dumps({"name": [name]})}
    found = connection.json(Call("GET", "/networks", "list networks", query=query))
    return [network for network in found if network["Name"] == name]


def _create(
    connection: Connection, name: str, labels: Mapping[str, str], subnet: IPv4Network
) -> str:
    body: dict[str, Any] = {
        "Name": name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Labels": dict(labels),
        "IPAM": {
            "Driver": "default",
            # The gateway that the engine takes anyway; some clients read it from an inspection.
            "Config": [{"Subnet": str(subnet), "Gateway": str(subnet.network_address + 1)}],
        },
    }
    if instance := labels.get(marks.INSTANCE):
        body["Options"] = {BRIDGE_OPTION: free_bridge(name, instance)}
    call = Call(
        "POST",
        "/networks/create",
        f"create network {name}",
        kind="network",
        subject=name,
        body=body,
        seconds=connection.deadlines.network,
    )
    return str(connection.json(call)["Id"])


def _keep_oldest(connection: Connection, name: str, made: str) -> None:
    same = _named(connection, name)
    oldest = min(same, key=lambda network: (network["Created"], network["Id"]), default=None)
    if oldest is None or oldest["Id"] == made:
        return
    call = Call(
        "DELETE",
        f"/networks/{made}",
        f"remove the second network {name}",
        kind="network",
        subject=name,
        seconds=connection.deadlines.network,
    )
    try:
        connection.json(call)
    except NotFound:
        return


def list_bridges(connection: Connection) -> tuple[Bridge, ...]:
    """Every bridge network, with whose containers join it."""
    query: dict[str, str | int] = {"filters": json.dumps({"driver": ["bridge"]})}
    networks = connection.json(Call("GET", "/networks", "list networks", query=query))
    containers = connection.json(
        Call("GET", "/containers/json", "list containers", query={"all": 1})
    )
    joined: dict[str, set[str]] = {}
    for container in containers:
        instance = (container.get("Labels") or {}).get(marks.INSTANCE)
        known = (container.get("NetworkSettings") or {}).get("Networks") or {}
        for name, endpoint in known.items():
            if instance:
                # A container that never ran has the network's name alone.
                joined.setdefault(endpoint.get("NetworkID") or name, set()).add(instance)
    return tuple(_bridge(network, joined) for network in networks)


def _bridge(network: Mapping[str, Any], joined: Mapping[str, set[str]]) -> Bridge:
    name, full_id = network["Name"], network["Id"]
    return Bridge(
        network=name,
        interface=(network.get("Options") or {}).get(BRIDGE_OPTION) or f"br-{full_id[:12]}",
        labels=network.get("Labels") or {},
        instances=frozenset(joined.get(full_id, set()) | joined.get(name, set())),
    )
