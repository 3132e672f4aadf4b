"""The platform's errors as problem documents (RFC 9457), and back: one table for both ways."""

from dataclasses import dataclass

from ds01_spawner.client.models import Fault, Problem
from ds01_spawner.domain.errors import (
    OUR_FAULT,
    Conflict,
    DeviceDriverMissing,
    DS01Error,
    Forbidden,
    InvalidRequest,
    NoCapacity,
    NotFound,
    PolicyError,
    PolicyProblem,
    QuotaExceeded,
    Refused,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"
PREFIX = "urn:ds01:problem:"


class TooManyRequests(Unavailable):
    """Somebody asks more often than they may.

    Attributes:
        retry_after_seconds: When the next request is answered.
    """

    def __init__(self, message: str, next_step: str = "", *, retry_after_seconds: float) -> None:
        super().__init__(message, next_step)
        self.retry_after_seconds = retry_after_seconds


class Unreachable(Unavailable):
    """Nobody answers at the API's address.

    Attributes:
        too_slow: Whether a connection was made and no answer came in time.
    """

    def __init__(self, message: str, next_step: str = "", *, too_slow: bool = False) -> None:
        super().__init__(message, next_step)
        self.too_slow = too_slow


class NotTheApi(Unavailable):
    """Somebody else answers: a proxy, or the hub without its service.

    Attributes:
        status: HTTP status of the answer.
    """

    def __init__(self, message: str, next_step: str = "", *, status: int) -> None:
        super().__init__(message, next_step)
        self.status = status


class Unauthenticated(Refused):
    """Whoever asks is not logged in."""


class TooLarge(InvalidRequest):
    """The request is larger than it may be."""


class MethodNotAllowed(InvalidRequest):
    """This address does not take the method."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem.

    Attributes:
        error: The error that it is.
        name: Last part of its type.
        status: HTTP status.
        title: The same for every problem of the kind.
    """

    error: type[DS01Error]
    name: str
    status: int
    title: str


KINDS: tuple[Kind, ...] = (
    Kind(QuotaExceeded, "quota", 403, "A limit is reached"),
    Kind(NoCapacity, "capacity", 409, "Everything that would do is in use"),
    Kind(Forbidden, "forbidden", 403, "This is not allowed"),
    Kind(Unauthenticated, "unauthenticated", 401, "You are not logged in"),
    Kind(TooLarge, "too-large", 413, "The request is too large"),
    Kind(MethodNotAllowed, "method", 405, "This address does not take the method"),
    Kind(InvalidRequest, "invalid", 400, "The request makes no sense"),
    Kind(Refused, "refused", 403, "This is refused"),
    Kind(NotFound, "not-found", 404, "There is no such thing"),
    Kind(Conflict, "conflict", 409, "Something is in the way"),
    Kind(PolicyError, "policy", 503, "The policy is broken"),
    Kind(TooManyRequests, "rate", 429, "Too many requests"),
    Kind(DeviceDriverMissing, "no-driver", 503, "The engine cannot hand out GPUs"),
    Kind(Unavailable, "unavailable", 503, "A part does not answer"),
    Kind(DS01Error, "internal", 500, "It is our fault"),
)
"""The first that an error is an instance of counts."""


def kind_of(error: DS01Error) -> Kind:
    """The row of the table that an error falls under."""
    return next(each for each in KINDS if isinstance(error, each.error))


def too_large(most_bytes: int) -> TooLarge:
    """What says that at most so much is taken, in whole KiB or MiB."""
    most = f"{most_bytes >> 20} MiB" if most_bytes >= 1024**2 else f"{most_bytes >> 10} KiB"
    return TooLarge(f"The request is larger than {most}.", "Send less.")


def our_fault(request_id: str) -> DS01Error:
    """What is told of a failure that nobody expected; the log has it under the request's id."""
    message, _ = OUR_FAULT
    return DS01Error(message, f"Tell your administrator the request's number: {request_id}.")


def problem_of(error: DS01Error, request_id: str = "", *, administrator: bool = False) -> Problem:
    """The document that says what whoever asked is told of `error`."""
    error = error.told_to(administrator=administrator)
    kind = kind_of(error)
    quota = error if isinstance(error, QuotaExceeded) else None
    return Problem(
        type=f"{PREFIX}{kind.name}",
        title=kind.title,
        status=kind.status,
        detail=error.message,
        next_step=error.next_step,
        request_id=request_id,
        limit=quota.limit if quota else None,
        used=quota.used if quota else None,
        asked=quota.asked if quota else None,
        allowed=quota.allowed if quota else None,
        holders=quota.holders if quota else (),
        place=error.place if isinstance(error, NoCapacity) else None,
        faults=faults_of(error) if isinstance(error, PolicyError) else (),
        retry_after_seconds=(
            error.retry_after_seconds if isinstance(error, TooManyRequests) else None
        ),
    )


def faults_of(error: PolicyError) -> tuple[Fault, ...]:
    """What is wrong with a policy file."""
    return tuple(
        Fault(path=each.path, line=each.line, key=each.key, message=each.message)
        for each in error.problems
    )


def error_of(problem: Problem) -> DS01Error:
    """The error that a document was made from."""
    name = problem.type.removeprefix(PREFIX)
    kind = next((each for each in KINDS if each.name == name), None)
    error = kind.error if kind else _by_status(problem.status)
    if error is QuotaExceeded:
        return QuotaExceeded(
            problem.detail,
            problem.next_step,
            limit=problem.limit or "",
            used=problem.used or 0.0,
            asked=problem.asked or 0.0,
            allowed=problem.allowed or 0.0,
            holders=problem.holders,
        )
    if error is NoCapacity:
        return NoCapacity(problem.detail, problem.next_step, place=problem.place or 0)
    if error is TooManyRequests:
        seconds = problem.retry_after_seconds or 1.0
        return TooManyRequests(problem.detail, problem.next_step, retry_after_seconds=seconds)
    if error is PolicyError:
        return PolicyError(
            tuple(
                PolicyProblem(each.path, each.line, each.key, each.message)
                for each in problem.faults
            )
        )
    return error(problem.detail, problem.next_step)


def error_by_status(status: int, message: str) -> DS01Error:
    """The error that an answer without a problem document stands for."""
    return _by_status(status)(message)


def _by_status(status: int) -> type[DS01Error]:
    """For answers that are not ours: a proxy's, the hub's."""
    return {
        400: InvalidRequest,
        401: Unauthenticated,
        403: Forbidden,
        404: NotFound,
        409: Conflict,
        413: TooLarge,
    }.get(status, Unavailable)
