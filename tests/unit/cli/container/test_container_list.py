from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_cli.container import listing
from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.domain.work import Rule, RuleStop, Track
from fakes.api_house import House
from fakes.calls import ROOT
from fakes.lab import Lab
from fakes.program import invoke, told

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def nobody_special(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests may run as root; who types the commands is whom the house says."""
    monkeypatch.setattr(listing, "_is_root", lambda: False)
    monkeypatch.setattr(listing, "caller", lambda: "alice")


@pytest.fixture
def lab(house: House) -> Lab:
    """The platform; alice types the commands, and is no administrator."""
    return house.lab


@pytest.fixture
def administrator(house: House, monkeypatch: pytest.MonkeyPatch) -> Lab:
    house.asks(ROOT)
    monkeypatch.setattr(listing, "_is_root", lambda: True)
    monkeypatch.delenv("SUDO_USER", raising=False)
    return house.lab


def wide(*arguments: str) -> str:
    """What it prints on a terminal where nothing is folded."""
    return " ".join(invoke("container list", *arguments, width=200).output.split())


def idle(lab: Lab, container_id: str) -> None:
    """As if it had been idle for an hour; told in the time of the fake clock."""
    since = lab.clock.now() - HOUR
    track = Track(container_id, "jupyter._.alice", "alice", since, since, 3, since)
    with lab.ledger.transaction() as transaction:
        transaction.put_tracks([track])


def stopped_by_rule(lab: Lab) -> None:
    """A container of alice's was stopped, and is removed."""
    stop = RuleStop(
        "gone",
        "thesis._.alice",
        "alice",
        Rule.RUNTIME,
        "max_runtime",
        "24h",
        "group student, resource-limits.yaml line 31",
        "Its time of 24 hours is up.",
        decided_at=lab.clock.now(),
    )
    with lab.ledger.transaction() as transaction:
        transaction.put_rule_stop(stop)


def test_lists_ones_own_with_when_and_why_they_stop(lab: Lab) -> None:
    idle(lab, lab.run("alice"))
    lab.run("bob", "none", name="bobs")
    text = wide()
    assert "jupyter running 0:2" in text
    assert "13:00 unless used" in text
    assert "Rule: idle_timeout = 2h (built in)." in text
    assert "bobs" not in text


def test_says_which_rule_stopped_one_that_is_gone(lab: Lab) -> None:
    stopped_by_rule(lab)
    text = wide()
    assert "thesis removed" in text
    assert "Its time of 24 hours is up." in text
    assert "max_runtime = 24h" in text
    assert "line 31" in text


def test_one_in_use_stops_when_its_time_is_up_or_nobody_uses_it(lab: Lab) -> None:
    lab.policy.edit("defaults:\n  max_runtime: 3h\n")
    lab.run("alice")
    text = wide()
    assert "15:00, or when unused for 2 hours" in text
    assert "max_runtime = 3h (the defaults, resource-limits.yaml line 2)" in text


def test_one_without_limits_never_stops(lab: Lab) -> None:
    lab.policy.edit("defaults:\n  max_runtime: null\n  idle_timeout: null\n")
    lab.run("alice")
    assert wide().endswith("12:00 never")


def test_a_limit_of_seconds_is_said_in_seconds_and_lines_end_with_what_they_say(lab: Lab) -> None:
    lab.policy.edit("defaults:\n  idle_timeout: 20s\n  max_runtime: 3h\n")
    lab.run("alice")
    output = invoke("container list").output
    assert "or when unused for 20 seconds" in output
    assert [line for line in output.splitlines() if line != line.rstrip()] == []


def test_a_stopped_one_shows_its_gpu_while_it_is_kept_for_it(lab: Lab) -> None:
    lab.run("alice")
    lab.stop("alice")
    assert "jupyter stopped 0:2" in wide()
    lab.wait(15 * 60)
    assert "jupyter stopped 12:00" in wide()


def test_ones_own_entry_in_the_policy_is_called_so_to_its_owner_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.lab.policy.edit("users:\n  alice: {max_runtime: 3h}\n")
    house.lab.run("alice")
    assert "max_runtime = 3h (your own entry, resource-limits.yaml line 2)" in wide()
    house.asks(ROOT)
    monkeypatch.setattr(listing, "caller", lambda: "boss")
    assert "(user alice, resource-limits.yaml line 2)" in wide("--user", "alice")
    facts = invoke("container list", "--user", "alice", "--json").output
    assert "user alice, resource-limits.yaml line 2" in facts


@pytest.mark.parametrize("arguments", [(), ("--format", "json")])
def test_json_has_the_facts(lab: Lab, arguments: tuple[str, ...]) -> None:
    idle(lab, lab.run("alice"))
    stopped_by_rule(lab)
    answer = told("container list", *arguments)
    (found,) = answer["containers"]
    assert found["name"] == "jupyter"
    assert found["stops_at"].startswith("2026-01-31T13:00:00")
    assert found["ends"][0]["rule"] == "idle_timeout"
    assert found["ends"][0]["origin"] == "built in"
    assert answer["gone"][0]["name"] == "thesis"
    assert answer["gone"][0]["stopped_by"]["rule"] == "max_runtime"


def test_a_simple_list_is_for_scripts(lab: Lab) -> None:
    lab.policy.edit("defaults:\n  max_runtime: null\n  idle_timeout: null\n")
    lab.run("alice")
    shown = invoke("container list", "--format", "simple").output
    assert shown == "jupyter\trunning\t0:2\t12:00\tnever\n"


def test_says_when_there_are_none(lab: Lab) -> None:
    lab.run("bob")
    assert wide() == "No containers."
    assert invoke("container list", "--format", "simple").output == ""


def test_somebody_elses_are_for_managers(lab: Lab) -> None:
    lab.run("bob", name="bobs")
    for arguments in (("--user", "bob"), ("--all",)):
        with pytest.raises(Forbidden, match="managers"):
            invoke("container list", *arguments)


def test_one_user_or_all_of_them() -> None:
    result = invoke("container list", "--all", "--user", "bob")
    assert result.exit_code == 2
    assert "cannot go with --user" in result.output


@pytest.mark.parametrize("arguments", [(), ("--all",)])
def test_an_administrator_sees_everybodys_with_their_owners(
    administrator: Lab, arguments: tuple[str, ...]
) -> None:
    administrator.run("alice")
    administrator.run("bob", "none", name="bobs")
    text = wide(*arguments)
    assert "USER NAME STATE" in text
    assert "alice jupyter running" in text
    assert "bob bobs running" in text


def test_under_sudo_it_is_ones_own(administrator: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    administrator.run("alice")
    administrator.run("bob", "none", name="bobs")
    monkeypatch.setenv("SUDO_USER", "bob")
    text = wide()
    assert "bobs" in text
    assert "jupyter" not in text


def test_names_cannot_write_to_the_terminal(administrator: Lab) -> None:
    administrator.run("alice", "none")
    found = administrator.container("alice")
    assert found is not None
    marks = {**found.labels, "ds01.name": "\x1b[2Jevil"}
    administrator.engine.put(replace(found, labels=marks))
    assert "\x1b" not in wide("--all")


def test_a_stuck_engine_is_said(lab: Lab) -> None:
    lab.engine.stuck = True
    with pytest.raises(Unavailable):
        invoke("container list")
