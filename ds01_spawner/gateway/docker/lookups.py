"""What finds a person's things, put together once for all handlers."""

from dataclasses import dataclass

from ds01_spawner.gateway.docker.containers.lookup import Owned
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.lookup import OwnImages
from ds01_spawner.gateway.docker.networks.lookup import OwnNetworks
from ds01_spawner.gateway.docker.volumes.volumes import Volumes


@dataclass(frozen=True, slots=True)
class Lookups:
    """Finds what a container may refer to.

    Attributes:
        containers: The person's containers.
        images: Images that they may use.
        networks: Their networks.
        volumes: Their volumes.
    """

    containers: Owned
    images: OwnImages
    networks: OwnNetworks
    volumes: Volumes


def lookups_of(door: Door, instance: str) -> Lookups:
    """What finds things of the people of one installation."""
    owned = Owned(door.engine, instance)
    return Lookups(owned, OwnImages(door, owned), OwnNetworks(door, owned), Volumes(door, owned))
