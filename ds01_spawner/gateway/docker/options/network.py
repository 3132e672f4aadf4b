"""How a client wants a container connected: networks, links, ports, names."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.domain.names import check_docker_name, shown
from ds01_spawner.gateway.docker.options.mounts import checked_reference
from ds01_spawner.gateway.docker.options.ports import Ports, published_ports
from ds01_spawner.gateway.docker.reading.go_json import Fields, is_empty

DEFAULT = "default"
"""The person's own network."""

NONE = "none"
_DEFAULTS = frozenset({"", "default", "bridge"})
_CONTAINER = "container:"
_NOT_ONE = {
    "Dns": "--dns {} is not an IP address.",
    "DnsOptions": "--dns-option {} is not an option of a resolver.",
    "DnsSearch": "--dns-search {} is not a domain.",
    "ExtraHosts": "--add-host {} is not NAME:ADDRESS.",
    "Aliases": "--network-alias {} is not a host name.",
}
_HOST = re.compile(r"^[A-Za-z0-9_*](?:[A-Za-z0-9_.-]{0,252})\Z", re.ASCII)
_DNS_OPTION = re.compile(r"^[a-z0-9-]{1,32}(?::\d{1,4})?\Z", re.ASCII)
_MOST = 64
_SHORT_ID = 12
_READ_ONLY_STATE = (
    *("NetworkID", "EndpointID", "Gateway", "IPAddress", "IPPrefixLen", "IPv6Gateway"),
    *("GlobalIPv6Address", "GlobalIPv6PrefixLen", "DNSNames", "GwPriority"),
)


@dataclass(frozen=True, slots=True)
class AskedLink:
    """Another container that is to have a name inside this one.

    Attributes:
        container: Its name or id, as the client said it.
        alias: The name.
    """

    container: str
    alias: str


@dataclass(frozen=True, slots=True)
class AskedEndpoint:
    """A place on one network.

    Attributes:
        network: `DEFAULT`, `NONE`, or what the person calls a network (or its id).
        aliases: More names there.
        ipv4: A fixed address, on networks that people made; `None` for any.
        links: Other containers' names there.
    """

    network: str = DEFAULT
    aliases: tuple[str, ...] = ()
    ipv4: str | None = None
    links: tuple[AskedLink, ...] = ()


@dataclass(frozen=True, slots=True)
class AskedNetwork:
    """How a container is to be connected.

    Attributes:
        first: The network that it starts on.
        others: Networks that it joins besides.
        container: The container, by name or id, whose network it shares instead; or `None`.
        ports: Ports published, all on the server's loopback.
        publish_all: Whether every port that the image exposes is to be published too.
        kept: The rest in the engine's words: DNS, extra hosts.
    """

    first: AskedEndpoint = AskedEndpoint()
    others: tuple[AskedEndpoint, ...] = ()
    container: str | None = None
    ports: Ports = field(default_factory=dict)
    publish_all: bool = False
    kept: Mapping[str, list[str]] = field(default_factory=dict)


def asked_network(body: Fields, host: Fields) -> tuple[AskedNetwork, tuple[str, ...]]:
    """How to connect, and what the client should be told about it.

    Raises:
        Forbidden: The server's network, another place than loopback, or a system port.
        InvalidRequest: Something that makes no sense.
    """
    mode = host.text("NetworkMode")
    if body.flag("NetworkDisabled"):
        mode = NONE
    endpoints = _endpoints(body)
    links = tuple(_link(text) for text in host.texts("Links") or ())
    ports, warnings = published_ports(host)
    asked = AskedNetwork(
        ports=ports, publish_all=bool(host.flag("PublishAllPorts")), kept=_kept(host)
    )
    if mode == "host":
        raise Forbidden(
            "--network host would put a container on the server's own network.",
            "Leave it out; -p 8080:80 publishes a port on the server's 127.0.0.1.",
        )
    if mode.startswith(_CONTAINER):
        shared = checked_reference(mode.removeprefix(_CONTAINER))
        return replace(asked, container=shared), warnings
    first = _network(mode)
    if first == NONE:
        return replace(asked, first=AskedEndpoint(NONE)), warnings
    # Without a network said, the engine joins those that have settings, and no other.
    if first == DEFAULT and endpoints and DEFAULT not in endpoints:
        first = next(iter(endpoints))
    start = endpoints.pop(first, None) or AskedEndpoint(first)
    start = replace(start, links=tuple(dict.fromkeys((*start.links, *links))))
    others = tuple(each for name, each in endpoints.items() if name != NONE)
    return replace(asked, first=start, others=others), warnings


def asked_endpoint(settings: Fields, network: str) -> AskedEndpoint:
    """A place on `network`, as `docker network connect` asks for it too.

    Raises:
        Forbidden: An address, a driver option or a MAC address that cannot be chosen.
        InvalidRequest: Something that makes no sense.
    """
    settings.drop(*_READ_ONLY_STATE)
    ipam = settings.inner("IPAMConfig")
    ipv4 = ipam.text("IPv4Address") or None
    fixed = any((ipam.text("IPv6Address"), not is_empty(ipam.take("LinkLocalIPs"))))
    ipam.finish()
    if fixed or (ipv4 and network == DEFAULT):
        raise Forbidden(
            "A fixed address can be had on a network of your own only, and only an IPv4 address.",
            "Make one with docker network create, or leave --ip out.",
        )
    if ipv4 and _address(ipv4) is None:
        raise InvalidRequest(f"{shown(ipv4)} is not an IPv4 address.")
    if settings.text("MacAddress"):
        raise Forbidden(
            "--mac-address could take another machine's place on the network.", "Leave it out."
        )
    if not is_empty(settings.take("DriverOpts")):
        raise Forbidden("Driver options of a network are not available here.", "Leave them out.")
    aliases = _checked(settings, "Aliases", lambda text: bool(_HOST.match(text)))
    links = tuple(_link(text) for text in settings.texts("Links") or ())
    settings.finish()
    return AskedEndpoint(network, tuple(aliases), ipv4, links)


def endpoint_settings(
    endpoint: AskedEndpoint, name: str | None, links: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Docker's settings for a place on a network.

    Args:
        endpoint: What was asked for.
        name: What its owner calls the container: the engine's name has the owner in it, and
            others on the network look for hers.
        links: `ID:ALIAS`, with full ids, of linked containers.
    """
    aliases = dict.fromkeys((*((name,) if name else ()), *endpoint.aliases))
    settings: dict[str, Any] = {"Aliases": list(aliases)[:_MOST]} if aliases else {}
    if endpoint.ipv4:
        settings["IPAMConfig"] = {"IPv4Address": endpoint.ipv4}
    if links:
        # A link leads to a name on the network; every container has its short id as one.
        pairs = (link.partition(":") for link in links)
        settings["Links"] = [f"{id_[:_SHORT_ID]}:{alias}" for id_, _, alias in pairs]
    return settings


def extra_hosts(fields: Fields) -> list[str]:
    """Lines for /etc/hosts.

    Raises:
        InvalidRequest: One names no host or no address.
    """
    return _checked(fields, "ExtraHosts", _is_extra_host)


def _network(mode: str) -> str:
    if mode in _DEFAULTS:
        return DEFAULT
    return mode if mode == NONE else check_docker_name(mode)


def _endpoints(body: Fields) -> dict[str, AskedEndpoint]:
    config = body.inner("NetworkingConfig")
    entries = config.entries("EndpointsConfig")
    config.finish()
    if len(entries) > _MOST:
        raise InvalidRequest(f"A container can join at most {_MOST} networks.")
    found: dict[str, AskedEndpoint] = {}
    for name, value in entries.items():
        if name == "host":
            raise Forbidden("The server's own network cannot be joined.", "Leave it out.")
        network = _network(name)
        settings = Fields(value, f"NetworkingConfig.EndpointsConfig.{shown(name)[1:-1]}")
        found[network] = asked_endpoint(settings, network)
    return found


def _kept(host: Fields) -> dict[str, list[str]]:
    found = {
        "Dns": _checked(host, "Dns", lambda text: _address(text, any_kind=True) is not None),
        "DnsOptions": _checked(host, "DnsOptions", lambda text: bool(_DNS_OPTION.match(text))),
        "DnsSearch": _checked(
            host, "DnsSearch", lambda text: text == "." or bool(_HOST.match(text))
        ),
        "ExtraHosts": extra_hosts(host),
    }
    return {name: values for name, values in found.items() if values}


def _checked(fields: Fields, name: str, is_good: Callable[[str], bool]) -> list[str]:
    values = list(fields.texts(name) or ())
    if bad := [text for text in values if not is_good(text)]:
        raise InvalidRequest(_NOT_ONE[name].format(shown(bad[0])), "Correct it or leave it out.")
    if len(values) > _MOST:
        raise InvalidRequest(f"{name} can have at most {_MOST} entries.")
    return values


def _is_extra_host(text: str) -> bool:
    name, separator, address = text.partition("=" if "=" in text else ":")
    known = address == "host-gateway" or _address(address.strip("[]"), any_kind=True) is not None
    return bool(separator and _HOST.match(name) and known)


def _address(text: str, *, any_kind: bool = False) -> object | None:
    if "%" in text:  # a zone: anything may follow it
        return None
    try:
        return ipaddress.ip_address(text) if any_kind else ipaddress.IPv4Address(text)
    except ValueError:
        return None


def _link(text: str) -> AskedLink:
    container, _, alias = text.partition(":")
    found = checked_reference(container)
    if alias and not _HOST.match(alias):
        raise InvalidRequest(f"{shown(alias)} cannot be a container's name in another.")
    return AskedLink(found, alias or found)
