"""The time zone of this machine."""

from datetime import UTC, datetime, timedelta, tzinfo


class SystemZone(tzinfo):
    """The zone of `TZ` or `/etc/localtime` as the C library reads it, summer time included.

    `datetime.now().astimezone().tzinfo` is only the offset of this moment.
    """

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """How far ahead of UTC a time of day is."""
        return None if dt is None else _local(dt).utcoffset()

    def dst(self, dt: datetime | None) -> timedelta | None:
        """Not known: the C library tells the whole offset."""
        del dt
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        """What the offset is called, such as `CET`."""
        return None if dt is None else _local(dt).tzname()

    def fromutc(self, dt: datetime) -> datetime:
        """A time of day in UTC, as `astimezone` hands it over, as the time of day here."""
        there = dt.replace(tzinfo=UTC).astimezone()
        first = there.replace(tzinfo=None)
        # Of the two hours of one name in autumn, the later one.
        fold = int(first.astimezone().utcoffset() != there.utcoffset())
        return first.replace(tzinfo=self, fold=fold)


def _local(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None).astimezone()
