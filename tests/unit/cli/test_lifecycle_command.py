import json
import time
from dataclasses import replace
from datetime import UTC, timedelta
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text
from typer.testing import Result

from ds01_cli.admin import lifecycle
from ds01_cli.admin.forecast import print_forecast
from ds01_cli.admin.lifecycle import last_pass_words
from ds01_spawner.composition import Directories
from ds01_spawner.domain import labels
from ds01_spawner.domain.activity import JupyterSample
from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.errors import NotFound
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.notice_text import Moment
from ds01_spawner.operations.lifecycle.checks import Checks
from ds01_spawner.operations.lifecycle.dry_look import LastPass, dry_look
from ds01_spawner.operations.lifecycle.outlook import Forecast
from ds01_spawner.operations.lifecycle.plan import Lifecycle
from ds01_spawner.operations.notices.echoes import Echoes
from ds01_spawner.ports import HubClient
from fakes.facts import container, foreign_container
from fakes.lifecycle_lab import POLICY, LifecycleLab
from fakes.program import invoke

CONNECTED = POLICY.replace(
    "startup_grace: 30m", "startup_grace: 30m\n    active_when_connected: true"
)


class _Platform:
    """A second process beside the service of a lab."""

    def __init__(self, night: LifecycleLab) -> None:
        self.night = night
        self.clock, self.ledger, self.zone = night.lab.clock, night.lab.ledger, UTC
        self.directories = Directories(Path("/etc/ds01"), Path("/nowhere"), Path("/nowhere"))

    def lifecycle(self, hub: HubClient | None) -> Lifecycle:
        return Lifecycle(
            policy=self.night.lab.policy,
            engine=self.night.lab.engine,
            admission=self.night.lab.admission,
            checks=Checks(activity=self.night.counters, jupyter=self.night.jupyter),
            keep_alive_files=self.night.files,
            echoes=Echoes(),
            hub=hub,
        )


def beside(monkeypatch: pytest.MonkeyPatch, policy: str = POLICY) -> LifecycleLab:
    night = LifecycleLab(policy)
    monkeypatch.setattr(time, "sleep", night.wait_seconds)
    monkeypatch.setattr(lifecycle, "open_to_administrator", lambda: _Platform(night))
    monkeypatch.setattr(lifecycle, "open_hub", lambda _directories: night.hub)
    return night


@pytest.fixture
def night(monkeypatch: pytest.MonkeyPatch) -> LifecycleLab:
    return beside(monkeypatch)


def ran(*arguments: str) -> Result:
    result = invoke("admin lifecycle", *arguments)
    assert result.exit_code == 0, result.output
    return result


def row(name: str = "jupyter") -> str:
    """The line of one container, as a program gets it."""
    lines = ran().stdout.splitlines()
    (found,) = [line for line in lines if f" {name} " in line]
    return " ".join(found.split())


def explained(name: str = "jupyter") -> str:
    return "\n".join(" ".join(line.split()) for line in ran("--explain", name).stdout.splitlines())


def test_looking_changes_nothing(night: LifecycleLab) -> None:
    night.run()
    night.minutes(100)
    before = night.lab.ledger._rows.copy()  # type: ignore[attr-defined]
    said = len(night.lab.events.events)
    for arguments in ([], ["--dry-run"], ["--explain", "jupyter"], ["--json"]):
        ran(*arguments)
    assert night.lab.ledger._rows == before  # type: ignore[attr-defined]
    assert len(night.lab.events.events) == said


def test_one_in_use_stops_when_its_time_is_up_or_nobody_uses_it(night: LifecycleLab) -> None:
    night.run()
    night.one_pass()
    assert row() == (
        "alice jupyter running 0:2 12:00 12:00 tomorrow, or when unused for 2 hours "
        "Rule: max_runtime = 24h (the defaults, resource-limits.yaml line 9)."
    )


def test_an_idle_one_stops_when_its_idle_time_is_up(night: LifecycleLab) -> None:
    night.run()
    night.minutes(60)
    assert "14:30 unless used Rule: idle_timeout = 2h (the defaults" in row()


def test_what_is_due_now_is_said(night: LifecycleLab) -> None:
    night.run()
    night.minutes(125)
    night.lab.wait(60)
    assert "Due now: warn (idle_timeout)." in row()
    assert "due now warn (idle_timeout)" in explained()


def test_a_terminal_gets_the_reason_on_a_line_below_and_no_long_one(night: LifecycleLab) -> None:
    night.run(name="a-long-name-for-a-container")
    night.one_pass()
    found = dry_look(
        _Platform(night).lifecycle(night.hub),
        night.lab.ledger,
        night.lab.clock,
        lambda: None,
        hub_asked=True,
    )
    console = Console(width=80, force_terminal=True, no_color=True, file=StringIO())
    written = console.file
    moment = Moment(night.lab.clock.now(), UTC)
    forecast = Forecast(moment.now, tuple(found.views.values()))
    print_forecast(console, forecast, moment, owners=True)
    assert isinstance(written, StringIO)
    lines = Text.from_ansi(written.getvalue()).plain.splitlines()
    heads, first, below = lines
    assert heads.split() == ["USER", "NAME", "STATE", "GPU", "STARTED", "STOPS"]
    assert "a-long-name-for-a-container" in first
    assert below.startswith("    Rule: max_runtime = 24h")
    assert len(below) <= 80


def test_without_containers_it_says_so(night: LifecycleLab) -> None:
    assert night.generation
    assert ran().stdout == "No containers.\n"


def test_why_not_while_it_starts(night: LifecycleLab) -> None:
    night.run()
    night.minutes(9)
    text = explained()
    assert "idle limit idle_timeout = 2h (the defaults, resource-limits.yaml line 8)" in text
    assert "not counted for 21 minutes more: policies.startup_grace = 30m (the defaults" in text
    assert "time limit max_runtime = 24h (the defaults, resource-limits.yaml line 9)" in text
    assert "counting; stop at 12:00 tomorrow, in 23 hours 51 minutes" in text


def test_why_not_while_something_works(
    night: LifecycleLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    container_id = night.run()
    night.minutes(40)

    def computes(seconds: float) -> None:
        night.wait_seconds(seconds)
        night.uses_cpu(container_id, seconds)

    monkeypatch.setattr(time, "sleep", computes)
    assert "not idle: cpu: CPU at 100 %" in explained()


def test_why_not_before_enough_checks_found_it_idle(night: LifecycleLab) -> None:
    container_id = night.run()
    night.minutes(40, lambda: night.kernel(container_id, busy=1))
    night.jupyter.samples[container_id] = JupyterSample()
    assert "not yet: 1 of 3 checks in a row found it idle" in explained()


def test_why_not_when_a_signal_cannot_be_read(night: LifecycleLab) -> None:
    container_id = night.run()
    night.minutes(40)
    del night.jupyter.samples[container_id]
    text = explained()
    assert "counts as active, because this is not known: kernels: the Jupyter server" in text


def test_why_not_where_there_is_no_such_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = POLICY.replace("idle_timeout: 2h", "idle_timeout: null")
    night = beside(monkeypatch, policy.replace("max_runtime: 24h", "max_runtime: null"))
    night.run()
    night.minutes(40)
    assert explained().count("never: it has no such limit") == 2
    assert row().endswith("12:00 never")


def test_an_exemption_is_told_with_its_reason_whether_it_counts_or_not(
    night: LifecycleLab,
) -> None:
    night.lab.policy.exempt(
        "exemptions:\n- user: alice\n  exempt_from: [idle_timeout]\n"
        "  until: 2026-03-01\n  reason: thesis deadline\n"
    )
    night.run()
    night.minutes(5)
    assert "exempt until 00:00 on Monday 2 March: thesis deadline (lifecycle-ex" in explained()
    night.minutes(60)
    assert "exempt until 00:00 on Monday 2 March: thesis deadline (lifecycle-ex" in explained()


def test_a_stopped_one_is_told_when_it_is_removed(night: LifecycleLab) -> None:
    night.run()
    night.one_pass()
    night.stop()
    night.one_pass()
    text = explained()
    assert "removal 12:31: container_hold_after_stop = 30m (the defaults" in text
    assert text.count("not counted: it does not run") == 2


def test_a_protected_one_is_never_removed(night: LifecycleLab) -> None:
    night.run()
    night.stop()
    found = night.container()
    assert found is not None
    night.lab.engine.put(replace(found, labels={**found.labels, labels.PROTECTED: "true"}))
    assert "removal never: it is protected (ds01.protected)" in explained()


def test_one_of_another_door_is_stopped_and_never_removed(night: LifecycleLab) -> None:
    night.lab.engine.put(
        replace(foreign_container(), labels={labels.USER: "alice", labels.INTERFACE: "docker"})
    )
    assert "removal never: DS01 did not make it (docker), it only stops it" in explained("train")


def test_one_that_nothing_is_decided_about_is_told_why(night: LifecycleLab) -> None:
    night.lab.engine.put(replace(foreign_container(), labels={}))
    there = container("bob", state=ContainerState.RUNNING, extra={labels.INSTANCE: "there"})
    night.lab.engine.put(there)
    assert "train has no owner" in explained("train")
    assert "another installation's" in explained(there.name)


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_name_that_nothing_has_is_not_found(night: LifecycleLab, flags: list[str]) -> None:
    night.run()
    with pytest.raises(NotFound, match="No container is called nobody"):
        invoke("admin lifecycle", "--explain", "nobody", *flags)


def test_json_has_the_facts(night: LifecycleLab) -> None:
    night.run()
    night.minutes(60)
    found = json.loads(ran("--json").stdout)
    assert found["service"] == "process-1"
    assert found["last_pass_seconds_ago"] == pytest.approx(3, abs=0.1)
    (facts,) = found["containers"]
    assert (facts["user"], facts["name"]) == ("alice", "jupyter")
    assert facts["idle_since"].startswith("2026-01-31T12:30")
    assert facts["ends"][0]["rule"] == "idle_timeout"
    assert {each["signal"] for each in facts["signals"]} >= {"cpu", "kernels", "gpu"}
    assert facts["due"] == []


def test_an_open_tab_counts_where_the_policy_says_so_and_the_hub_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    night = beside(monkeypatch, CONNECTED)
    container_id = night.run()
    night.minutes(60)
    night.jupyter.samples[container_id] = JupyterSample(connections=1)
    assert "not idle: connections: a browser is connected" in explained()


def test_without_the_hub_an_idle_one_stays_idle_as_the_service_saw_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    night = beside(monkeypatch, CONNECTED)
    night.run()
    night.minutes(60)
    with_hub = row()
    monkeypatch.setattr(lifecycle, "open_hub", lambda _directories: None)
    assert "14:30 unless used" in row()
    assert row() == with_hub
    result = ran("--explain", "jupyter")
    assert "note: The hub is not asked, so open tabs are not known" in result.stderr
    assert "/etc/ds01/culler.env" in result.stderr
    assert "unreadable: the hub was not asked; what the service remembers decides" in result.stdout


def test_without_the_hub_one_that_the_service_saw_in_use_stays_in_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    night = beside(monkeypatch, CONNECTED)
    container_id = night.run()
    night.jupyter.samples[container_id] = JupyterSample(connections=1)
    night.minutes(60)
    monkeypatch.setattr(lifecycle, "open_hub", lambda _directories: None)
    assert "or when unused for 2 hours" in row()
    assert "counts as active, because this is not known: connections" in explained()


def test_where_open_tabs_do_not_count_the_hub_is_not_missed(
    night: LifecycleLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    night.run(interface=Interface.HUB)
    night.minutes(60)
    monkeypatch.setattr(lifecycle, "open_hub", lambda _directories: None)
    assert "hub" not in ran().stderr
    assert "14:30 unless used" in row()


def test_time_that_no_pass_saw_does_not_count_as_idle(night: LifecycleLab) -> None:
    night.run()
    night.minutes(60)
    night.lab.wait(timedelta(hours=12).total_seconds())
    assert "due now nothing" in explained()
    assert "Due now" not in row()


def test_a_clock_that_was_set_ends_nothing(night: LifecycleLab) -> None:
    night.run()
    night.minutes(60)
    night.lab.clock.jump(timedelta(hours=5))
    assert "19:30 unless used" in row()


def test_says_who_passed_last_and_when(night: LifecycleLab) -> None:
    night.run()
    night.one_pass()
    night.lab.wait(37)
    for arguments in ([], ["--explain", "jupyter"]):
        assert "Last pass " in ran(*arguments).stderr
        assert ", by process-1.\n" in ran(*arguments).stderr


def test_says_when_nobody_passes(night: LifecycleLab) -> None:
    assert ran().stderr == "No pass has been made yet: is ds01-culler running?\n"
    night.one_pass()
    night.lab.wait(timedelta(days=3).total_seconds())
    assert ran().stderr == "No pass for 3 days: is ds01-culler running?\n"


def test_a_service_that_ended_is_told() -> None:
    told = last_pass_words(LastPass(timedelta(seconds=40), None))
    assert told.startswith("Last pass 40 seconds ago; no service makes passes now")
    assert last_pass_words(LastPass(timedelta(minutes=20), "host-1")) == (
        "Last pass 20 minutes ago, by host-1."
    )


def test_what_cannot_be_read_is_noted(night: LifecycleLab) -> None:
    night.run()
    night.one_pass()
    night.hub.down = True
    assert "note: The hub does not answer.\n" in ran().stderr
