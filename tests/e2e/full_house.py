"""Every slot taken, cheaply."""

import json
import threading

from ds01_spawner.composition import Platform
from ds01_spawner.domain.grant import with_door
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.names import container_name
from ds01_spawner.domain.request import GpuRequest, LaunchRequest
from ds01_spawner.operations.allocation.admission import Grant
from ds01_spawner.operations.containers.launch import Progress
from e2e.hub import Hub


class FullHouse:
    """Twelve small containers on the twelve slots."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.user = hub.person("crowd").name
        self._platform = hub.platform

    def fill(self) -> None:
        for size, count in (("mig", 10), ("full", 2)):
            for number in range(count):
                _launch(self._platform, self.user, f"{size}-{number}", GpuRequest.parse(size))
        states = {slot: use["state"] for slot, use in self.hub.slots().items()}
        assert states == dict.fromkeys(states, "allocated")
        assert len(states) == 12

    def fill_size(self, profile: str) -> list[str]:
        """Take the slots of one size alone; the containers on them."""
        slots = [slot for slot in self.hub.slots().values() if slot["profile"] == profile]
        names = [f"small-{number}" for number, _ in enumerate(slots)]
        for name in names:
            _launch(self._platform, self.user, name, GpuRequest.parse(profile))
        return names

    def leave(self, name: str) -> None:
        """One of them stops; its slot is free after a hold of a second."""
        self._platform.servers.stop(container_name(name, self.user), interface=Interface.CLI)


def _launch(platform: Platform, user: str, name: str, gpu: GpuRequest) -> None:
    request = LaunchRequest(user, name, Interface.CLI, image="tiny", gpu=gpu)
    grant = platform.admission.admit(request)
    assert isinstance(grant, Grant)
    spec = with_door(grant.spec, command=("sleep", "3600"))
    quiet = Progress(say=lambda _step: None, abandoned=threading.Event())
    platform.launcher.launch(request, grant, spec, quiet)


def queue(hub: Hub) -> list[dict[str, object]]:
    """`ds01 gpu queue --json`."""
    entries: list[dict[str, object]] = json.loads(hub.ds01("gpu", "queue", "--json"))["queue"]
    return entries
