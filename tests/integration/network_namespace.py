"""A network of its own for a test, with tables that nobody else sees."""

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


class Namespace:
    """A network namespace.

    Attributes:
        name: What `ip netns` calls it.
    """

    def __init__(self) -> None:
        self.name = f"ds01t{secrets.token_hex(4)}"

    @property
    def within(self) -> tuple[str, ...]:
        """Put before a command that is to run in it."""
        return ("ip", "netns", "exec", self.name)

    def run(self, *command: str, given: str = "") -> str:
        """What a command in it prints."""
        done = subprocess.run(
            [*self.within, *command], input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@contextmanager
def namespace() -> Iterator[Namespace]:
    """One that is gone afterwards."""
    made = Namespace()
    subprocess.run(["ip", "netns", "add", made.name], check=True)
    try:
        yield made
    finally:
        subprocess.run(["ip", "netns", "del", made.name], check=True)
