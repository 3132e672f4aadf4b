"""What the dashboard shows, as it was at one moment."""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ds01_cli.frame import session

if TYPE_CHECKING:
    from ds01_spawner.client.models import Containers, Gpus, Me, Queue


@dataclass(frozen=True, slots=True)
class Look:
    """The lab at one moment: what whoever asks may see of it.

    Attributes:
        me: Who asks.
        gpus: Every slot; others without names for who may not know them.
        containers: One's own; everybody's for managers.
        queue: The same of places.
        of_all: Whether it is everybody's.
        at: When it was, on this machine's clock that never jumps.
    """

    me: "Me"
    gpus: "Gpus"
    containers: "Containers"
    queue: "Queue"
    of_all: bool
    at: float = field(default_factory=time.monotonic)

    @property
    def document(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "taken_at": self.gpus.taken_at.isoformat(),
            "user": self.me.user,
            "role": self.me.role.value,
            "gpus": self.gpus.model_dump(mode="json"),
            "containers": self.containers.model_dump(mode="json"),
            "queue": self.queue.model_dump(mode="json"),
        }

    def now(self) -> datetime:
        """The server's time; this machine's may be wrong."""
        return self.gpus.taken_at + timedelta(seconds=time.monotonic() - self.at)


def looked() -> Look:
    """Look; each time with a connection of its own, which outlives no restart of the gateway.

    Raises:
        DS01Error: Nobody answers, or they refuse.
    """
    from ds01_spawner.client.models import Role  # noqa: PLC0415 - help does without pydantic

    with session.connect() as client:
        me = client.me()
        of_all = me.role.includes(Role.MANAGER)
        return Look(
            me=me,
            gpus=client.gpus(),
            containers=client.containers(everybody=of_all),
            queue=client.queue(),
            of_all=of_all,
        )
