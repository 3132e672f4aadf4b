import json

import pytest

from ds01_spawner.domain.errors import (
    Conflict,
    DeviceDriverMissing,
    DS01Error,
    Forbidden,
    InvalidRequest,
    NoCapacity,
    NotFound,
    PlatformFault,
    PolicyError,
    PolicyProblem,
    QuotaExceeded,
    SettingsFault,
    Unavailable,
)
from ds01_spawner.domain.refusal_facts import (
    HEADER,
    error_from,
    error_in_header,
    facts_of,
    header_of,
)

QUOTA = QuotaExceeded(
    "2 of 2 GPU slots in use (größe).\nReally.",
    "Stop one.",
    limit="max_gpu_slots",
    used=2,
    asked=1,
    allowed=2,
    holders=("größe", "b"),
)


@pytest.mark.parametrize(
    "error",
    [
        QUOTA,
        NoCapacity("Nothing is free.", "Wait.", place=3),
        Forbidden("Not for you."),
        InvalidRequest("What?", "Say it again."),
        NotFound("Gone."),
        Conflict("Taken."),
        Unavailable("No answer."),
        PlatformFault("The ledger /x is gone.", "Look."),
        SettingsFault("p.yaml:3: users", "Correct it."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_refusal_comes_out_as_it_went_in(error: DS01Error) -> None:
    header = header_of(error)[HEADER]
    assert header.isascii()
    assert header.isprintable(), "a header is one line"
    for found in (error_in_header(header), error_from(json.loads(json.dumps(facts_of(error))))):
        assert type(found) is type(error)
        assert vars(found or error) == vars(error)
        assert str(found) == str(error)


@pytest.mark.parametrize(
    "error",
    [
        DS01Error("A container's last words."),
        DeviceDriverMissing("No driver."),
        Forbidden("x" * 9000),
    ],
    ids=["our fault", "of the administrator", "too long"],
)
def test_what_is_no_refusal_goes_without(error: DS01Error) -> None:
    assert header_of(error) == {}


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "{",
        "[]",
        "{}",
        '{"kind": "internal", "message": "a", "next_step": ""}',
        '{"kind": "forbidden", "message": 3, "next_step": ""}',
        '{"kind": "quota", "message": "a", "next_step": ""}',
        '{"kind": "capacity", "message": "a", "next_step": "", "place": "x"}',
        '{"kind": "quota", "message": "a", "next_step": "", "limit": "l", "used": 1}',
    ],
)
def test_what_somebody_else_made_up_is_none(text: str | None) -> None:
    assert error_in_header(text) is None


def test_a_file_that_is_wrong_arrives_as_settings_that_cannot_be_read() -> None:
    error = PolicyError((PolicyProblem("f.yaml", 3, "a.b", "lots"),))
    found = error_in_header(header_of(error)[HEADER])
    assert type(found) is SettingsFault
    assert str(found) == "f.yaml:3: a.b: lots"
