"""Files of the host that say what containers should reach."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from ipaddress import AddressValueError, IPv4Address, ip_address
from pathlib import Path
from urllib.parse import urlsplit

from ds01_spawner.adapters.text_files import read_text
from ds01_spawner.domain.fence import HostPort
from ds01_spawner.policy.isolation import IsolationConfig, parse_isolation

ISOLATION_FILE = "isolation.yaml"
RESOLVERS = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
"""Where the engine finds the name servers of containers: the second where the first names only
systemd's stub on loopback."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


class IsolationFile:
    """`isolation.yaml`, read anew each time.

    Args:
        directory: Where it is, if it is there.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / ISOLATION_FILE

    def current(self) -> IsolationConfig:
        """What it says; without it, what is right for most.

        Raises:
            PolicyError: It names file, line, key and what was expected.
        """
        if not self._path.exists():
            return IsolationConfig()
        return parse_isolation(read_text(self._path), str(self._path))


class ResolverFiles:
    """The `HostAddresses` port, by resolv.conf(5).

    Args:
        paths: The first that names somebody beyond loopback counts.
    """

    def __init__(self, paths: Sequence[Path] = RESOLVERS) -> None:
        self._paths = tuple(paths)

    def nameservers(self) -> tuple[str, ...]:
        """The IPv4 addresses that containers ask for names."""
        for path in self._paths:
            try:
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
            except OSError:
                continue
            if found := [server for line in lines if (server := _server(line))]:
                return tuple(dict.fromkeys(found))
        return ()


def hub_ports(environment: Mapping[str, str]) -> tuple[HostPort, ...]:
    """Ports of the hub's API and of the gateway's, by what the hub gives its services.

    `JUPYTERHUB_API_URL`, and `JUPYTERHUB_SERVICE_URL` where that is not on loopback.
    """
    api = _port(environment.get("JUPYTERHUB_API_URL", ""))
    own = environment.get("JUPYTERHUB_SERVICE_URL", "")
    return (*api, *(() if _is_on_loopback(own) else _port(own)))


def remembered_ports(path: Path, given: Sequence[HostPort]) -> tuple[HostPort, ...]:
    """`given`, or without any those that were given the last time.

    The gateway knows the hub's port from its environment; a command in a shell must not take the
    rule for it away.

    Args:
        path: Where they are kept.
        given: TCP ports; kept when there are any.
    """
    if given:
        text = "".join(f"{each.port}\n" for each in given)
        with suppress(OSError):
            if not path.exists() or path.read_text(encoding="ascii") != text:
                path.write_text(text, encoding="ascii")
        return tuple(given)
    try:
        lines = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return ()
    return tuple(HostPort(int(each)) for each in lines if each.isdigit())


def _port(url: str) -> tuple[HostPort, ...]:
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return ()
    return (HostPort(port),) if port else ()


def _is_on_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _server(line: str) -> str:
    word, *rest = line.split() or [""]
    if word != "nameserver" or not rest:
        return ""
    try:
        address = IPv4Address(rest[0])
    except AddressValueError:
        return ""
    return "" if address.is_loopback or address.is_unspecified else str(address)
