"""What people's containers reach beyond their own bridge: a decision, as data."""

from dataclasses import dataclass
from enum import StrEnum


class Transport(StrEnum):
    """How a port is spoken to."""

    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True, order=True)
class HostPort:
    """A port of the host, on any of its addresses.

    Attributes:
        port: Its number.
        transport: TCP or UDP.
    """

    port: int
    transport: Transport = Transport.TCP

    def __str__(self) -> str:
        return f"{self.port}/{self.transport}"


@dataclass(frozen=True, slots=True)
class Fence:
    """What passes from people's bridges; IPv6 never does.

    Attributes:
        tag: Tells the fence of one installation from those of others (`names.bridge_tag`).
        prefix: What the interfaces of its bridges begin with.
        interfaces: Bridges of it that are called otherwise: older ones.
        host_ports: What of the host they reach.
        nameservers: Whom they may ask for names, even in a blocked range.
        blocked: IPv4 ranges that they do not reach.
        allowed: Ranges that they do, though blocked or outside.
        internet: Whether they reach what is neither.
    """

    tag: str
    prefix: str
    interfaces: tuple[str, ...] = ()
    host_ports: tuple[HostPort, ...] = ()
    nameservers: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    internet: bool = True
