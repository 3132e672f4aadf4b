"""YAML text to checked data in which every key knows its line.

Every scalar stays the text that somebody wrote, so that `no`, `1:30`, `1e3` and `2026-01-31` mean
what the reader of the file sees, and a user may be called `on` or `007`. Only an unquoted `null`
or `~` is `None`. The models turn text into numbers.
"""

import difflib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from ds01_spawner.domain.errors import PolicyError, PolicyProblem
from ds01_spawner.policy.yaml_reader import Blank, KeyPath, read_yaml

M = TypeVar("M", bound=BaseModel)

_MANY_KEYS = 14
_LONG = 60


class Section(BaseModel):
    """A mapping in a configuration file: its keys are the fields, and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    key_hints: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """What to say about keys that people try and that do not exist."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file as data: mappings, lists, text and `None`.

    Attributes:
        path: The file, as messages name it.
        data: The root mapping.
        lines: 1-based line of each key and list item, by its path from the root of the file.
        moved: Where the file has a key that `data` has elsewhere, or under another name.
    """

    path: str
    data: Mapping[str, object]
    lines: Mapping[KeyPath, int]
    moved: Mapping[KeyPath, KeyPath] = field(default_factory=dict)

    def place(self, key: KeyPath) -> KeyPath:
        """The path by which the file itself knows `key`."""
        place: KeyPath = ()
        for depth, part in enumerate(key):
            place = self.moved.get(key[: depth + 1], (*place, part))
        return place

    def line(self, key: KeyPath) -> int | None:
        """The line of `key`, or of the nearest thing around it that has one."""
        place = self.place(key) if self.moved else key
        for length in range(len(place), 0, -1):
            if (line := self.lines.get(place[:length])) is not None:
                return line
        return None

    def problem(self, key: KeyPath, message: str) -> PolicyProblem:
        """A fault at `key`, named as the file names it."""
        name = ".".join(map(str, self.place(key)))
        return PolicyProblem(self.path, self.line(key), name, message)


def read_document(text: str, path: str) -> Document:
    """The mapping that a YAML file holds.

    Raises:
        PolicyError: It is not valid YAML, is empty, is not a mapping, repeats a key, or uses
            tags or too many aliases. Every fault found is in it.
    """
    data, lines = read_yaml(text, path)
    return Document(path, data, lines)


def load_document(text: str, path: str, model: type[M]) -> M:
    """The model that a YAML file describes.

    Raises:
        PolicyError: Something is wrong with the file; every fault found is in it.
    """
    return validate(read_document(text, path), model)


def validate(document: Document, model: type[M]) -> M:
    """`document` as a model.

    Raises:
        PolicyError: Keys or values are not what the model says.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as exc:
        problems = tuple(_problem(document, model, error) for error in exc.errors())
        raise PolicyError(tuple(sorted(problems, key=lambda each: each.line or 0))) from exc


def _problem(document: Document, model: type[BaseModel], error: ErrorDetails) -> PolicyProblem:
    location = error["loc"]
    if location and location[-1] == "[key]":
        location = location[:-1]
    key = location
    while key and document.place(key) not in document.lines and error["type"] != "missing":
        key = key[:-1]
    if error["type"] == "extra_forbidden":
        name, around = str(location[-1]), _models_at(model, location[:-1])
        hints = [each.key_hints[name] for each in around if name in each.key_hints]
        known = [field.alias or key for each in around for key, field in each.model_fields.items()]
        hint = f"unknown key; {hints[0]}" if hints else unknown_key(name, known)
        return document.problem(key, hint)
    return document.problem(key, _message(error))


def unknown_key(key: str, known: Sequence[str]) -> str:
    """What to say about `key`, which is none of `known`."""
    begun = [each for each in known if each.startswith(f"{key}_") or key.startswith(f"{each}_")]
    if close := begun or difflib.get_close_matches(key, known, n=1, cutoff=0.6):
        return f"unknown key; did you mean {close[0]}?"
    if known and len(known) <= _MANY_KEYS:
        return f"unknown key; expected one of {', '.join(known)}"
    return "unknown key"


def found(value: object) -> str:
    """How a message quotes a value out of a file."""
    match value:
        case None:
            return "null"
        case Blank():
            return "nothing"
        case str():
            return repr(value if len(value) <= _LONG else f"{value[:_LONG]}…")
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case _:
            return str(value)


def _message(error: ErrorDetails) -> str:
    kind = error["type"]
    context = error.get("ctx", {})
    value = found(error["input"])
    if kind == "missing":
        return "this key is required"
    if kind == "value_error":
        return str(context["error"])
    if kind in {"literal_error", "enum"}:
        return f"expected one of {context['expected']}; found {value}"
    forms: Mapping[str, str] = {
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "model": "a mapping of keys to values",
        "dict": "a mapping of keys to values",
        "mapping": "a mapping of keys to values",
        "list": "a list",
        "tuple": "a list",
        "set": "a list",
        "frozen": "a list",
        "none": "null",
        "string_type": "text",
    }
    if expected := forms.get(kind) or forms.get(kind.split("_", maxsplit=1)[0]):
        return f"expected {expected}; found {value}"
    return f"{error['msg'].replace('Input should', 'this should')}; found {value}"


def _models_at(model: type[BaseModel], location: Sequence[int | str]) -> list[type[Section]]:
    """The models that the mapping at `location` may be."""
    here: Sequence[object] = [model]
    for part in location:
        here = [inner for outer in here for inner in _inside(outer, part)]
    return [each for outer in here for each in _models(outer) if issubclass(each, Section)]


def _inside(annotation: object, part: int | str) -> Iterator[object]:
    for model in _models(annotation):
        if (field := model.model_fields.get(str(part))) is not None:
            yield field.annotation
    for plain in _plain(annotation):
        origin, arguments = typing.get_origin(plain), typing.get_args(plain)
        if isinstance(origin, type) and arguments and not issubclass(origin, type):
            yield arguments[-1] if issubclass(origin, Mapping) else arguments[0]


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    for plain in _plain(annotation):
        if isinstance(plain, type) and issubclass(plain, BaseModel):
            yield plain


def _plain(annotation: object) -> Iterator[object]:
    """`annotation` without `Annotated`, and each member of a union."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _plain(typing.get_args(annotation)[0])
    elif origin in {typing.Union, types.UnionType}:
        for member in typing.get_args(annotation):
            yield from _plain(member)
    else:
        yield annotation
