"""What the engine says when it will not, and which error that is here."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    Forbidden,
    InvalidRequest,
    NotFound,
    Unavailable,
)
from ds01_spawner.gateway.wire.call import Answer

_ERRORS: Final[Mapping[int, type[DS01Error]]] = {
    HTTPStatus.BAD_REQUEST: InvalidRequest,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
}


def message_of(answer: Answer) -> str:
    """What the engine says is wrong."""
    value: Any = answer.value if isinstance(answer.value, Mapping) else {}
    return str(value.get("message") or f"The engine answered {answer.status}.")


def checked(
    answer: Answer,
    translate: Callable[[str], str] | None = None,
    not_found: NotFound | None = None,
) -> Answer:
    """The answer, unless the engine would not.

    Args:
        answer: What the engine answered.
        translate: From the engine's words to those of who asked.
        not_found: Raised where the engine has no such thing; by default its own words are.

    Raises:
        InvalidRequest: The engine cannot make sense of the question.
        Forbidden: The engine does not do that.
        NotFound: There is no such thing.
        Conflict: It cannot be done as things are.
        Unavailable: Anything else went wrong.
    """
    if answer.ok:
        return answer
    if answer.is_missing and not_found is not None:
        raise not_found
    message = message_of(answer)
    error = _ERRORS.get(answer.status, Unavailable)
    raise error(message if translate is None else translate(message))
