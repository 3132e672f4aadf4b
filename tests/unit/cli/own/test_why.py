from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ds01_cli.own.reasons import Facts, Kind, Reason, reasons
from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.domain.errors import NotFound, QuotaExceeded
from fakes.api_house import House
from fakes.program import invoke, said, told

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
STUDENT = "group:student"
FILE = "/etc/ds01/resource-limits.yaml"


def limit(words: str, line: int) -> m.LimitValue:
    return m.LimitValue(value=words, words=words, origin=STUDENT, source=f"{FILE}:{line}")


EXPLANATION = m.PolicyExplanation(
    user="alice",
    group="student",
    groups=("student",),
    limits={"max_gpu_slots": limit("2", 31), "priority": limit("50", 30)},
)


def container(name: str = "thesis", **changes: Any) -> m.Container:
    facts: dict[str, Any] = {
        "name": name,
        "user": "alice",
        "container": f"{name}._.alice",
        "id": "c" * 64,
        "interface": "cli",
        "state": "running",
        "gpu_slots": (),
        "started_at": NOW - HOUR,
        "stops_at": None,
        "ends": (),
        "idle_timeout_seconds": None,
        "kept_until": None,
        "keep_until": None,
        "removed_at": None,
        "stopped_by": None,
        "server": None,
        "sentences": (),
    }
    known = {
        key: value for key, value in (facts | changes).items() if key in m.Container.model_fields
    }
    return m.Container.model_validate(known)


def event(action: str, resource: str = "thesis._.alice", **changes: Any) -> m.AuditEvent:
    facts: dict[str, Any] = {
        "ts": NOW - HOUR,
        "user": "alice",
        "action": action,
        "resource": resource,
        "actor": "gateway",
        "interface": "docker",
        "outcome": "ok",
        "reason": "",
        "details": {},
    }
    return m.AuditEvent.model_validate(facts | changes)


def found(
    name: str | None = None,
    *,
    containers: tuple[m.Container, ...] = (),
    tickets: tuple[m.Ticket, ...] = (),
    events: tuple[m.AuditEvent, ...] = (),
) -> tuple[Reason, ...]:
    me = m.Me.model_validate(
        {
            "user": "alice",
            "role": Role.STUDENT,
            "interface": "socket",
            "explanation": EXPLANATION,
            "usage": (),
            "containers": containers,
            "tickets": tickets,
            "notices": (),
        }
    )
    return reasons(Facts(me, events, NOW, UTC), name)


TICKET = m.Ticket(
    id="t",
    user="alice",
    name="thesis",
    place=2,
    length=3,
    gpu="a MIG slot",
    priority=50,
    since=NOW - HOUR,
    reason="All 10 MIG slots are in use.",
)
STOPPED = m.StoppedByRule(
    at=NOW - HOUR,
    rule="idle_timeout",
    value="2h",
    origin="group student, resource-limits.yaml line 33",
    reason="Nothing has run on it since 09:00.",
)
REFUSED = event(
    "quota.reject",
    "thesis",
    outcome="refused",
    reason="2 of 2 GPU slots in use (a, b). Stop one: ds01 container retire a.",
    details={"limit": "max_gpu_slots", "used": 2, "asked": 1, "allowed": 2},
)
IDLE = {
    "rule": "idle_timeout",
    "value": "2h",
    "origin": "the defaults, resource-limits.yaml line 2",
}
END = m.End(
    rule="max_runtime",
    value="24h",
    origin="the defaults, resource-limits.yaml line 3",
    at=NOW + HOUR,
    warned=False,
    high_demand=False,
    exempt_until=None,
)


def one(*all_: Reason) -> Reason:
    (reason,) = all_
    return reason


def test_who_waits_hears_place_rule_and_what_to_do() -> None:
    reason = one(*found(tickets=(TICKET,)))
    assert reason.kind is Kind.WAITING
    assert "thesis waits for a MIG slot since 11:00: place 2 of 3." in reason.what
    assert "All 10 MIG slots are in use." in reason.what
    assert (reason.rule, reason.value) == ("priority", "50")
    assert reason.where == "group student, resource-limits.yaml line 30"
    assert "starts by itself" in reason.next_step


def test_a_refusal_by_a_limit_names_its_line() -> None:
    reason = one(*found(events=(REFUSED,)))
    assert reason.kind is Kind.REFUSED
    assert reason.what.startswith("thesis was refused at 11:00 through docker. 2 of 2 GPU slots")
    assert (reason.rule, reason.value) == ("max_gpu_slots", "2")
    assert reason.where == "group student, resource-limits.yaml line 31"
    assert "ds01 check-limits" in reason.next_step


def test_a_limit_that_is_set_nowhere_any_more_is_told_as_it_was() -> None:
    details = {"limit": "storage", "used": 2, "asked": 0, "allowed": 2}
    reason = one(*found(events=(REFUSED.model_copy(update={"details": details}),)))
    assert (reason.rule, reason.value, reason.where) == ("storage", "2", None)


@pytest.mark.parametrize(
    ("action", "words"), [("gpu.reject", "--wait 30m"), ("request.reject", "Change what")]
)
def test_a_refusal_without_a_limit_says_what_to_do(action: str, words: str) -> None:
    refused = event(action, "thesis", outcome="refused", reason="No.")
    reason = one(*found(events=(refused,)))
    assert reason.rule is None
    assert words in reason.next_step


def test_a_limit_of_one_container_is_not_filled_by_others() -> None:
    details = {"limit": "max_gpu_slots", "used": 0, "asked": 4, "allowed": 2}
    reason = one(*found(events=(REFUSED.model_copy(update={"details": details}),)))
    assert reason.next_step.startswith("Ask for less")


def test_a_refusal_that_is_about_no_container_has_no_name() -> None:
    refused = event("request.reject", "POST /containers/create", outcome="refused", reason="No.")
    assert one(*found(events=(refused,))).what == (
        "A request was refused at 11:00 through docker. No."
    )
    assert found("POST ", events=(refused,)) == ()


def test_refusals_are_told_once_and_only_the_latest() -> None:
    same = REFUSED.model_copy(update={"ts": NOW - 2 * HOUR})
    others = tuple(
        event("request.reject", f"r{n}", outcome="refused", reason=f"No {n}.") for n in range(5)
    )
    old = event("gpu.reject", "old", outcome="refused", reason="x", ts=NOW - 48 * HOUR)
    told_ = found(events=(REFUSED, same, *others, old))
    assert [each.name for each in told_] == ["thesis", "r0", "r1"]
    assert one(*found("old", events=(REFUSED, old))).name == "old"


def test_a_container_that_was_stopped_by_a_rule_says_which() -> None:
    stopped = container(state="exited", stopped_by=STOPPED, removed_at=NOW + HOUR)
    reason = one(*found(containers=(stopped,)))
    assert reason.kind is Kind.STOPPED
    assert reason.what == ("thesis was stopped at 11:00. Nothing has run on it since 09:00.")
    assert (reason.rule, reason.value, reason.where) == (
        "idle_timeout",
        "2h",
        "group student, resource-limits.yaml line 33",
    )
    assert "ds01 container start thesis" in reason.next_step
    assert "removed at 13:00" in reason.next_step


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((event("container.stop"),), "was stopped at 11:00 by you through docker."),
        (
            (event("container.stop", details={"by": "root"}, interface="api"),),
            "by the administrator root through api.",
        ),
        ((), "ended by itself"),
        ((event("container.start"), event("container.stop")), "ended by itself"),
    ],
)
def test_a_container_that_no_rule_stopped_says_who_did(
    events: tuple[m.AuditEvent, ...], words: str
) -> None:
    reason = one(*found(containers=(container(state="exited"),), events=events))
    assert words in reason.what
    assert reason.rule is None


def test_one_that_was_never_started_says_so() -> None:
    reason = one(*found(containers=(container(state="created"),)))
    assert reason.what == "thesis was made and never started."


def test_one_that_runs_says_what_will_stop_it() -> None:
    runs = container(ends=(END,), keep_until=NOW, sentences=("Its time is up at 13:00.",))
    reason = one(*found(containers=(runs,)))
    assert reason.kind is Kind.RUNNING
    assert reason.what == "thesis runs. Its time is up at 13:00."
    assert (reason.rule, reason.value) == ("max_runtime", "24h")
    assert "ds01 extend thesis" in reason.next_step


def test_one_that_is_removed_is_told_from_the_log() -> None:
    gone = event("cleanup.idle", "old._.alice", reason="Nothing ran.", details=IDLE)
    reason = one(*found("old", events=(gone, gone)))
    assert "was stopped at 11:00, and is removed. Nothing ran." in reason.what
    assert reason.where == "the defaults, resource-limits.yaml line 2"
    assert "ds01 container deploy old" in reason.next_step


def test_a_name_chooses() -> None:
    both = (container("a"), container("b"))
    assert [each.name for each in found("b", containers=both, tickets=(TICKET,))] == ["b"]
    assert found("c", containers=both) == ()


def test_names_cannot_write_to_the_terminal() -> None:
    odd = event("gpu.reject", "\x1b[2Jevil", outcome="refused", reason="\x1b[2J")
    assert "\x1b" not in one(*found(events=(odd,))).what


def test_the_command_explains_a_refusal_with_its_line(house: House) -> None:
    house.lab.run("alice", "mig")
    house.lab.run("alice", "mig", name="other")
    with pytest.raises(QuotaExceeded):
        house.lab.admission.admit(house.lab.request("alice", name="third"))
    text = said("why", "third", width=160)
    assert "third was refused" in text
    assert "rule:   max_gpu_slots = 2" in text
    assert "set by: the defaults, resource-limits.yaml line" in text
    (reason,) = told("why", "third")["reasons"]
    assert reason["kind"] == "refused"


def test_the_command_says_when_there_is_nothing(house: House) -> None:
    assert house.lab
    assert said("why") == "You wait for nothing, and nothing was refused or stopped lately.\n"
    with pytest.raises(NotFound, match="Nothing is known about nobody"):
        invoke("why", "nobody")
