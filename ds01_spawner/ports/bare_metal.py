"""The device nodes of the GPUs, and who may open them outside of containers."""

from collections.abc import Mapping
from typing import Protocol

from ds01_spawner.domain.bare_metal import NodeHolder


class GpuNodes(Protocol):
    """The device nodes of the GPUs.

    What nobody but root may open, such as the one that changes the MIG layout, is none of them.
    """

    def paths(self) -> tuple[str, ...]:
        """Those that exist now, in order."""
        ...

    def driver_is_here(self) -> bool:
        """Whether there is any node at all; simulated GPUs have none."""
        ...

    def open_to_all(self) -> tuple[str, ...]:
        """Those of the cards themselves that everybody may open, grant or none.

        Raises:
            Unavailable: They cannot be read.
        """
        ...

    def give(self, uid: int) -> tuple[str, ...]:
        """Let a user do with each what its group may; those where that was not so before.

        Raises:
            Unavailable: It could not be done with one; with others it may have been.
        """
        ...

    def take_back(self, uid: int) -> tuple[str, ...]:
        """Let a user do with each no more than others; those where that was not so before.

        Raises:
            Unavailable: It could not be done with one; with others it may have been.
        """
        ...

    def given(self) -> Mapping[int, tuple[str, ...]]:
        """Which nodes single users may open, by user id.

        Raises:
            Unavailable: They cannot be read.
        """
        ...

    def holders(self, uid: int) -> tuple[NodeHolder, ...]:
        """A user's processes outside of containers that have a node open now.

        Raises:
            Unavailable: They cannot be seen.
        """
        ...
