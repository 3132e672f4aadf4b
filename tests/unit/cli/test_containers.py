import json
from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_cli.admin import forecast
from ds01_cli.container import listing
from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.domain.work import Rule, RuleStop, Track
from fakes.clock import FakeClock
from fakes.lab import Lab
from fakes.program import invoke

HOUR = timedelta(hours=1)


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The platform; alice has typed the command, and is no administrator."""
    lab = Lab(clock=FakeClock())

    def only_administrators() -> None:
        raise Forbidden("Other people's containers are for administrators.")

    monkeypatch.setattr(listing, "open_to_caller", lambda: lab)
    monkeypatch.setattr(listing, "subject", lambda user: user or "alice")
    monkeypatch.setattr(listing, "only_administrators", only_administrators)
    for module in (listing, forecast):
        monkeypatch.setattr(module, "caller", lambda: "alice")
    return lab


@pytest.fixture
def administrator(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(listing, "only_administrators", lambda: None)
    return lab


def wide(*arguments: str) -> str:
    """What it prints on a terminal where nothing is folded."""
    return " ".join(invoke("container list", *arguments, width=200).output.split())


def idle(lab: Lab, container_id: str) -> None:
    """As if it had been idle for an hour; told in the time of the fake clock."""
    since = lab.clock.now() - HOUR
    track = Track(container_id, "jupyter._.alice", "alice", since, since, 3, since)
    with lab.ledger.transaction() as transaction:
        transaction.put_tracks([track])


def test_lists_ones_own_with_when_and_why_they_stop(lab: Lab) -> None:
    idle(lab, lab.run("alice"))
    lab.run("bob", "none", name="bobs")
    text = wide()
    assert "jupyter running 0:2" in text
    assert "13:00 unless used" in text
    assert "Rule: idle_timeout = 2h (built in)." in text
    assert "bobs" not in text


def test_says_which_rule_stopped_one_that_is_gone(lab: Lab) -> None:
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
    assert "jupyter exited 0:2" in wide()
    lab.wait(15 * 60)
    assert "jupyter exited 12:00" in wide()


def test_ones_own_entry_in_the_policy_is_called_so_to_its_owner_alone(
    administrator: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    administrator.policy.edit("users:\n  alice: {max_runtime: 3h}\n")
    administrator.run("alice")
    assert "max_runtime = 3h (your own entry, resource-limits.yaml line 2)" in wide()
    for module in (listing, forecast):
        monkeypatch.setattr(module, "caller", lambda: "boss")
    assert "(user alice, resource-limits.yaml line 2)" in wide("--user", "alice")
    facts = invoke("container list", "--user", "alice", "--json").output
    assert "user alice, resource-limits.yaml line 2" in facts


def test_json_has_the_facts(lab: Lab) -> None:
    idle(lab, lab.run("alice"))
    result = invoke("container list", "--json")
    (found,) = json.loads(result.output)["containers"]
    assert found["name"] == "jupyter"
    assert found["stops_at"] == "2026-01-31T13:00:00.000000Z"
    assert found["ends"][0]["rule"] == "idle_timeout"
    assert found["ends"][0]["origin"] == "built in"


def test_says_when_there_are_none(lab: Lab) -> None:
    lab.run("bob")
    assert wide() == "No containers."


def test_everybodys_are_for_administrators(lab: Lab) -> None:
    lab.run("bob")
    with pytest.raises(Forbidden):
        invoke("container list", "--all")


def test_an_administrator_sees_everybodys_with_their_owners(administrator: Lab) -> None:
    administrator.run("alice")
    administrator.run("bob", "none", name="bobs")
    text = wide("--all")
    assert "USER NAME STATE" in text
    assert "alice jupyter running" in text
    assert "bob bobs running" in text


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
