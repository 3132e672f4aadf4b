"""Keep-alive files that a test touches."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from ds01_spawner.domain.container import Container


class FakeKeepAliveFiles:
    """The `KeepAliveFiles` port.

    Attributes:
        touched: When the newest file of each container was touched, by container id.
        down: When set, no workspace can be read, so that none has a file.
    """

    def __init__(self) -> None:
        self.touched: dict[str, datetime] = {}
        self.down = False

    def touched_at(self, containers: Sequence[Container]) -> Mapping[str, datetime]:
        if self.down:
            return {}
        return {each.id: self.touched[each.id] for each in containers if each.id in self.touched}
