import pytest

from ds01_spawner.client.problems import problem_of
from ds01_spawner.domain.errors import (
    DS01Error,
    NotFound,
    PlatformFault,
    PolicyError,
    PolicyProblem,
    SettingsFault,
    Unavailable,
)
from ds01_spawner.gateway.wire.errors import told

FAULT = PlatformFault(
    "The ledger /var/lib/ds01/ledger.sqlite cannot be used: no such table: tickets.",
    "Stop the services.",
)
SAID = (
    "The platform has a fault, so this cannot be done now; what runs goes on. "
    "Tell your administrator."
)

SETTINGS = (
    "The lab's settings cannot be read right now, so nothing can be started; what runs goes on. "
    "Tell your administrator."
)
WRONG = PolicyError((PolicyProblem("/etc/ds01/images.yaml", 3, "images.a", "expected a title"),))


def test_people_are_told_that_there_is_a_fault_and_no_more() -> None:
    problem = problem_of(FAULT, "r1")
    assert f"{problem.detail} {problem.next_step}" == SAID
    assert problem.status == 503
    assert told(FAULT, "r1") == (503, SAID)
    assert str(FAULT.told) == SAID


def test_administrators_and_the_log_are_told_how() -> None:
    assert "no such table" in str(FAULT)
    assert "no such table" in FAULT.logged
    assert isinstance(FAULT, Unavailable)
    problem = problem_of(FAULT, "r1", administrator=True)
    assert f"{problem.detail} {problem.next_step}" == str(FAULT)
    assert told(FAULT, "r1", administrator=True) == (503, str(FAULT))


@pytest.mark.parametrize(
    "error", [WRONG, SettingsFault("/etc/ds01/p.yaml:3: users", "Correct it.")], ids=["file", "all"]
)
def test_people_are_told_of_settings_that_cannot_be_read_and_no_path(error: DS01Error) -> None:
    problem = problem_of(error, "r1")
    assert f"{problem.detail} {problem.next_step}" == SETTINGS
    assert (problem.status, problem.faults) == (503, ())
    assert told(error, "r1") == (503, SETTINGS)
    assert told(error, "r1", administrator=True) == (503, str(error))


def test_administrators_are_told_line_and_key() -> None:
    (fault,) = problem_of(WRONG, "r1", administrator=True).faults
    assert (fault.path, fault.line, fault.key) == ("/etc/ds01/images.yaml", 3, "images.a")


@pytest.mark.parametrize("error", [NotFound("No such container: x"), Unavailable("Down.", "Wait.")])
def test_of_other_errors_everybody_is_told_all(error: DS01Error) -> None:
    assert error.told is error
