"""Keep-alive files that a test touches."""

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

    def touched_at(self, container: Container) -> datetime | None:
        return None if self.down else self.touched.get(container.id)
