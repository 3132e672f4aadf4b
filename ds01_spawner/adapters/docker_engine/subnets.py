"""An address range for a person's network.

Docker's own default pools hold about 30 networks, so the platform chooses from a pool of its own.
"""

import zlib
from collections.abc import Iterable
from ipaddress import IPv4Network, ip_network

from ds01_spawner.domain.errors import Unavailable


def choose_subnet(
    name: str, pool: IPv4Network, prefix: int, taken: Iterable[IPv4Network]
) -> IPv4Network:
    """A free subnet of `pool` for the network `name`.

    Two processes that make the same network at once choose the same subnet, so that the engine,
    which has no lock on names but one on addresses, refuses the second.

    Raises:
        Unavailable: No subnet of the pool is free.
    """
    subnets = list(pool.subnets(new_prefix=prefix))
    used = [network for network in taken if network.overlaps(pool)]
    first = zlib.crc32(name.encode()) % len(subnets)
    for offset in range(len(subnets)):
        candidate = subnets[(first + offset) % len(subnets)]
        if not any(candidate.overlaps(network) for network in used):
            return candidate
    raise Unavailable(
        f"All {len(subnets)} networks of {pool} are in use.",
        "An administrator removes networks of departed people, or sets a wider pool that the"
        " host routes nowhere else.",
    )


def subnets_of(networks: Iterable[dict[str, object]]) -> list[IPv4Network]:
    """The IPv4 ranges of the engine's networks, as `GET /networks` lists them."""
    found: list[IPv4Network] = []
    for network in networks:
        ipam = network.get("IPAM")
        configs = ipam.get("Config") if isinstance(ipam, dict) else None
        for config in configs or ():
            subnet = ip_network(config.get("Subnet") or "0.0.0.0/32", strict=False)
            if isinstance(subnet, IPv4Network):
                found.append(subnet)
    return found


def routed_subnets(table: str) -> list[IPv4Network]:
    """The destinations in the text of `/proc/net/route`, the default route left out."""
    found: list[IPv4Network] = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        destination, mask = (
            int.from_bytes(bytes.fromhex(fields[column]), "little") for column in (1, 7)
        )
        if mask:
            found.append(IPv4Network((destination, mask.bit_count())))
    return found
