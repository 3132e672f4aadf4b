"""What a request says, as the models of its route. Pure."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import TypeVar

from pydantic import ValidationError

from ds01_spawner.client.models import Wire
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown

MOST_BODY_BYTES = 1024**2
LONGEST_PART = 255
_TOLD = 3
_HUBS = frozenset({"_xsrf"})
"""Parameters that are the hub's business (jupyterhub/_xsrf_utils.py)."""

M = TypeVar("M", bound=Wire)


def query_of(model: type[M], arguments: Mapping[str, Sequence[bytes]]) -> M:
    """The parameters of a request.

    Raises:
        InvalidRequest: There is one too many, or one says what it cannot.
    """
    given: dict[str, str] = {}
    for name, values in arguments.items():
        if name in _HUBS:
            continue
        if len(values) != 1:
            raise InvalidRequest(f"{shown(name)} is given {len(values)} times.", "Give it once.")
        try:
            given[name] = values[0].decode()
        except UnicodeDecodeError:
            raise InvalidRequest(f"{shown(name)} is not UTF-8.") from None
    try:
        return model.model_validate(given)
    except ValidationError as exc:
        raise InvalidRequest(_told(exc), "openapi.json says what may be asked.") from exc


def body_of(model: type[M], content_type: str, body: bytes) -> M:
    """What was sent. Nothing at all is the model's defaults, where it has them.

    Raises:
        InvalidRequest: It is not what it should be.
    """
    if body and content_type.partition(";")[0].strip().lower() != "application/json":
        raise InvalidRequest(
            "The body needs Content-Type: application/json.", "Send it with that header."
        )
    try:
        return model.model_validate_json(body or b"{}", strict=True)
    except ValidationError as exc:
        raise InvalidRequest(_told(exc), "openapi.json says what may be sent.") from exc


def part_of(name: str, text: str) -> str:
    """A variable part of a path.

    Raises:
        InvalidRequest: It is empty, too long, or cannot be printed.
    """
    if not text or len(text) > LONGEST_PART or not text.isprintable():
        raise InvalidRequest(f"{shown(text)} is not a {name}.")
    return text


def digest_of(operation: str, parts: Mapping[str, str], query: Wire, body: Wire | None) -> str:
    """The same for the same question, and for no other."""
    question: list[object] = [operation, dict(parts), query.model_dump(mode="json")]
    question.append(None if body is None else body.model_dump(mode="json"))
    return sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()


def _told(error: ValidationError) -> str:
    """`limit: Input should be less than or equal to 200.`, for the first few faults."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    said = []
    for fault in faults[:_TOLD]:
        place = ".".join(str(part)[:80] for part in fault["loc"])
        said.append(f"{place}: {fault['msg']}" if place else str(fault["msg"]))
    more = "" if len(faults) <= _TOLD else f"; and {len(faults) - _TOLD} more"
    return f"{'; '.join(said)}{more}."
