"""Which ports of a container are published, and where: on the server's loopback only. Pure."""

import re
from collections.abc import Iterable, Mapping, Sized

from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.docker.reading.go_json import Fields

LOOPBACK = "127.0.0.1"
_ANYWHERE = frozenset({"0.0.0.0", "::", "[::]"})  # noqa: S104 - what clients say for everywhere
_LOOPBACKS = frozenset({"", LOOPBACK, "localhost", "::1", "[::1]"})
_FIRST_PORT = 1024
_LAST_PORT = 65535
_MOST_PORTS = 256
_PORT = re.compile(r"^(?P<port>[1-9]\d{0,4})(?:/(?P<protocol>tcp|udp|sctp))?\Z", re.ASCII)
_HOST_PORT = re.compile(r"^(?P<first>\d{1,5})(?:-(?P<last>\d{1,5}))?\Z", re.ASCII)

Ports = Mapping[str, list[dict[str, str]]]
"""Docker's `PortBindings`: where on the server each port of a container is."""


def published_ports(host: Fields) -> tuple[Ports, tuple[str, ...]]:
    """`PortBindings`, and what the client should be told about them.

    Raises:
        Forbidden: Another place than loopback, or a system port.
        InvalidRequest: Something that makes no sense.
    """
    found: dict[str, list[dict[str, str]]] = {}
    told = False
    for text, places in host.entries("PortBindings").items():
        if places is not None and not isinstance(places, list):
            raise InvalidRequest(f"HostConfig.PortBindings[{shown(text)}] must be a list.")
        bound = found.setdefault(checked_port(text), [])
        for value in places or [None]:
            place = Fields(value, f"HostConfig.PortBindings[{shown(text)}]")
            address, port = place.text("HostIp"), place.text("HostPort")
            place.finish()
            told = told or address in _ANYWHERE
            bound.append({"HostIp": _host_address(address), "HostPort": _host_port(port)})
    _check_few(found.values())
    warning = f"Ports are published on {LOOPBACK} only; reach them from elsewhere through SSH."
    return found, (warning,) if told else ()


def port_bindings(ports: Ports, exposed: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """`ports`, and a free port of the server's loopback for each of `exposed` that has none.

    Raises:
        InvalidRequest: They are too many: each has a process on the server.
    """
    found = {name: list(places) for name, places in ports.items()}
    for text in exposed:
        if match := _PORT.match(text):
            name = f"{match['port']}/{match['protocol'] or 'tcp'}"
            found.setdefault(name, [{"HostIp": LOOPBACK, "HostPort": ""}])
    _check_few(found.values())
    return found


def checked_port(text: str) -> str:
    """A container's port with its protocol: `80/tcp`.

    Raises:
        InvalidRequest: It is none.
    """
    match = _PORT.match(text)
    if match is None or int(match["port"]) > _LAST_PORT:
        raise InvalidRequest(f"{shown(text)} is not a port.", "Write it as 80 or 80/udp.")
    return f"{match['port']}/{match['protocol'] or 'tcp'}"


def _check_few(places: Iterable[Sized]) -> None:
    if (count := sum(map(len, places))) > _MOST_PORTS:
        raise InvalidRequest(
            f"{count:,} ports would be published; {_MOST_PORTS} are allowed.",
            "Publish those that you need: -p PORT.",
        )


def _host_address(address: str) -> str:
    if address not in _ANYWHERE | _LOOPBACKS:
        raise Forbidden(
            f"Ports cannot be published on {shown(address)}.",
            f"Publish them on {LOOPBACK}: -p {LOOPBACK}:8080:80.",
        )
    return LOOPBACK


def _host_port(text: str) -> str:
    if text in {"", "0"}:
        return ""
    match = _HOST_PORT.match(text)
    first, last = (int(match["first"]), int(match["last"] or match["first"])) if match else (0, 0)
    if match is None or not first <= last <= _LAST_PORT:
        raise InvalidRequest(f"{shown(text)} is not a port of the server.", "Write it as 8080.")
    if first < _FIRST_PORT:
        raise Forbidden(
            f"Port {first} of the server is for its own services; yours begin at {_FIRST_PORT}.",
            f"Choose another, such as {first + 8000}, or leave it to the engine: -p 80.",
        )
    return text
