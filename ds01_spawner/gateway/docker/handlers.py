"""Everything that answers at the Docker door, put together."""

from dataclasses import dataclass

from ds01_spawner.gateway.docker.build.handler import Builds
from ds01_spawner.gateway.docker.containers.archive import Archive
from ds01_spawner.gateway.docker.containers.containers import Containers
from ds01_spawner.gateway.docker.containers.execs import Execs
from ds01_spawner.gateway.docker.containers.lifecycle import ContainerRuns
from ds01_spawner.gateway.docker.containers.listing import ContainerList
from ds01_spawner.gateway.docker.containers.prune import ContainerPrune
from ds01_spawner.gateway.docker.containers.streams import Streams
from ds01_spawner.gateway.docker.create.admission import Granting
from ds01_spawner.gateway.docker.create.handler import Creating
from ds01_spawner.gateway.docker.dispatch import Dispatch
from ds01_spawner.gateway.docker.door import Door
from ds01_spawner.gateway.docker.images.commit import Commit
from ds01_spawner.gateway.docker.images.images import Images
from ds01_spawner.gateway.docker.images.pull import Pull
from ds01_spawner.gateway.docker.images.removal import ImageRemoval
from ds01_spawner.gateway.docker.lookups import lookups_of
from ds01_spawner.gateway.docker.networks.networks import Networks
from ds01_spawner.gateway.docker.not_offered import Closed
from ds01_spawner.gateway.docker.system.disk_use import DiskUse
from ds01_spawner.gateway.docker.system.events import Events
from ds01_spawner.gateway.docker.system.system import System
from ds01_spawner.gateway.wire.call import Call


@dataclass(frozen=True, slots=True)
class DockerDoor:
    """The Docker door of one process.

    Attributes:
        dispatch: What answers.
        builds: What builds images, for every door: a person's builds go one after the other.
        creating: What makes containers, for every door.
    """

    dispatch: Dispatch
    builds: Builds
    creating: Creating


def docker_door(door: Door, instance: str) -> DockerDoor:
    """What answers at the Docker door.

    Args:
        door: The platform, and the way to the engine.
        instance: Id of this installation.
    """
    lookups = lookups_of(door, instance)
    owned, volumes = lookups.containers, lookups.volumes
    images = Images(door, lookups.images)
    pull = Pull(door, lookups.images)
    builds = Builds(door, lookups.images, lookups.networks, pull)
    creating = Creating(door, lookups, Granting(lambda: door.platform.admission, door.threads))

    async def count_images(call: Call) -> int:
        return len(await images.seen(call))

    def may_login(registry: str) -> bool:
        return registry in door.platform.images.registries()

    dispatch = Dispatch(
        door,
        (
            System(door, owned, count_images=count_images, may_login=may_login),
            Events(door, owned),
            DiskUse(door, owned, images=images.seen, volumes=volumes.own),
            ContainerList(door, owned),
            creating,
            Containers(door, owned),
            ContainerRuns(door, owned),
            ContainerPrune(door, owned),
            Streams(door, owned),
            Execs(door, owned),
            Archive(door, owned),
            images,
            ImageRemoval(door, lookups.images, owned),
            pull,
            Commit(door, owned, lookups.images),
            builds,
            Networks(door, owned, lookups.networks),
            volumes,
            Closed(),
        ),
    )
    return DockerDoor(dispatch, builds, creating)
