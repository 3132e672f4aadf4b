"""Frozen dataclasses as rows of a table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Entry = TypeVar("Entry", bound="DataclassInstance")


class Rows(Generic[Entry]):
    """A table whose rows are instances of one dataclass.

    Its statements are made once: building one takes longer than running it.

    Attributes:
        columns: One for each field, in the order of the fields.
        every: Selects every row, in order.
    """

    def __init__(self, entry: type[Entry], table: sa.Table, *order: str) -> None:
        self._entry = entry
        self._names = tuple(field.name for field in fields(entry))
        self.columns = [table.c[name] for name in self._names]
        self.every = sa.select(*self.columns).order_by(*(table.c[name] for name in order))
        self._upsert = upsert(table)
        self._keys = [column.name for column in table.primary_key]
        self._delete = deletion(table, *self._keys)

    def read(
        self,
        connection: sa.Connection,
        chosen: "sa.Select[Any] | None" = None,
        values: Mapping[str, Any] | None = None,
    ) -> list[Entry]:
        """Every row, or those that `chosen`, made from `every`, selects with `values`."""
        rows = connection.execute(self.every if chosen is None else chosen, values)
        return [self._entry(*row) for row in rows]

    def put(self, connection: sa.Connection, entries: Iterable[Entry]) -> None:
        """Add rows or replace those of the same key."""
        if values := [self.values(entry) for entry in entries]:
            connection.execute(self._upsert, values)

    def remove(self, connection: sa.Connection, keys: Iterable[Sequence[Any]]) -> None:
        """Remove the rows of these keys; unknown ones are ignored."""
        if values := [dict(zip(self._keys, key, strict=True)) for key in keys]:
            connection.execute(self._delete, values)

    def values(self, entry: Entry) -> Mapping[str, Any]:
        """The columns of one row, by name."""
        return {name: getattr(entry, name) for name in self._names}


def upsert(table: sa.Table) -> sqlite.Insert:
    """A statement that adds a row or replaces the one with its primary key."""
    statement = sqlite.insert(table)
    keys = [column.name for column in table.primary_key]
    others = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys
    }
    return statement.on_conflict_do_update(index_elements=keys, set_=others)


def deletion(table: sa.Table, *names: str) -> sa.Delete:
    """A statement that removes the rows in which these columns have the values given."""
    return sa.delete(table).where(*(table.c[name] == sa.bindparam(name) for name in names))
