"""The part of a transaction that usage is booked in: intervals, hours and days."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from ds01_spawner.adapters.ledger import tables
from ds01_spawner.adapters.ledger.rows import Rows, upsert
from ds01_spawner.domain.allocation import UsageInterval
from ds01_spawner.domain.usage import (
    HOLDER_FIELDS,
    LARGEST,
    Amount,
    Booking,
    DayAmount,
    Grain,
    Holder,
    UsageMark,
)
from ds01_spawner.domain.usage_totals import TOTALLED, TotalPart

_USAGE = Rows(UsageInterval, tables.usage)
_MARK = Rows(UsageMark, tables.usage_mark)
_PUT_MARK = upsert(tables.usage_mark)
_TABLES = MappingProxyType({Grain.HOUR: tables.usage_hours, Grain.DAY: tables.usage_days})
_HOLDER = HOLDER_FIELDS
_DAY = 24 * 3600 * 10**6
_AMOUNT = tuple(field.name for field in fields(Amount))
_OF_TOTAL = ("user", "group", "profile", "gpu_equivalents")
_OF_HOLDER = [tables.usage_holders.c[name] for name in _HOLDER]

_BEGUN_BEFORE = _USAGE.every.where(
    sa.func.coalesce(tables.usage.c.folded_until, tables.usage.c.started_at)
    < sa.bindparam("moment", type_=tables.MOMENT)
)
_OF_CONTAINERS = _USAGE.every.where(
    tables.usage.c.container_id.in_(sa.text("SELECT value FROM json_each(:ids)"))
)
_ADD_HOLDER = sqlite.insert(tables.usage_holders).on_conflict_do_nothing()
_HOLDER_ID = sa.select(tables.usage_holders.c.id).where(
    *(tables.usage_holders.c[name] == sa.bindparam(name) for name in _HOLDER)
)


def _first_of(table: sa.Table) -> str:
    """When the first hour or day began: of each holder it is looked up by the key."""
    return (
        f"SELECT (SELECT min(b.begin) FROM {table.name} b WHERE b.holder = h.id) AS first "  # noqa: S608 - names of ours
        "FROM usage_holders h"
    )


_FIRST = sa.text(
    "SELECT min(first) FROM (SELECT min(started_at) AS first FROM usage UNION ALL "  # noqa: S608 - names of ours
    f"{' UNION ALL '.join(map(_first_of, _TABLES.values()))})"
)


def _addition(table: sa.Table) -> sqlite.Insert:
    """Adds amounts to those of the same key."""
    statement = sqlite.insert(table)
    sums = {
        name: sa.func.max(table.c[name], statement.excluded[name])
        if name in LARGEST
        else table.c[name] + statement.excluded[name]
        for name in _AMOUNT
    }
    return statement.on_conflict_do_update(index_elements=["holder", "begin"], set_=sums)


def _before(table: sa.Table) -> "sa.ColumnElement[bool]":
    return table.c.begin < sa.bindparam("moment", type_=tables.MOMENT)


_SUMMED = {name: "max" if name in LARGEST else "sum" for name in _AMOUNT}


def _of_holders(table: sa.Table) -> str:
    """Totals of each holder: for each of them the period is looked up by the key.

    `CROSS JOIN` keeps SQLite from reading the table as a whole
    (https://www.sqlite.org/optoverview.html#manual_control_of_query_plans_using_cross_join).
    """
    holder = ", ".join(f'h."{name}"' for name in _HOLDER)
    amounts = ", ".join(f"{how}(b.{name}) AS {name}" for name, how in _SUMMED.items())
    return (
        f"SELECT {holder}, {amounts} FROM usage_holders h "  # noqa: S608 - names of ours
        f"CROSS JOIN {table.name} b "
        "WHERE b.holder = h.id AND b.begin >= :begin AND b.begin < :end "
        'AND (:user IS NULL OR h."user" = :user) GROUP BY h.id'
    )


@cache
def _sums(by: tuple[str, ...]) -> "sa.TextClause":
    names = ", ".join(f'"{name}"' for name in by)
    amounts = ", ".join(f"{how}({name})" for name, how in _SUMMED.items())
    every = " UNION ALL ".join(map(_of_holders, _TABLES.values()))
    return sa.text(
        f"SELECT {names}, {amounts} FROM ({every}) GROUP BY {names}"  # noqa: S608 - names of ours
    )


@cache
def _held(by: tuple[str, ...]) -> "sa.TextClause":
    names = ", ".join(f'"{name}"' for name in by)
    last = "min(coalesce(ended_at, :end), :end)"
    first = "max(coalesce(folded_until, started_at), started_at, :begin)"
    return sa.text(
        f"SELECT {names}, sum({last} - {first}) FROM usage "  # noqa: S608 - names of ours
        f"WHERE {last} > {first} "
        f'AND (:user IS NULL OR "user" = :user) GROUP BY {names}'
    )


_WEIGHTS = sa.text("SELECT DISTINCT gpu_equivalents FROM usage_holders")


def _days_of(table: sa.Table) -> str:
    """Totals of each day, of slots of one weight: SQLite groups by one whole number faster."""
    amounts = ", ".join(f"{how}(b.{name}) AS {name}" for name, how in _SUMMED.items())
    return (
        f"SELECT b.begin / :day AS place, {amounts} "  # noqa: S608 - names of ours
        f"FROM usage_holders h CROSS JOIN {table.name} b "
        "WHERE b.holder = h.id AND b.begin >= :begin AND b.begin < :end "
        "AND h.gpu_equivalents = :weight "
        'AND (:user IS NULL OR h."user" = :user) GROUP BY place'
    )


_BY_DAY = MappingProxyType({grain: sa.text(_days_of(table)) for grain, table in _TABLES.items()})
_HELD_BY_DAY = sa.text(
    "WITH RECURSIVE parts(weight, first, until, last) AS ("
    "SELECT gpu_equivalents, first, min(last, (first / :day + 1) * :day), last FROM ("
    "SELECT gpu_equivalents, "
    "max(coalesce(folded_until, started_at), started_at, :begin) AS first, "
    "min(coalesce(ended_at, :end), :end) AS last FROM usage "
    'WHERE (:user IS NULL OR "user" = :user)) WHERE last > first '
    "UNION ALL SELECT weight, until, min(last, until + :day), last FROM parts WHERE until < last) "
    "SELECT first / :day AS place, weight, sum(until - first) FROM parts GROUP BY place, weight"
)
"""What lasts beyond midnight is a part in each day."""


def _booked_totals(table: sa.Table) -> str:
    sums = ", ".join(f"sum(b.{name}) AS {name}" for name in TOTALLED)
    holder = ", ".join(f'h."{name}"' for name in _OF_TOTAL)
    names = ", ".join(f'"{name}"' for name in _OF_TOTAL)
    together = ", ".join(f"sum({name})" for name in TOTALLED)
    return (
        f"SELECT {names}, {together} FROM (SELECT {holder}, {sums} "  # noqa: S608 - names of ours
        f"FROM usage_holders h CROSS JOIN {table.name} b WHERE b.holder = h.id GROUP BY h.id) "
        f"GROUP BY {names}"
    )


def _held_totals() -> str:
    """Of what is in neither hours nor days, what somebody has seen.

    An end that was not told is the last look until it is.
    """
    names = ", ".join(f'"{name}"' for name in _OF_TOTAL)
    last = "coalesce(ended_at, seen_at, started_at)"
    first = "max(coalesce(folded_until, started_at), started_at)"
    nothing = ", 0" * (len(TOTALLED) - 1)
    return (
        f"SELECT {names}, sum(max({last} - {first}, 0)){nothing} "  # noqa: S608 - names of ours
        f"FROM usage GROUP BY {names}"
    )


_TOTALS: Mapping[Grain | None, "sa.TextClause"] = MappingProxyType(
    {
        None: sa.text(_held_totals()),
        **{grain: sa.text(_booked_totals(table)) for grain, table in _TABLES.items()},
    }
)

_ADD = MappingProxyType({grain: _addition(table) for grain, table in _TABLES.items()})
_READ = MappingProxyType(
    {
        grain: sa.select(*_OF_HOLDER, table.c.begin, *(table.c[name] for name in _AMOUNT))
        .join(tables.usage_holders, tables.usage_holders.c.id == table.c.holder)
        .where(_before(table))
        for grain, table in _TABLES.items()
    }
)
_FORGET = MappingProxyType(
    {grain: sa.delete(table).where(_before(table)) for grain, table in _TABLES.items()}
)
_FORGET_HOLDERS = sa.delete(tables.usage_holders).where(
    *(~sa.exists().where(table.c.holder == tables.usage_holders.c.id) for table in _TABLES.values())
)


class UsagePart:
    """Intervals that are put together, hours, days, and how far that has come."""

    _connection: sa.Connection

    def usage_of(self, container_ids: Collection[str]) -> Sequence[UsageInterval]:
        """Every interval of these containers that is kept."""
        return _USAGE.read(self._connection, _OF_CONTAINERS, {"ids": json.dumps([*container_ids])})

    def remove_usage(self, intervals: Sequence[UsageInterval]) -> None:
        """Forget intervals; unknown ones are ignored."""
        keys = [(each.container_id, each.gpu_uuid, each.started_at) for each in intervals]
        _USAGE.remove(self._connection, keys)

    def usage_begun_before(self, moment: datetime) -> Sequence[UsageInterval]:
        """Intervals of which something before `moment` is in no hour yet."""
        return _USAGE.read(self._connection, _BEGUN_BEFORE, {"moment": moment})

    def usage_held(
        self,
        begin: datetime,
        end: datetime,
        user: str | None = None,
        by: Sequence[str] = HOLDER_FIELDS,
    ) -> Sequence[tuple[Holder, Amount]]:
        """What intervals held within a period and is in no hour yet."""
        rows = self._connection.execute(_held(tuple(by)), _period(begin, end, user))
        return [
            (Holder(**dict(zip(by, row, strict=False))), Amount(held_microseconds=row[-1]))
            for row in rows
        ]

    def book_usage(self, grain: Grain, bookings: Iterable[Booking]) -> None:
        """Add amounts to those of the same holder and hour or day."""
        ids: dict[Holder, int] = {}
        values = []
        for each in bookings:
            if each.holder not in ids:
                ids[each.holder] = self._id_of(each.holder)
            amounts = {name: getattr(each.amount, name) for name in _AMOUNT}
            key = {"holder": ids[each.holder], "begin": grain.begin_of(each.begin)}
            values.append({**key, **amounts})
        if values:
            self._connection.execute(_ADD[grain], values)

    def bookings_before(self, grain: Grain, moment: datetime) -> Sequence[Booking]:
        """Hours or days that began before `moment`."""
        rows = self._connection.execute(_READ[grain], {"moment": moment})
        place = len(_HOLDER)
        return [
            Booking(Holder(*row[:place]), row[place], Amount(*row[place + 1 :])) for row in rows
        ]

    def remove_bookings_before(self, grain: Grain, moment: datetime) -> None:
        """Forget hours or days that began before `moment`, and whose nothing is booked any more."""
        self._connection.execute(_FORGET[grain], {"moment": moment})
        self._connection.execute(_FORGET_HOLDERS)

    def usage_booked(
        self,
        begin: datetime,
        end: datetime,
        user: str | None = None,
        by: Sequence[str] = HOLDER_FIELDS,
    ) -> Sequence[tuple[Holder, Amount]]:
        """Sums of the hours and days that began within a period."""
        rows = self._connection.execute(_sums(tuple(by)), _period(begin, end, user))
        return [
            (Holder(**dict(zip(by, row, strict=False))), Amount(*row[len(by) :])) for row in rows
        ]

    def booked_by_day(
        self, grain: Grain, begin: datetime, end: datetime, user: str | None = None
    ) -> Sequence[DayAmount]:
        """What is booked as hours, or as days, on each day of a period."""
        values = {**_period(begin, end, user), "day": _DAY}
        weights = self._connection.execute(_WEIGHTS).scalars().all()
        return [
            (tables.moment(place * _DAY), holder, Amount(*amounts))
            for holder in (Holder(gpu_equivalents=weight) for weight in weights)
            for place, *amounts in self._connection.execute(
                _BY_DAY[grain], {**values, "weight": holder.gpu_equivalents}
            )
        ]

    def held_by_day(
        self, begin: datetime, end: datetime, user: str | None = None
    ) -> Sequence[DayAmount]:
        """What intervals held on each day of a period and is in no hour yet."""
        values = {**_period(begin, end, user), "day": _DAY}
        return [
            (
                tables.moment(place * _DAY),
                Holder(gpu_equivalents=weight),
                Amount(held_microseconds=part),
            )
            for place, weight, part in self._connection.execute(_HELD_BY_DAY, values)
        ]

    def usage_totals(self, grain: Grain | None) -> Sequence[TotalPart]:
        """What is booked as hours, or as days, or in neither yet, since there are books."""
        place = len(_OF_TOTAL)
        return [
            (Holder(**dict(zip(_OF_TOTAL, row[:place], strict=True))), row[place:])
            for row in self._connection.execute(_TOTALS[grain]).all()
        ]

    def usage_begin(self) -> datetime | None:
        """Since when there is anything; `None` for nothing."""
        first = self._connection.execute(_FIRST).scalar_one()
        return None if first is None else tables.moment(first)

    def usage_mark(self) -> UsageMark | None:
        """How far the books are kept; `None` before the first time."""
        return next(iter(_MARK.read(self._connection)), None)

    def put_usage_mark(self, mark: UsageMark) -> None:
        """Remember how far the books are kept."""
        self._connection.execute(_PUT_MARK, {"only": 1, **_MARK.values(mark)})

    def _id_of(self, holder: Holder) -> int:
        values: Mapping[str, Any] = {name: getattr(holder, name) for name in _HOLDER}
        self._connection.execute(_ADD_HOLDER, values)
        return int(self._connection.execute(_HOLDER_ID, values).scalar_one())


def _period(begin: datetime, end: datetime, user: str | None) -> Mapping[str, Any]:
    return {"begin": tables.kept(begin), "end": tables.kept(end), "user": user}
