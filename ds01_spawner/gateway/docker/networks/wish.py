"""What a Docker client asks of a network: read field by field, and said anew. Pure.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Network/operation/NetworkCreate
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import Any

from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Conflict, Forbidden, InvalidRequest
from ds01_spawner.domain.names import check_docker_name, network_name, shown
from ds01_spawner.gateway.docker.reading.go_json import Fields
from ds01_spawner.gateway.docker.reading.listing_bounds import check_labels_fit
from ds01_spawner.gateway.docker.reading.names import engine_name

_PREDEFINED = frozenset({"bridge", "default", "host", "none", "nat", "ingress"})
_SMALLEST = 30
_MTU = range(576, 9217)
_BRIDGE = "com.docker.network.bridge."
_TRUTHS = frozenset({"true", "True", "1", "t", "T", "TRUE"})
_BOOLEANS = _TRUTHS | {"false", "False", "0", "f", "F", "FALSE"}

_OPTIONS: Mapping[str, Callable[[str], bool]] = {
    "com.docker.network.driver.mtu": lambda text: (
        text.isascii() and text.isdigit() and int(text[:6]) in _MTU
    ),
    f"{_BRIDGE}enable_icc": lambda text: text in _BOOLEANS,
    f"{_BRIDGE}enable_ip_masquerade": lambda text: text in _TRUTHS,
    f"{_BRIDGE}host_binding_ipv4": lambda text: text == "127.0.0.1",
}
"""What people may set, and to what. The rest names interfaces of the host, or opens it."""


@dataclass(frozen=True, slots=True)
class NetworkWish:
    """A network as somebody wants it, within what is allowed.

    Attributes:
        name: What they call it.
        internal: Whether nothing outside may be reached from it.
        attachable: Kept for those who read it back.
        subnet: Its address range, or `None` for any.
        addresses: More about the range, in the engine's words.
        options: Options of the bridge driver.
        labels: Without those of the platform.
    """

    name: str
    internal: bool = False
    attachable: bool = False
    subnet: IPv4Network | None = None
    addresses: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


def parse_network(body: Fields, user: str, pool: IPv4Network, prefix: int) -> NetworkWish:
    """The network that `POST /networks/create` asks for.

    Args:
        body: What came.
        user: Who asks.
        pool: Where address ranges come from.
        prefix: The largest range that one network may have.

    Raises:
        InvalidRequest: It makes no sense.
        Forbidden: People's networks cannot be like that.
        Conflict: The name is that of the person's own network, which always is.
    """
    body.drop("CheckDuplicate", "EnableIPv4")
    name = _name(body.text("Name"), user)
    _check_kind(body)
    marks = body.text_entries("Labels")
    check_labels_fit(marks)
    subnet, addresses = _range(body.inner("IPAM"), pool, prefix)
    wish = NetworkWish(
        name=name,
        internal=bool(body.flag("Internal")),
        attachable=bool(body.flag("Attachable")),
        subnet=subnet,
        addresses=addresses,
        options=_options(body.text_entries("Options")),
        labels=labels.unreserved(marks),
    )
    body.finish()
    return wish


def network_payload(
    wish: NetworkWish, user: str, instance: str, subnet: IPv4Network, bridge: Mapping[str, str]
) -> dict[str, Any]:
    """The body that the engine gets.

    Args:
        wish: What is made.
        user: Whose it is.
        instance: Id of this installation.
        subnet: Its address range.
        bridge: The option that names its interface.
    """
    addresses = {"Subnet": str(subnet), **wish.addresses}
    if "IPRange" not in addresses:
        # The engine takes the same, and shows it to clients only when it is said.
        addresses.setdefault("Gateway", str(subnet.network_address + 1))
    return {
        "Name": engine_name(wish.name, user),
        "CheckDuplicate": True,
        "Driver": "bridge",
        "Internal": wish.internal,
        "Attachable": wish.attachable,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Config": [addresses]},
        "Options": {**wish.options, **bridge},
        "Labels": {
            **wish.labels,
            **labels.own_marks(user, instance),
            labels.NAME: wish.name,
        },
    }


def _name(name: str, user: str) -> str:
    if name in _PREDEFINED:
        raise Forbidden(f"operation is not permitted on predefined {name} network")
    check_docker_name(name)
    if name == network_name(user):
        raise Conflict(f"network with name {name} already exists")
    return name


def _check_kind(body: Fields) -> None:
    driver, scope = body.text("Driver"), body.text("Scope")
    if driver not in {"", "bridge", "default"}:
        raise Forbidden(
            f"The network driver {shown(driver)} is not available; only bridge networks are.",
            "Leave out the driver.",
        )
    if scope not in {"", "local"}:
        raise Forbidden(
            "Swarm is not offered here, so networks are of this machine alone.",
            "Leave out the scope.",
        )
    if body.flag("EnableIPv6"):
        raise Forbidden("Networks here have no IPv6.", "Leave out --ipv6 (enable_ipv6).")


def _range(
    ipam: Fields, pool: IPv4Network, prefix: int
) -> tuple[IPv4Network | None, dict[str, Any]]:
    if ipam.text("Driver") not in {"", "default"}:
        raise Forbidden("Only the IPAM driver default is offered here.", "Leave out the driver.")
    found: list[tuple[IPv4Network, dict[str, Any]]] = []
    for each in ipam.each("Config"):
        text, inside = each.text("Subnet"), each.text("IPRange")
        gateway, others = each.text("Gateway"), each.text_entries("AuxiliaryAddresses")
        each.finish()
        if text:
            subnet = _subnet(text, pool, prefix)
            found.append((subnet, _addresses(subnet, inside, gateway, others)))
        elif inside or gateway or others:
            raise InvalidRequest("An IP range or a gateway needs a subnet.", "Leave out both.")
    ipam.finish()
    if len(found) > 1:
        raise Forbidden("A network here has one address range.", "Name one subnet, or none.")
    return found[0] if found else (None, {})


def _subnet(text: str, pool: IPv4Network, prefix: int) -> IPv4Network:
    try:
        subnet = ip_network(text, strict=False)
    except ValueError as exc:
        raise InvalidRequest(f"{shown(text)} is not an address range such as {pool}.") from exc
    fits = isinstance(subnet, IPv4Network) and subnet.subnet_of(pool)
    if not fits or not prefix <= subnet.prefixlen <= _SMALLEST:
        raise Forbidden(
            f"The address range {subnet} cannot be chosen: networks here are ranges of {pool} with"
            f" /{prefix} to /{_SMALLEST}.",
            "Leave out the subnet, and a free one is taken.",
        )
    return IPv4Network(subnet)


def _addresses(
    subnet: IPv4Network, inside: str, gateway: str, others: Mapping[str, str]
) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if inside:
        try:
            part = ip_network(inside, strict=False)
        except ValueError as exc:
            raise InvalidRequest(f"{shown(inside)} is not an address range.") from exc
        if not isinstance(part, IPv4Network) or not part.subnet_of(subnet):
            raise InvalidRequest(f"The IP range {part} is not within {subnet}.")
        said["IPRange"] = str(part)
    if gateway:
        said["Gateway"] = str(_address(gateway, subnet))
    if others:
        said["AuxiliaryAddresses"] = {
            name: str(_address(text, subnet)) for name, text in others.items()
        }
    return said


def _address(text: str, subnet: IPv4Network | None = None) -> IPv4Address:
    try:
        address = ip_address(text)
    except ValueError as exc:
        raise InvalidRequest(f"{shown(text)} is not an IP address.") from exc
    if not isinstance(address, IPv4Address) or (subnet is not None and address not in subnet):
        within = f" of {subnet}" if subnet else ""
        raise InvalidRequest(f"{address} is not an IPv4 address{within}.")
    return address


def _options(given: Mapping[str, str]) -> dict[str, str]:
    for name, value in given.items():
        allowed = _OPTIONS.get(name)
        if allowed is None or not allowed(value):
            raise Forbidden(
                f"The network option {shown(name)} cannot be {shown(value)} here.",
                "Leave it out; of the bridge driver's options, people may set mtu and enable_icc.",
            )
    return dict(given)
