"""What every message has; who may what; and how a problem is told."""

import ast
import inspect
import re
import sys
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from itertools import pairwise
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
)

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

MOST_ON_A_PAGE = 200
USUAL_ON_A_PAGE = 50


def _flag(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value not in {"true", "false"}:
        raise ValueError("expected true or false")
    return value == "true"


def _count(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not (value.isascii() and value.isdecimal()) or len(value) > _LONGEST_COUNT:
        raise ValueError("expected a whole number")
    return int(value)


def _moment(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not _MOMENT.match(value):
        raise ValueError("expected a time such as 2026-01-31T12:00:00Z")
    if not _FIRST_YEAR <= value[:4] <= _LAST_YEAR:
        raise ValueError(f"expected a time between the years {_FIRST_YEAR} and {_LAST_YEAR}")
    return value


_LONGEST_COUNT = 9
_FIRST_YEAR, _LAST_YEAR = "1970", "2999"
"""Days can be added to all of these, and taken away; not at the ends of Python's calendar."""

_MOMENT = re.compile(
    r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)\Z", re.ASCII
)

Flag = Annotated[bool, BeforeValidator(_flag)]
Count = Annotated[int, BeforeValidator(_count)]
Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]
"""What a parameter says; written in one way only."""

UserName = Annotated[str, Field(min_length=1, max_length=255)]
PageSize = Annotated[Count, Field(ge=1, le=MOST_ON_A_PAGE)]
FileName = Annotated[str, Field(min_length=1, max_length=255)]
FileText = Annotated[str, Field(max_length=200_000)]
Cursor = Annotated[str, Field(max_length=500)]


class Wire(BaseModel):
    """Something that is sent; it never changes, and has nothing in it that is not named."""

    # Not `use_attribute_docstrings`: it parses the source of each class when that is imported, half
    # of what all of them take, and only a schema needs the texts.
    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def told(cls, text: str | bytes) -> Self:
        """What a server says, without what only a newer release knows.

        Programs on laptops and in images that people made are older than their server. What is
        sent to it is held to the letter; what it answers is not.

        Raises:
            pydantic.ValidationError: Something is missing, or of another kind.
        """
        return cls.model_validate_json(text, extra="ignore")

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: "CoreSchema", handler: GetJsonSchemaHandler
    ) -> "JsonSchemaValue":
        """The schema, with what the source says below each field."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in _described(cls).items():
            if name in properties:
                properties[name].setdefault("description", text)
        return schema


def _described(model: type) -> dict[str, str]:
    texts: dict[str, str] = {}
    for each in reversed(model.__mro__[: model.__mro__.index(Wire)]):
        with _READING:
            texts |= _below_fields(each.__module__).get(each.__name__, {})
    return texts


_READING = Lock()
"""On Python 3.11 two threads that parse at a time can get a SystemError (gh-106905)."""


@cache
def _below_fields(module: str) -> Mapping[str, Mapping[str, str]]:
    """By class and field of a module, the text that its source has below the field."""
    found: dict[str, dict[str, str]] = {}
    for definition in ast.parse(inspect.getsource(sys.modules[module])).body:
        if isinstance(definition, ast.ClassDef):
            texts = found.setdefault(definition.name, {})
            for field, below in pairwise(definition.body):
                match field, below:
                    case (
                        ast.AnnAssign(target=ast.Name(id=name)),
                        ast.Expr(value=ast.Constant(value=str(text))),
                    ):
                        texts[name] = inspect.cleandoc(text)
    return found


class Role(StrEnum):
    """What somebody may do; each role may do what those before it may."""

    STUDENT = "student"
    MANAGER = "manager"
    ADMIN = "admin"

    def includes(self, other: "Role") -> bool:
        """Whether who has this role may do what `other` may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


class Fault(Wire):
    """One fault in a policy file."""

    path: str
    """The file, as it was named."""
    line: int | None = None
    key: str = ""
    """Dotted key, such as `groups.student.memory`; empty for the whole file."""
    message: str


class Problem(Wire):
    """Why something was not done (RFC 9457)."""

    type: str
    """`urn:ds01:problem:` and one of quota, capacity, forbidden, invalid, not-found, conflict,
    unavailable, policy, rate, unauthenticated, too-large, method, internal."""
    title: str
    status: int
    detail: str
    """What happened, and how much of what."""
    next_step: str = ""
    """What to do about it; empty when there is nothing."""
    request_id: str = ""
    """Names the request in the audit log, where it is `details.request_id`."""
    limit: str | None = None
    """The policy's key, where a limit is reached."""
    used: float | None = None
    asked: float | None = None
    allowed: float | None = None
    holders: tuple[str, ...] = ()
    """What one's containers that use it are called."""
    place: int | None = None
    """The place in the queue that waiting would give."""
    faults: tuple[Fault, ...] = ()
    retry_after_seconds: float | None = None
