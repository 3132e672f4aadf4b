"""Single-user servers that say what a test lets them say."""

from collections.abc import Mapping, Sequence

from ds01_spawner.domain.activity import JupyterSample
from ds01_spawner.domain.container import Container


class FakeJupyterServers:
    """The `JupyterServers` port.

    Attributes:
        samples: What each server says, by container id; one that is missing does not answer.
        down: When set, none answers.
        asked: Ids of the containers of every look.
    """

    def __init__(self, samples: Mapping[str, JupyterSample] | None = None) -> None:
        self.samples: dict[str, JupyterSample] = dict(samples or {})
        self.down = False
        self.asked: list[tuple[str, ...]] = []

    def look(self, containers: Sequence[Container]) -> Mapping[str, JupyterSample]:
        ids = tuple(container.id for container in containers)
        self.asked.append(ids)
        return {} if self.down else {id_: self.samples[id_] for id_ in ids if id_ in self.samples}
