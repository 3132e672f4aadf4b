"""Which ports of the host tokens are sent to, and who may have them, and has (proc_net(5))."""

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ds01_spawner.domain.door import ServicePort
from ds01_spawner.domain.errors import Unavailable

_NAMES = {
    "JUPYTERHUB_API_URL": "the hub's API",
    "JUPYTERHUB_SERVICE_URL": "the gateway's API",
}
_USUAL = {"http": 80, "https": 443}
_LISTENS = "0A"
_FIRST_FOR_ALL = "sys/net/ipv4/ip_unprivileged_port_start"


class ListeningPorts:
    """The `ServicePorts` port.

    Args:
        environments: What the hub gives its services; the first that names a service counts.
        proc: The kernel's word.
    """

    def __init__(
        self, environments: Sequence[Mapping[str, str]], proc: Path = Path("/proc")
    ) -> None:
        self._environments = environments
        self._proc = proc

    def look(self) -> tuple[ServicePort, ...]:
        """As the port says."""
        named = {name: self._place(variable) for variable, name in _NAMES.items()}
        places = {name: place for name, place in named.items() if place is not None}
        if not places:
            return ()
        try:
            first = int((self._proc / _FIRST_FOR_ALL).read_text("ascii"))
            listening = list(self._listening())
        except (OSError, ValueError) as exc:
            raise Unavailable(f"Who listens on which port cannot be read: {exc}.") from exc
        return tuple(
            ServicePort(
                name=name,
                port=port,
                is_roots=port < first,
                holders=tuple(
                    sorted({uid for at, on, uid in listening if on == port and at in (None, host)})
                ),
            )
            for name, (host, port) in places.items()
        )

    def _place(self, variable: str) -> tuple[str, int] | None:
        """The address of this host, and the port; `None` where nothing says so."""
        url = next((each[variable] for each in self._environments if each.get(variable)), "")
        try:
            parts = urlsplit(url)
            port = parts.port or _USUAL.get(parts.scheme)
        except ValueError:
            return None
        host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
        return (host, port) if host and port else None

    def _listening(self) -> Iterator[tuple[str | None, int, int]]:
        """Address, or `None` for every one; port; and whose it is."""
        for name in ("tcp", "tcp6"):
            path = self._proc / "net" / name
            if not path.exists():  # a kernel without IPv6
                continue
            for line in path.read_text("ascii").splitlines()[1:]:
                _, local, _, state, _, _, _, uid, *_ = line.split()
                address, _, port = local.partition(":")
                if state == _LISTENS:
                    yield _address(address), int(port, 16), int(uid)


def _address(digits: str) -> str | None:
    """The kernel writes 32-bit words as the processor has them: the bytes of each turned round."""
    raw = bytes.fromhex(digits)
    found = ipaddress.ip_address(b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4)))
    mapped = getattr(found, "ipv4_mapped", None)
    return None if found.is_unspecified else str(mapped or found)
