"""The platform's errors as JupyterHub shows and counts them: the one translation of this door."""

from jupyterhub.spawner import SpawnException

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


def as_spawn_exception(error: DS01Error) -> SpawnException:
    """What the hub raises instead: message, reason for its metrics, HTTP status."""
    for kind, reason, status in _REASONS:
        if isinstance(error, kind):
            return SpawnException(str(error), reason=reason, status_code=status)
    return SpawnException(str(error), reason="error", status_code=500)
