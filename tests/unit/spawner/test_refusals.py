import pytest

from ds01_spawner.domain.errors import (
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
    Unavailable,
)
from ds01_spawner.domain.refusal_facts import HEADER, error_in_header
from ds01_spawner.spawner.refusals import as_spawn_exception

QUOTA = QuotaExceeded(
    "2 of 2 GPU slots in use.", "Stop one.", limit="max_gpu_slots", used=2, asked=1, allowed=2
)


@pytest.mark.parametrize(
    ("error", "reason", "status"),
    [
        (QUOTA, "quota", 403),
        (NoCapacity("Nothing is free."), "capacity", 409),
        (Forbidden("Not for you."), "forbidden", 403),
        (InvalidRequest("What?"), "invalid", 400),
        (NotFound("Gone."), "not_found", 404),
        (Conflict("Taken."), "conflict", 409),
        (PolicyError((PolicyProblem("f.yaml", 3, "a.b", "lots"),)), "policy", 503),
        (Unavailable("No answer.", "Try again."), "unavailable", 503),
        (DeviceDriverMissing("No driver."), "unavailable", 503),
        (DS01Error("Something else."), "error", 500),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, DS01Error) else None,
)
def test_each_error_has_its_reason_its_status_and_its_words(
    error: DS01Error, reason: str, status: int
) -> None:
    translated = as_spawn_exception(error, administrator=True)
    assert (translated.reason, translated.status_code) == (reason, status)
    assert translated.jupyterhub_message == str(error)
    assert error.message in str(translated)
    assert not translated.headers or error_in_header(translated.headers[HEADER]) is not None


def test_what_people_typed_is_escaped_for_pages() -> None:
    translated = as_spawn_exception(InvalidRequest("'<script>' cannot name a project."))
    assert translated.jupyterhub_html_message == "'&lt;script&gt;' cannot name a project."
    assert translated.jupyterhub_message == "'<script>' cannot name a project."
