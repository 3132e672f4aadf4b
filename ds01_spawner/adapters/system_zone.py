"""The time zone of this machine."""

from datetime import UTC, datetime, timedelta, tzinfo


class SystemZone(tzinfo):
    """The zone of `TZ` or `/etc/localtime` as the C library reads it, summer time included.

    `datetime.now().astimezone().tzinfo` is only the offset of this moment.
    """

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        return None if dt is None else _local(dt).utcoffset()

    def dst(self, dt: datetime | None) -> timedelta | None:
        """Nobody knows: the C library tells the whole offset."""
        del dt

    def tzname(self, dt: datetime | None) -> str | None:
        return None if dt is None else _local(dt).tzname()

    def fromutc(self, dt: datetime) -> datetime:
        there = dt.replace(tzinfo=UTC).astimezone()
        first = there.replace(tzinfo=None)
        # Of the two hours of one name in autumn, the later one.
        fold = int(first.astimezone().utcoffset() != there.utcoffset())
        return first.replace(tzinfo=self, fold=fold)


def _local(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None).astimezone()
