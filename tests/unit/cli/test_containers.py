import json
from dataclasses import replace
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from ds01_cli import containers, extend
from ds01_spawner.domain.errors import Forbidden, NotFound, Unavailable
from ds01_spawner.domain.work import Rule, RuleStop, Track
from fakes.clock import FakeClock
from fakes.lab import Lab

HOUR = timedelta(hours=1)


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The platform; alice has typed the command, and is no administrator."""
    lab = Lab(clock=FakeClock())

    def only_administrators() -> None:
        raise Forbidden("Other people's containers are for administrators.")

    for module in (containers, extend):
        monkeypatch.setattr(module, "open_to_caller", lambda: lab)
        monkeypatch.setattr(module, "caller", lambda: "alice")
        monkeypatch.setattr(module, "subject", lambda user: user or "alice")
    monkeypatch.setattr(containers, "only_administrators", only_administrators)
    return lab


@pytest.fixture
def administrator(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(containers, "only_administrators", lambda: None)
    return lab


def said(*arguments: str) -> str:
    module, *rest = arguments
    app = containers.app if module == "container" else extend.app
    result = CliRunner().invoke(app, rest, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def wide(*arguments: str) -> str:
    """What `ds01 container` prints on a terminal where nothing is folded."""
    result = CliRunner(env={"COLUMNS": "200"}).invoke(containers.app, arguments)
    return " ".join(result.output.split())


def idle(lab: Lab, container_id: str) -> None:
    """As if it had been idle for an hour; told in the time of the fake clock."""
    since = lab.clock.now() - HOUR
    track = Track(container_id, "jupyter._.alice", "alice", since, since, 3, since)
    with lab.ledger.transaction() as transaction:
        transaction.put_tracks([track])


def test_lists_ones_own_with_when_and_why_they_stop(lab: Lab) -> None:
    idle(lab, lab.run("alice"))
    lab.run("bob", "none", name="bobs")
    text = wide("list")
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
    text = wide("list")
    assert "thesis removed" in text
    assert "Its time of 24 hours is up." in text
    assert "max_runtime = 24h" in text
    assert "line 31" in text


def test_one_in_use_stops_when_its_time_is_up_or_nobody_uses_it(lab: Lab) -> None:
    lab.policy.edit("defaults:\n  max_runtime: 3h\n")
    lab.run("alice")
    text = wide("list")
    assert "15:00, or when unused for 2 hours" in text
    assert "max_runtime = 3h (the defaults, resource-limits.yaml line 2)" in text


def test_one_without_limits_never_stops(lab: Lab) -> None:
    lab.policy.edit("defaults:\n  max_runtime: null\n  idle_timeout: null\n")
    lab.run("alice")
    assert wide("list").endswith("12:00 never")


def test_a_limit_of_seconds_is_said_in_seconds_and_lines_end_with_what_they_say(lab: Lab) -> None:
    lab.policy.edit("defaults:\n  idle_timeout: 20s\n  max_runtime: 3h\n")
    lab.run("alice")
    output = CliRunner(env={"COLUMNS": "80"}).invoke(containers.app, ["list"]).output
    assert "or when unused for 20 seconds" in output
    assert [line for line in output.splitlines() if line != line.rstrip()] == []


def test_a_stopped_one_shows_its_gpu_while_it_is_kept_for_it(lab: Lab) -> None:
    lab.run("alice")
    lab.stop("alice")
    assert "jupyter exited 0:2" in wide("list")
    lab.wait(15 * 60)
    assert "jupyter exited 12:00" in wide("list")


def test_ones_own_entry_in_the_policy_is_called_so_to_its_owner_alone(
    administrator: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    administrator.policy.edit("users:\n  alice: {max_runtime: 3h}\n")
    administrator.run("alice")
    assert "max_runtime = 3h (your own entry, resource-limits.yaml line 2)" in wide("list")
    monkeypatch.setattr(containers, "caller", lambda: "boss")
    assert "(user alice, resource-limits.yaml line 2)" in wide("list", "--user", "alice")
    facts = CliRunner().invoke(containers.app, ["list", "--user", "alice", "--json"]).output
    assert "user alice, resource-limits.yaml line 2" in facts


def test_json_has_the_facts(lab: Lab) -> None:
    idle(lab, lab.run("alice"))
    result = CliRunner().invoke(containers.app, ["list", "--json"])
    (found,) = json.loads(result.output)["containers"]
    assert found["name"] == "jupyter"
    assert found["stops_at"] == "2026-01-31T13:00:00.000000Z"
    assert found["ends"][0]["rule"] == "idle_timeout"
    assert found["ends"][0]["origin"] == "built in"


def test_says_when_there_are_none(lab: Lab) -> None:
    lab.run("bob")
    assert said("container", "list") == "No containers."


def test_everybodys_are_for_administrators(lab: Lab) -> None:
    lab.run("bob")
    with pytest.raises(Forbidden):
        CliRunner().invoke(containers.app, ["list", "--all"], catch_exceptions=False)


def test_an_administrator_sees_everybodys_with_their_owners(administrator: Lab) -> None:
    administrator.run("alice")
    administrator.run("bob", "none", name="bobs")
    text = wide("list", "--all")
    assert "USER NAME STATE" in text
    assert "alice jupyter running" in text
    assert "bob bobs running" in text


def test_names_cannot_write_to_the_terminal(administrator: Lab) -> None:
    administrator.run("alice", "none")
    found = administrator.container("alice")
    assert found is not None
    marks = {**found.labels, "ds01.name": "\x1b[2Jevil"}
    administrator.engine.put(replace(found, labels=marks))
    assert "\x1b" not in said("container", "list", "--all")


def test_extends_the_only_container_that_runs(lab: Lab) -> None:
    lab.policy.edit("defaults:\n  max_runtime: null\n")
    container_id = lab.run("alice", name="thesis")
    assert said("extend", "--for", "6h") == "thesis is kept running until 18:00 (6 hours)."
    with lab.ledger.transaction() as transaction:
        (kept,) = transaction.keep_alives()
    assert (kept.container_id, kept.by, kept.source) == (container_id, "alice", "command")
    assert kept.until == lab.clock.now() + 6 * HOUR


def test_says_when_it_gives_less_than_was_asked(lab: Lab) -> None:
    lab.policy.edit("defaults:\n  max_runtime: null\n")
    lab.run("alice")
    assert said("extend", "--for", "7d").endswith("That is the most that keep_alive_max allows.")


def test_says_which_limit_ends_it_anyway(lab: Lab) -> None:
    lab.policy.edit("defaults:\n  max_runtime: 3h\n")
    lab.run("alice")
    assert said("extend", "jupyter").endswith(
        "Then it stops, used or not: max_runtime = 3h (the defaults, resource-limits.yaml line 2)."
    )


@pytest.mark.parametrize("duration", ["6", "soon", "-1h", "0s"])
def test_a_duration_that_makes_no_sense_is_wrong_usage(lab: Lab, duration: str) -> None:
    lab.run("alice")
    result = CliRunner().invoke(extend.app, ["--for", duration])
    assert result.exit_code == 2
    assert "Invalid value for --for" in result.output


def test_nothing_that_runs_is_not_found(lab: Lab) -> None:
    lab.run("bob")
    with pytest.raises(NotFound, match="No container of alice runs"):
        CliRunner().invoke(extend.app, [], catch_exceptions=False)


def test_a_stuck_engine_is_said(lab: Lab) -> None:
    lab.engine.stuck = True
    with pytest.raises(Unavailable):
        CliRunner().invoke(containers.app, ["list"], catch_exceptions=False)
