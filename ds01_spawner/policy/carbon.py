"""`carbon.yaml`: what a kilowatt-hour emits, by whose word; and the time series beside it."""

import csv
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from ds01_spawner.domain.carbon import Series
from ds01_spawner.domain.errors import PolicyError, PolicyProblem
from ds01_spawner.domain.usage_look import Intensity
from ds01_spawner.policy.document import Section, load_document
from ds01_spawner.policy.values import read_number, text_of

MOST_GRAMS = 5000.0
"""Of a kilowatt-hour; the dirtiest power stations emit less than half of it."""

HEAD = ("time", "grams_per_kwh")

_BYTE_ORDER_MARK = "\ufeff"
"""Spreadsheets write it before the first letter."""


def _grams(value: float) -> float:
    if value > MOST_GRAMS:
        raise ValueError(f"expected grams for a kilowatt-hour, at most {MOST_GRAMS:g}")
    return value


def _text(value: object) -> str:
    text = text_of(value, "expected a text").strip()
    if not text:
        raise ValueError("expected a text; found nothing")
    return text


Grams = Annotated[
    float,
    AfterValidator(_grams),
    BeforeValidator(read_number),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": MOST_GRAMS}),
]
Text = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": "string", "minLength": 1})]


class CarbonConfig(Section):
    """The whole file. Every key may be left out; then nothing is said of emissions."""

    intensity: Grams | None = Field(
        default=None,
        description="Grams of CO2e for a kilowatt-hour, where the series says nothing.",
    )
    series: Text | None = Field(
        default=None,
        description="A CSV file with the columns time (RFC 3339) and grams_per_kwh; beside this "
        "file, or with its whole path.",
    )
    source: Text | None = Field(
        default=None, description="Where the figures are from: stands in every report."
    )

    @model_validator(mode="after")
    def _told(self) -> "CarbonConfig":
        if self.source is None and (self.intensity is not None or self.series is not None):
            raise ValueError("source is missing: say where the figures are from")
        return self


def intensity_of(config: CarbonConfig, series: Series) -> Intensity:
    """What a kilowatt-hour emits at a moment: by the series, else the constant."""

    def at(moment: datetime) -> float | None:
        found = series.at(moment)
        return config.intensity if found is None else found

    return at


def parse_carbon(text: str, path: str) -> CarbonConfig:
    """The configuration that `text` holds.

    Raises:
        PolicyError: It names file, line, key and what was expected.
    """
    return load_document(text, path, CarbonConfig)


def parse_series(text: str, path: str) -> Series:
    """The time series that a CSV file holds, in any order; a row without a figure is no row.

    Raises:
        PolicyError: It names file, line and what was expected; every faulty line is in it.
    """
    reader = csv.reader(text.removeprefix(_BYTE_ORDER_MARK).splitlines())
    head = tuple(cell.strip() for cell in next(reader, []))
    if head != HEAD:
        message = f"expected the columns {','.join(HEAD)}; found {','.join(head) or 'nothing'}"
        raise PolicyError((PolicyProblem(path, 1, "", message),))
    return _series(((line, row) for line, row in enumerate(reader, 2) if row), path)


def _series(rows: Iterable[tuple[int, list[str]]], path: str) -> Series:
    found: dict[datetime, float] = {}
    problems = []
    for line, row in rows:
        try:
            told = _row(row)
        except ValueError as exc:
            problems.append(PolicyProblem(path, line, "", str(exc)))
            continue
        if told is not None:
            found[told[0]] = told[1]
    if problems:
        raise PolicyError(tuple(problems))
    times = tuple(sorted(found))
    return Series(times, tuple(found[each] for each in times))


def _row(row: list[str]) -> tuple[datetime, float] | None:
    """What a row tells; `None` for nothing: grids leave cells empty of what they do not know."""
    if not any(cell.strip() for cell in row):
        return None
    if len(row) != len(HEAD):
        raise ValueError(f"expected {len(HEAD)} columns; found {len(row)}")
    time, grams = (cell.strip() for cell in row)
    moment = _moment(time)
    return (moment, _grams(read_number(grams))) if grams else None


def _moment(text: str) -> datetime:
    shown = text[:40]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected a time such as 2026-01-31T12:00:00Z; found {shown!r}") from None
    if moment.tzinfo is None:
        raise ValueError(
            f"{shown!r} does not say in which zone; write 2026-01-31T12:00:00Z for UTC, or "
            "2026-01-31T13:00:00+01:00"
        )
    return moment
