"""`isolation.yaml`: what people's containers reach beyond their own network."""

import re
from ipaddress import IPv4Network, ip_network
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from ds01_spawner.domain.fence import HostPort, Transport
from ds01_spawner.policy.document import Section, found, load_document
from ds01_spawner.policy.values import Flag, blank_is_empty, text_of

HUB_PORT = 8081
"""JupyterHub's own default for its API (`JupyterHub.hub_port`)."""

METADATA = ("169.254.0.0/16", "100.100.100.200/32")
"""Where clouds tell a machine its own secrets; link-local addresses are nobody's business."""

_PORT = re.compile(r"(?P<port>[1-9]\d{0,4})(?:/(?P<transport>tcp|udp))?", re.ASCII)
_LARGEST = 65535


def _host_port(value: object) -> HostPort:
    expected = "expected a port such as 8081 or 53/udp"
    text = text_of(value, expected)
    match = _PORT.fullmatch(text)
    if match is None or int(match["port"]) > _LARGEST:
        raise ValueError(f"{expected}; found {found(text)}")
    return HostPort(int(match["port"]), Transport(match["transport"] or "tcp"))


def _range(value: object) -> str:
    expected = "expected an IPv4 range such as 169.254.0.0/16"
    text = text_of(value, expected)
    try:
        network = ip_network(text)
    except ValueError as exc:
        raise ValueError(f"{expected}; found {found(text)}") from exc
    if not isinstance(network, IPv4Network):
        raise ValueError(f"{expected}; containers have no IPv6")  # noqa: TRY004 - pydantic's error
    return str(network)


Range = Annotated[
    str,
    BeforeValidator(_range),
    WithJsonSchema({"type": "string", "examples": ["10.20.0.0/16", "10.20.0.7"]}),
]
Ranges = Annotated[tuple[Range, ...], BeforeValidator(blank_is_empty)]
Port = Annotated[
    HostPort,
    BeforeValidator(_host_port),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": _LARGEST},
                {"type": "string", "pattern": r"^[1-9]\d{0,4}/(tcp|udp)$"},
            ]
        }
    ),
]


class IsolationConfig(Section):
    """The whole file. Every key may be left out."""

    enabled: Flag = Field(
        default=True, description="Whether rules are kept in the kernel's packet filter at all."
    )
    host_ports: Annotated[tuple[Port, ...], BeforeValidator(blank_is_empty)] = Field(
        default=(HostPort(HUB_PORT),),
        description="Ports of this host that containers reach, beside the hub's. Nothing else of "
        "the host is reached.",
        json_schema_extra={"default": [HUB_PORT]},
    )
    blocked_ranges: Ranges = Field(
        default=METADATA,
        description="Addresses that containers do not reach: the cloud's metadata, a management "
        "network.",
    )
    allowed_ranges: Ranges = Field(
        default=(),
        description="Addresses that they do reach, although blocked or, with internet: false, "
        "outside.",
    )
    internet: Flag = Field(
        default=True, description="Whether containers reach what is outside this machine."
    )


def parse_isolation(text: str, path: str) -> IsolationConfig:
    """The configuration that `text` holds.

    Raises:
        PolicyError: It names file, line, key and what was expected.
    """
    return load_document(text, path, IsolationConfig)
