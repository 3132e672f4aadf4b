"""`lifecycle-exemptions.yaml`: whom a lifecycle limit does not stop for a while, and why."""

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from ds01_spawner.domain.exemption import Exemption
from ds01_spawner.domain.names import SEPARATOR
from ds01_spawner.domain.work import Rule
from ds01_spawner.policy.document import Document, Section, found, read_document, validate
from ds01_spawner.policy.values import Name, blank_is_empty, text_of

RULES = (Rule.IDLE, Rule.RUNTIME)
"""The limits from which somebody can be exempted."""

_DATE_PATTERN = r"2\d{3}-\d{2}-\d{2}"
_TIME_PATTERN = r"\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
_UNTIL_PATTERN = rf"^{_DATE_PATTERN}([Tt ]{_TIME_PATTERN}( ?([Zz]|[+-]\d{{2}}:\d{{2}}))?)?$"
_UNTIL = re.compile(_UNTIL_PATTERN, re.ASCII)
_A_DAY = timedelta(days=1)


def _until(value: object) -> date | datetime:
    expected = "expected a date such as 2026-12-31, or a time such as 2026-12-31 18:00"
    if value is None:
        raise ValueError(
            f"every exemption ends; {expected}. For good, write null for the limit itself in "
            "resource-limits.yaml"
        )
    text = text_of(value, expected)
    if _UNTIL.match(text) is None:
        raise ValueError(f"{expected}; found {found(text)}")
    try:
        if len(text) == len("2026-12-31"):
            return date.fromisoformat(text)
        return datetime.fromisoformat(f"{text[:10]}T{text[11:].upper().replace(' ', '')}")
    except ValueError as exc:
        raise ValueError(f"there is no such day or time; {expected}; found {found(text)}") from exc


def _rule(value: object) -> Rule:
    expected = f"expected {' or '.join(RULES)}"
    text = text_of(value, expected)
    if text not in RULES:
        raise ValueError(f"{expected}; found {found(text)}")
    return Rule(text)


def _some(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    if not rules:
        raise ValueError(f"expected at least one of {', '.join(RULES)}")
    return rules


def _container(value: object) -> str:
    text = text_of(value, "expected what its owner calls the container, such as thesis-run").strip()
    if SEPARATOR in text:
        name = text.partition(SEPARATOR)[0]
        raise ValueError(f"expected what its owner calls the container, {name!r}; found {text!r}")
    if not text or not text.isprintable():
        raise ValueError(f"expected what its owner calls the container; found {found(value)}")
    return text


def _reason(value: object) -> str:
    expected = "expected why, in a few words"
    text = text_of(value, expected)
    if not text.strip():
        raise ValueError(f"{expected}; found {found(text)}")
    return " ".join(text.split())


class ExemptionEntry(Section):
    """One person whom a limit does not stop for a while."""

    key_hints = MappingProxyType(
        {
            **dict.fromkeys(("username", "person", "name"), "write user"),
            **dict.fromkeys(("expires", "expires_on", "expires_at", "expiry"), "write until"),
            **dict.fromkeys(("exemptions", "exempt", "rules", "limits"), "write exempt_from"),
        }
    )

    user: Name = Field(description="Whom it is for")
    container: Annotated[str, BeforeValidator(_container)] | None = Field(
        default=None,
        description="What they call the container, such as thesis-run; absent: all of theirs",
    )
    exempt_from: Annotated[
        tuple[
            Annotated[
                Rule,
                BeforeValidator(_rule),
                WithJsonSchema({"type": "string", "enum": list(RULES)}),
            ],
            ...,
        ],
        BeforeValidator(blank_is_empty),
        AfterValidator(_some),
    ] = Field(
        description="The limits that do not stop them",
        json_schema_extra={"minItems": 1, "uniqueItems": True},
    )
    until: Annotated[
        date | datetime,
        PlainValidator(_until),
        WithJsonSchema(
            {
                "type": "string",
                "pattern": _UNTIL_PATTERN,
                "examples": ["2026-12-31", "2026-12-31 18:00", "2026-12-31T18:00:00+01:00"],
            }
        ),
    ] = Field(description="Until when: to the end of that day, or to that moment")
    reason: Annotated[
        str, BeforeValidator(_reason), WithJsonSchema({"type": "string", "pattern": r"\S"})
    ] = Field(description="Why")


class ExemptionsDocument(Section):
    """The whole file."""

    exemptions: Annotated[tuple[ExemptionEntry, ...], BeforeValidator(blank_is_empty)] = Field(
        description="Who is exempted; nothing after the colon: nobody",
        json_schema_extra={"type": ["array", "null"]},
    )


@dataclass(frozen=True, slots=True)
class ExemptionsFile:
    """A file of exemptions as it was read.

    Attributes:
        path: The file, as messages name it.
        text: What is in it.
        zone: Where a date or a time without offset is meant.
    """

    path: str
    text: str
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class ExemptionNote:
    """Something about an exemption that is no error and that somebody should look at.

    Attributes:
        source: `file:line`.
        message: What it is and what to do.
    """

    source: str
    message: str

    def __str__(self) -> str:
        return f"{self.source}: {self.message}"


def read_exemptions(file: ExemptionsFile) -> tuple[Exemption, ...]:
    """The exemptions in a file, in its order.

    Raises:
        PolicyError: Something is wrong with it; every fault found is in it.
    """
    document = read_document(file.text, file.path)
    entries = validate(document, ExemptionsDocument).exemptions
    return tuple(
        _exemption(entry, document, index, file.zone) for index, entry in enumerate(entries)
    )


def exemption_notes(
    exemptions: Sequence[Exemption],
    now: datetime,
    zone: tzinfo,
    known: Callable[[str], bool],
    names: Sequence[str] = (),
) -> Iterator[ExemptionNote]:
    """What `ds01 policy check` has to say of exemptions that are valid.

    Args:
        exemptions: All of them, in the order of the file.
        now: The moment.
        zone: Where its reader's clock hangs.
        known: Whether there is a person of that name.
        names: Names of people, for a guess at what was meant.
    """
    in_force: list[Exemption] = []
    for each in exemptions:
        if each.until <= now:
            on = each.until.astimezone(zone) - timedelta(microseconds=1)
            message = f"the exemption of {each.user} expired on {on:%Y-%m-%d}; remove it"
            yield ExemptionNote(each.source, message)
            continue
        if not known(each.user):
            guess = difflib.get_close_matches(each.user, names, n=1)
            hint = f"did you mean {guess[0]}?" if guess else "it takes effect when somebody is"
            yield ExemptionNote(each.source, f"nobody is called {each.user!r} yet; {hint}")
        for other in in_force:
            if both := _overlap(each, other):
                line = other.source.rpartition(":")[2]
                message = f"line {line} exempts the same from {both}; the later end holds"
                yield ExemptionNote(each.source, message)
        in_force.append(each)


def until_in_words(until: datetime, zone: tzinfo) -> str:
    """`the end of 2026-12-31`, or `2026-12-31 18:00`."""
    there = until.astimezone(zone)
    if there.time() == time():
        return f"the end of {there - timedelta(microseconds=1):%Y-%m-%d}"
    return f"{there:%Y-%m-%d %H:%M}"


def rules_in_words(exemption: Exemption) -> str:
    """`idle_timeout, max_runtime`: the limits of an exemption, in one order."""
    return ", ".join(rule for rule in RULES if rule in exemption.rules)


def _exemption(entry: ExemptionEntry, document: Document, index: int, zone: tzinfo) -> Exemption:
    until = entry.until
    if not isinstance(until, datetime):
        until = datetime.combine(until + _A_DAY, time())
    if until.tzinfo is None:
        until = until.replace(tzinfo=zone)
    return Exemption(
        user=entry.user,
        container=entry.container,
        rules=frozenset(entry.exempt_from),
        until=until.astimezone(UTC),
        reason=entry.reason,
        source=f"{document.path}:{document.line(('exemptions', index))}",
    )


def _overlap(one: Exemption, other: Exemption) -> str:
    if (one.user, one.container) != (other.user, other.container):
        return ""
    return ", ".join(rule for rule in RULES if rule in one.rules & other.rules)
