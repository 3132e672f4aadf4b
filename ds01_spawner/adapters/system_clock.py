"""The host's clock."""

from datetime import UTC, datetime


class SystemClock:
    """The `Clock` port."""

    def now(self) -> datetime:
        """This moment, in UTC."""
        return datetime.now(UTC)
