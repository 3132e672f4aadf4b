"""A terminal that keeps what it shows."""

import io
import re

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True

    def plain(self) -> str:
        """What it shows, without what controls it."""
        return _CONTROL.sub("", self.getvalue())
