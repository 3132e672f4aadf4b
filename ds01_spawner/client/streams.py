"""Sessions with a command in a container: its input, its output, its terminal, and how it ended.

On the server through the Docker door of the gateway's socket (`docker_stream`), elsewhere by a
websocket through the hub (`web_stream`). As with `docker exec`, to close a session does not end the
command: its input ends.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

STDOUT, STDERR = 1, 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """A command that is to be run.

    Attributes:
        command: The program and its arguments.
        tty: Whether it gets a terminal.
        size: Rows and columns of that.
        environment: Variables beside the container's own.
        workdir: Where it begins; `None` for where the container does.
    """

    command: tuple[str, ...]
    tty: bool = False
    size: tuple[int, int] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    workdir: str | None = None


class Session(ABC):
    """A running command. One thread reads while others write."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def read(self) -> tuple[int, bytes] | None:
        """Waits for more output: which of `STDOUT` and `STDERR`, and what; `None` at its end.

        With a terminal, everything is `STDOUT`. Who does not read holds the command back.

        Raises:
            Unavailable: The connection broke.
        """

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Give the command more input; what comes after its end is dropped.

        Waits while the command takes none.
        """

    @abstractmethod
    def end_input(self) -> None:
        """There is no more input: the command reads an end of file. Its output goes on."""

    @abstractmethod
    def resize(self, rows: int, columns: int) -> None:
        """The terminal has this size now; nothing happens where there is none any more."""

    @abstractmethod
    def exit_code(self) -> int:
        """How it ended; to be asked after the end of its output.

        Raises:
            Unavailable: Nobody tells, or it still runs: it closed its output, or the connection
                broke.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the connection; also makes a `read` that waits in another thread end."""
