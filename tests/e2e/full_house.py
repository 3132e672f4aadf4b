"""Every slot taken, cheaply."""

import json
import threading

from ds01_spawner.composition import Platform
from ds01_spawner.domain.grant import with_door
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import container_name
from ds01_spawner.domain.request import GpuRequest, LaunchRequest
from ds01_spawner.operations.allocation.admission import Grant
from ds01_spawner.operations.allocation.gpu_queue import read_gpu_queue
from ds01_spawner.operations.containers.launch import Progress
from e2e.hub import Hub

ONE = "one"
"""The container of a full house that has a single slot of its own, to be given up."""


class FullHouse:
    """A few small containers on the twelve slots."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.user = hub.person("crowd").name
        self._platform = hub.platform

    def fill(self) -> None:
        for name, size, count in ((ONE, "mig", 1), ("others", "mig", 9), ("whole", "full", 2)):
            _launch(self._platform, self.user, name, GpuRequest.parse(size, count))
        states = {slot: use["state"] for slot, use in self.hub.look().items()}
        assert states == dict.fromkeys(states, "allocated")
        assert len(states) == 12

    def fill_size(self, profile: str) -> None:
        """Take the slots of one size alone."""
        slots = [slot for slot in self.hub.look().values() if slot["profile"] == profile]
        for name, count in ((ONE, 1), ("others", len(slots) - 1)):
            _launch(self._platform, self.user, name, GpuRequest.parse(profile, count))

    def leave(self, name: str) -> None:
        """One of them stops; its slots are free after a hold of a second."""
        self._platform.servers.stop(container_name(name, self.user), interface=Interface.CLI)


def _launch(platform: Platform, user: str, name: str, gpu: GpuRequest) -> None:
    request = LaunchRequest(user, name, Interface.CLI, image="tiny", gpu=gpu)
    grant = platform.admission.admit(request)
    assert isinstance(grant, Grant)
    spec = with_door(grant.spec, command=("sleep", "3600"))
    quiet = Progress(say=lambda _step: None, abandoned=threading.Event())
    platform.launcher.launch(request, grant, spec, quiet)


def waiting(hub: Hub) -> list[str]:
    """Who is in the queue, without the program: to be asked again and again."""
    return [each.user for each in read_gpu_queue(hub.platform.admission)]


def queue(hub: Hub) -> list[dict[str, object]]:
    """`ds01 gpu queue --json`."""
    entries: list[dict[str, object]] = json.loads(hub.ds01("gpu", "queue", "--json"))["queue"]
    return entries
