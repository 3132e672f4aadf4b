"""What containers use, as a test says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ds01_spawner.domain.container import Container
from ds01_spawner.ports.usage import ContainerUsage


@dataclass
class FakeUsage:
    """The `UsageProbe` port; what nothing is said of cannot be read.

    Attributes:
        used: By the engine's id.
    """

    used: dict[str, ContainerUsage] = field(default_factory=dict)

    def usage(self, containers: Sequence[Container]) -> Mapping[str, ContainerUsage]:
        ids = {each.id for each in containers if each.state.is_live}
        return {key: usage for key, usage in self.used.items() if key in ids}

    def work(self, containers: Sequence[Container]) -> Mapping[str, ContainerUsage]:
        return self.usage(containers)

    def ssh_sessions(self, containers: Sequence[Container]) -> Mapping[str, int]:
        found = self.usage(containers)
        return {
            key: each.ssh_sessions for key, each in found.items() if each.ssh_sessions is not None
        }
