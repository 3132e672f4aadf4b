"""A list of people as a spreadsheet saves it: CSV, a line for each. Pure."""

import codecs
import csv
import io
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ds01_spawner.domain.errors import DS01Error, PolicyError
from ds01_spawner.domain.people import Newcomer
from ds01_spawner.policy.document import unknown_key

_COLUMNS = {
    "name": ("name", "login", "login name", "user", "username", "account", "benutzername"),
    "full name": ("full name", "vollständiger name", "real name"),
    "group": ("group", "gruppe"),
    "notify": (
        "notify",
        "notification address",
        "notification",
        "address",
        "e-mail",
        "email",
        "mail",
    ),
}
"""What each column may be called, its own name first."""

_SEPARATORS = ";,\t"
_MOST_LINES = 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """One person of a list.

    Attributes:
        line: Where they are in the file, 1-based.
        newcomer: They.
    """

    line: int
    newcomer: Newcomer


class FaultyList(DS01Error):
    """A list cannot be taken as it is: everything that is wrong with it, by line."""

    def __init__(self, path: str, faults: Sequence[tuple[int, str]]) -> None:
        self.faults = tuple(sorted(faults))
        many = f"{len(faults)} faults" if len(faults) != 1 else "1 fault"
        told = "\n".join(f"{path}:{line}: {words}" for line, words in self.faults)
        super().__init__(f"{many}, so nothing was made:\n{told}")


def read_roster(data: bytes, path: str, *, hub_only: bool = False) -> tuple[Row, ...]:
    """The people of a file; lines without anything in them are passed over.

    Args:
        data: What is in it: UTF-8, with or without a byte order mark; `,`, `;` or tabs between.
        path: As messages name it.
        hub_only: Whether they are to have no Unix accounts.

    Raises:
        FaultyList: Something is wrong with the file itself, or a name is in it twice.
    """
    text = _text(data, path)
    lines = list(_cells(text, path))
    if not lines:
        raise FaultyList(
            path, [(1, f"The file is empty. Its first line names columns: {_names()}.")]
        )
    (head_line, heads), *rest = lines
    columns = _columns(heads, head_line, path)
    if len(rest) > _MOST_LINES:
        raise FaultyList(path, [(head_line, f"A list holds {_MOST_LINES} people at most.")])
    rows, faults = [], []
    seen: dict[str, int] = {}
    for line, cells in rest:
        extra = [each for each in cells[len(heads) :] if each]
        if extra:
            faults.append((line, f"There are more cells than columns: {extra[0]!r}."))
            continue
        values = dict(zip(columns, cells, strict=False))
        name = values.get("name", "")
        if not name:
            faults.append((line, "The column name is empty."))
            continue
        if name in seen:
            faults.append((line, f"{name} is in line {seen[name]} already. Give one another name."))
            continue
        seen[name] = line
        rows.append(Row(line, _newcomer(name, values, hub_only=hub_only)))
    if not rows and not faults:
        faults.append((head_line, "Nobody is below the line that names the columns."))
    if faults:
        raise FaultyList(path, faults)
    return tuple(rows)


def fault_of(error: DS01Error) -> str:
    """What is wrong, in one line."""
    if isinstance(error, PolicyError):
        return "; ".join(str(each) for each in error.problems)
    return " ".join(str(error).split())


def _newcomer(name: str, values: Mapping[str, str], *, hub_only: bool) -> Newcomer:
    return Newcomer(
        name=name,
        full_name=values.get("full name", ""),
        group=values.get("group") or None,
        notify=values.get("notify", ""),
        hub_only=hub_only,
        may_move=False,
    )


def _text(data: bytes, path: str) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise FaultyList(path, [(1, "The file is UTF-16. Save it as “CSV UTF-8”.")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data[: exc.start].count(b"\n") + 1
        raise FaultyList(
            path, [(line, "This line is not UTF-8. Save the file as “CSV UTF-8”.")]
        ) from exc
    return unicodedata.normalize("NFC", text)


def _cells(text: str, path: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of each line that has any, with its number."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            trimmed = [" ".join(each.split()) for each in cells]
            if any(trimmed):
                yield line, trimmed
            line = reader.line_num + 1
    except csv.Error as exc:
        raise FaultyList(path, [(line, f"This line is no CSV: {exc}.")]) from exc


def _columns(heads: Sequence[str], line: int, path: str) -> Sequence[str]:
    columns: list[str] = []
    faults: list[tuple[int, str]] = []
    known = {name: column for column, names in _COLUMNS.items() for name in names}
    for head in heads:
        column = known.get(head.lower().replace("_", " "))
        if column is None and head:
            hint = unknown_key(head, list(_COLUMNS)).replace("key", "column")
            faults.append((line, f"{head!r}: {hint}. The columns are {_names()}."))
        elif column is not None and column in columns:
            faults.append((line, f"{head!r}: there are two columns for the {column}."))
        columns.append(column or "")
    if "name" not in columns and not faults:
        faults.append((line, f"There is no column name. The columns are {_names()}."))
    if faults:
        raise FaultyList(path, faults)
    return columns


def _names() -> str:
    return ", ".join(_COLUMNS)
