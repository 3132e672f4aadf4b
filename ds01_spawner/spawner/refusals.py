"""The platform's errors as JupyterHub shows and counts them: the one translation of this door."""

from html import escape

from jupyterhub.spawner import SpawnException

from ds01_spawner.domain import page_words as wording
from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    Forbidden,
    InvalidRequest,
    NoCapacity,
    NotFound,
    PolicyError,
    QuotaExceeded,
    Unavailable,
)
from ds01_spawner.domain.refusal_facts import header_of
from ds01_spawner.spawner.server_start import StartFailed

_REASONS: tuple[tuple[type[DS01Error], str, int], ...] = (
    (QuotaExceeded, "quota", 403),
    (NoCapacity, "capacity", 409),
    (Forbidden, "forbidden", 403),
    (InvalidRequest, "invalid", 400),
    (NotFound, "not_found", 404),
    (Conflict, "conflict", 409),
    (PolicyError, "policy", 503),
    (Unavailable, "unavailable", 503),
)


def status_of(error: DS01Error) -> int:
    """The HTTP status that says what the caller should do about `error`."""
    return _reason(error)[1]


def cause_of(error: DS01Error) -> str:
    """In a word or two, why a start failed; of a limit its key."""
    if isinstance(error, StartFailed):
        return "not_ready"
    return error.limit if isinstance(error, QuotaExceeded) else _reason(error)[0]


def _reason(error: DS01Error) -> tuple[str, int]:
    return next(
        ((reason, status) for kind, reason, status in _REASONS if isinstance(error, kind)),
        ("error", 500),
    )


def as_spawn_exception(error: DS01Error, *, administrator: bool = False) -> SpawnException:
    """What the hub raises instead: message, reason for its metrics, HTTP status.

    API clients read the message, and the figures in a header; the hub's pages prefer the plain
    words.
    """
    reason, status = _reason(error)
    error = error.told_to(administrator=administrator)
    # What a container said goes to its owner, not into the hub's log: it may hold secrets.
    logged = error.message if isinstance(error, StartFailed) else None
    exception = SpawnException(str(error), reason=reason, status_code=status, log_message=logged)
    # Some of the hub's pages read these instead of the exception's own (utils.format_exception).
    exception.jupyterhub_message = str(error)
    exception.jupyterhub_html_message = escape(wording.refusal(error), quote=False)
    # The hub's API sends them with its answer: figures, and what to do next.
    exception.headers = header_of(error)
    return exception
