import pytest

from ds01_spawner.client.problems import problem_of
from ds01_spawner.domain.errors import DS01Error, NotFound, PlatformFault, Unavailable
from ds01_spawner.gateway.wire.errors import told

FAULT = PlatformFault(
    "The ledger /var/lib/ds01/ledger.sqlite cannot be used: no such table: tickets.",
    "Stop the services.",
)
SAID = (
    "The platform has a fault, so this cannot be done now; what runs goes on. "
    "Tell your administrator."
)


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


@pytest.mark.parametrize("error", [NotFound("No such container: x"), Unavailable("Down.", "Wait.")])
def test_of_other_errors_everybody_is_told_all(error: DS01Error) -> None:
    assert error.told is error
