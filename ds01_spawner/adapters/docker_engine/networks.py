"""One bridge network for each person; see docs/decisions/002-one-network-per-person.md."""

import json
import time
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from ds01_spawner.adapters.docker_engine.connection import Call, Connection
from ds01_spawner.adapters.docker_engine.subnets import (
    choose_subnet,
    routed_subnets,
    subnets_of,
)
from ds01_spawner.domain.errors import Conflict, NotFound, Unavailable

_ROUTES = Path("/proc/net/route")
_POLL_SECONDS = 0.05


def ensure_network(
    connection: Connection,
    name: str,
    labels: Mapping[str, str],
    *,
    pool: IPv4Network,
    prefix: int,
) -> None:
    """Make the bridge network `name` unless it exists.

    Docker allows two networks of one name, and then no container can join by that name. So an
    address range is chosen by name (the second maker is refused it), and should there be two all
    the same, everybody keeps the oldest.

    Raises:
        Unavailable: The engine does not answer, or no address range is free.
    """
    until = time.monotonic() + connection.deadlines.network
    while True:
        networks = _list(connection)
        if any(network["Name"] == name for network in networks):
            return
        taken = subnets_of(networks) + routed_subnets(_ROUTES.read_text())
        subnet = choose_subnet(name, pool, prefix, taken)
        try:
            made = _create(connection, name, labels, subnet)
        except (Conflict, Unavailable) as exc:
            # Somebody makes this network, or one with these addresses, at this moment; the
            # engine lists it when it is done.
            if isinstance(exc, Unavailable) and "overlaps" not in exc.message:
                raise
            if time.monotonic() > until:
                raise Unavailable(f"The network {name} could not be made: {exc}") from exc
            time.sleep(_POLL_SECONDS)
        else:
            _keep_oldest(connection, name, made)
            return


def _list(connection: Connection) -> list[dict[str, Any]]:
    return list(connection.json(Call("GET", "/networks", "list networks")))


def _create(
    connection: Connection, name: str, labels: Mapping[str, str], subnet: IPv4Network
) -> str:
    body = {
        "Name": name,
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Labels": dict(labels),
        "IPAM": {"Driver": "default", "Config": [{"Subnet": str(subnet)}]},
    }
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
    query = {"filters": json.dumps({"name": [name]})}
    found = connection.json(Call("GET", "/networks", "list networks", query=query))
    same = [network for network in found if network["Name"] == name]
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
