"""How a door asks for a container, and what it is told of it."""

from collections.abc import Callable
from dataclasses import dataclass

from ds01_spawner.domain.errors import Conflict
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.request import LaunchRequest
from ds01_spawner.gateway.docker.create.spec import Found
from ds01_spawner.gateway.docker.options.container import AskedContainer
from ds01_spawner.operations.allocation.admission import Grant, Queued


class NameTaken(Conflict):
    """The person has a container of that name."""


@dataclass(frozen=True, slots=True)
class Asks:
    """How a door asks.

    Attributes:
        interface: The door; `None` for Docker's, whose labels tell which of them.
        hub_groups: The person's JupyterHub groups, where the hub vouches for them.
        on_queued: Called on the event loop at each look at the queue.
        on_granted: Called on the event loop when there is a grant, before anything is made.
    """

    interface: Interface | None = None
    hub_groups: tuple[str, ...] = ()
    on_queued: Callable[[Queued], None] = lambda _queued: None
    on_granted: Callable[[Grant], None] = lambda _grant: None


DOCKER = Asks()


@dataclass(frozen=True, slots=True)
class Looked:
    """A container as it would be made, as far as that can be told without a grant.

    Attributes:
        request: For admission, without GPU slots.
        asked: What was asked for.
        limits: The person's.
        found: What is referred to.
    """

    request: LaunchRequest
    asked: AskedContainer
    limits: Limits
    found: Found


@dataclass(frozen=True, slots=True)
class Made:
    """A container that was made.

    Attributes:
        id: The engine's.
        name: What its owner calls it.
        warnings: What they are told with it.
    """

    id: str
    name: str
    warnings: tuple[str, ...]
