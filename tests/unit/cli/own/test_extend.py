from datetime import timedelta

import pytest

from ds01_spawner.domain.errors import NotFound
from fakes.api_house import House
from fakes.calls import ROOT
from fakes.program import invoke, said, told

NO_END = "defaults:\n  max_runtime: null\n  max_containers_per_user: 3\n"


def test_extends_the_only_container_that_runs(house: House) -> None:
    house.lab.policy.edit(NO_END)
    container_id = house.lab.run("alice", name="thesis")
    assert said("extend", "--for", "6h") == "thesis is kept running until 18:00 (6 hours).\n"
    with house.lab.ledger.transaction() as transaction:
        (kept,) = transaction.keep_alives()
    assert (kept.container_id, kept.by) == (container_id, "alice")
    assert kept.until - kept.granted_at == timedelta(hours=6)


def test_says_when_it_gives_less_than_was_asked(house: House) -> None:
    house.lab.policy.edit(NO_END)
    house.lab.run("alice")
    assert said("extend", "--for", "7d").endswith(
        "That is the longest that your limits allow (keep_alive_max).\n"
    )


def test_says_which_limit_ends_it_anyway(house: House) -> None:
    house.lab.policy.edit("defaults:\n  max_runtime: 3h\n")
    house.lab.run("alice")
    assert said("extend", "jupyter").splitlines()[-1] == (
        "Then it stops, used or not: max_runtime = 3h (the defaults, resource-limits.yaml line 2)."
    )


def test_an_administrator_extends_somebody_elses(house: House) -> None:
    house.lab.policy.edit(NO_END)
    house.lab.run("alice", name="thesis")
    house.asks(ROOT)
    assert told("extend", "--user", "alice")["name"] == "thesis"


@pytest.mark.parametrize("duration", ["6", "soon", "-1h", "0s"])
def test_a_duration_that_makes_no_sense_is_wrong_usage(house: House, duration: str) -> None:
    house.lab.run("alice")
    result = invoke("extend", "--for", duration)
    assert result.exit_code == 2
    assert "Invalid value for --for" in result.output


def test_nothing_that_runs_is_not_found(house: House) -> None:
    house.lab.run("bob")
    with pytest.raises(NotFound, match="None of your containers runs"):
        invoke("extend")


def test_of_several_it_has_to_be_said_which(house: House) -> None:
    house.lab.policy.edit(NO_END)
    house.lab.run("alice", "none", name="a")
    house.lab.run("alice", "none", name="b")
    result = invoke("extend")
    assert result.exit_code == 2
    assert "You have several: a, b. Say which." in result.output
