from datetime import timedelta

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.errors import Forbidden, InvalidRequest, NotFound, Refused, Unavailable
from ds01_spawner.domain.work import Level, Rule, SentWarning, Track
from ds01_spawner.operations.lifecycle.keep_alive import Kept
from fakes.clock import FakeClock
from fakes.facts import container
from fakes.lab import POLICY, Lab
from fakes.policy import FakePolicy

HOUR = timedelta(hours=1)


@pytest.fixture
def lab() -> Lab:
    return Lab(clock=FakeClock())


def ask(
    lab: Lab, name: str | None = "jupyter", duration: timedelta | None = None, user: str = "alice"
) -> Kept:
    return lab.keep_alives.ask(user, name, duration, source="command", by=user)


def idle_for(lab: Lab, span: timedelta, container_id: str) -> None:
    """As if passes had seen it idle for so long."""
    now = lab.clock.now()
    track = Track(
        container_id,
        "jupyter._.alice",
        "alice",
        started_at=now - span,
        run_started_at=now - span,
        idle_checks=3,
        idle_since=now - span,
    )
    with lab.ledger.transaction() as transaction:
        transaction.put_tracks([track])


def stored(lab: Lab) -> list[object]:
    with lab.ledger.transaction() as transaction:
        return list(transaction.keep_alives())


def rules(lab: Lab, extra: str) -> None:
    lab.policy.edit(POLICY.replace("defaults:\n", f"defaults:\n{extra}", 1))


def exempt(lab: Lab, duration: timedelta) -> None:
    until = (lab.clock.now() + duration).strftime("%Y-%m-%dT%H:%M:%SZ")
    lab.policy.exempt(
        "exemptions:\n"
        f"  - {{user: alice, exempt_from: [idle_timeout], until: '{until}', reason: a paper}}\n"
    )


def test_gives_the_most_that_is_allowed_unless_told_otherwise(lab: Lab) -> None:
    rules(lab, "  max_runtime: null\n")
    container_id = lab.run("alice")
    kept = ask(lab)
    assert kept.keep_alive.until == lab.clock.now() + 24 * HOUR
    assert kept.keep_alive.container_id == container_id
    assert kept.name == "jupyter"
    assert kept.ends_anyway is None
    assert stored(lab) == [kept.keep_alive]


def test_is_in_the_log_with_who_asked_and_until_when(lab: Lab) -> None:
    container_id = lab.run("alice")
    lab.keep_alives.ask("alice", "jupyter", 6 * HOUR, source="page", by="boss")
    event = lab.events.events[-1]
    assert (event.action, event.user, event.interface) == ("container.extend", "alice", "hub")
    assert event.resource == "jupyter._.alice"
    assert event.details == {
        "id": container_id,
        "by": "boss",
        "source": "page",
        "until": labels.format_timestamp(lab.clock.now() + 6 * HOUR),
    }


def test_never_gives_more_than_keep_alive_max(lab: Lab) -> None:
    rules(lab, "  max_runtime: null\n")
    lab.run("alice")
    kept = ask(lab, duration=48 * HOUR)
    assert kept.keep_alive.until == lab.clock.now() + 24 * HOUR
    assert kept.shortened


def test_unlimited_keep_alives_are_a_day_unless_told_otherwise(lab: Lab) -> None:
    rules(lab, "  max_runtime: null\n  policies:\n    keep_alive_max: null\n")
    lab.run("alice")
    assert ask(lab).keep_alive.until == lab.clock.now() + 24 * HOUR
    assert ask(lab, duration=72 * HOUR).keep_alive.until == lab.clock.now() + 72 * HOUR


def test_asking_again_never_goes_further_than_the_maximum_after_the_idle_end(lab: Lab) -> None:
    rules(lab, "  max_runtime: null\n  idle_timeout: 2h\n")
    container_id = lab.run("alice")
    idle_for(lab, 10 * HOUR, container_id)
    idle_end = lab.clock.now() - 8 * HOUR
    assert ask(lab).keep_alive.until == idle_end + 24 * HOUR
    with pytest.raises(Forbidden, match=r"as long as is allowed already, for 16 hours more.*24h"):
        ask(lab)


def test_says_which_limit_ends_it_anyway(lab: Lab) -> None:
    rules(lab, "  max_runtime: 12h\n")
    lab.run("alice")
    kept = ask(lab)
    assert kept.keep_alive.until == lab.clock.now() + 12 * HOUR
    assert kept.ends_anyway is not None
    assert kept.ends_anyway.words == "max_runtime = 12h (the defaults, resource-limits.yaml line 3)"


def test_refuses_when_max_runtime_comes_first(lab: Lab) -> None:
    rules(lab, "  max_runtime: 3h\n  idle_timeout: 2h\n")
    container_id = lab.run("alice")
    idle_for(lab, timedelta(minutes=100), container_id)
    ask(lab)
    lab.wait(3600)
    with pytest.raises(Forbidden) as caught:
        ask(lab)
    said = str(caught.value)
    assert "jupyter ends in 20 minutes whatever you ask: max_runtime = 3h" in said
    assert "the defaults, resource-limits.yaml line 3" in said
    assert len(stored(lab)) == 1


def test_refuses_where_the_policy_allows_none(lab: Lab) -> None:
    rules(lab, "  policies:\n    keep_alive_max: 0s\n")
    lab.run("alice")
    with pytest.raises(
        Forbidden, match=r"keep_alive_max = 0s .the defaults, resource-limits.yaml line"
    ):
        ask(lab)
    assert stored(lab) == []


def test_there_is_nothing_to_postpone_without_an_idle_timeout(lab: Lab) -> None:
    rules(lab, "  idle_timeout: null\n")
    lab.run("alice")
    with pytest.raises(InvalidRequest, match="not stopped for being unused"):
        ask(lab)


def test_asking_for_less_than_was_given_changes_nothing(lab: Lab) -> None:
    lab.run("alice")
    first = ask(lab, duration=6 * HOUR)
    events = len(lab.events.events)
    assert ask(lab, duration=HOUR).keep_alive == first.keep_alive
    assert len(lab.events.events) == events


def test_enough_is_told_as_it_is_and_not_as_it_was_asked(lab: Lab) -> None:
    rules(lab, "  max_runtime: 20h\n")
    lab.run("alice")
    ask(lab, duration=12 * HOUR)
    rules(lab, "  max_runtime: 6h\n")
    kept = ask(lab, duration=HOUR)
    assert kept.until == lab.clock.now() + 6 * HOUR
    assert kept.ends_anyway is not None


def test_asking_before_there_is_anything_to_postpone_says_so(lab: Lab) -> None:
    rules(lab, "  max_runtime: null\n  idle_timeout: 48h\n  policies: {keep_alive_max: 2h}\n")
    idle_for(lab, HOUR, lab.run("alice"))
    for duration in (None, 5 * HOUR):
        with pytest.raises(InvalidRequest) as caught:
            ask(lab, duration=duration)
        assert str(caught.value) == (
            "There is nothing to postpone yet: jupyter goes on unused for 47 hours anyway, longer "
            "than a keep-alive gives: policies.keep_alive_max = 2h (the defaults, "
            "resource-limits.yaml line 5). Ask when you are warned."
        )
    with pytest.raises(InvalidRequest, match=r"47 hours anyway, longer than the 1 hour of a keep"):
        ask(lab, duration=HOUR)
    assert stored(lab) == []


def test_who_was_warned_is_not_told_to_wait_for_a_warning(lab: Lab) -> None:
    rules(lab, "  max_runtime: null\n  idle_timeout: 2h\n")
    container_id = lab.run("alice")
    idle_for(lab, timedelta(minutes=100), container_id)
    now = lab.clock.now()
    warning = SentWarning(container_id, Rule.IDLE, Level.FIRST, now, now + HOUR / 3)
    with lab.ledger.transaction() as transaction:
        transaction.put_warnings([warning])
    with pytest.raises(InvalidRequest, match=r"for 20 minutes anyway.*Ask again shortly before"):
        ask(lab, duration=HOUR / 6)
    assert ask(lab, duration=HOUR).keep_alive.until == now + HOUR


def test_more_may_be_asked_for_where_the_policy_has_no_maximum(lab: Lab) -> None:
    rules(lab, "  max_runtime: null\n  idle_timeout: 48h\n  policies: {keep_alive_max: null}\n")
    lab.run("alice")
    with pytest.raises(InvalidRequest, match="nothing to postpone"):
        ask(lab)
    assert ask(lab, duration=72 * HOUR).until == lab.clock.now() + 72 * HOUR


def test_what_an_exemption_keeps_needs_no_keep_alive(lab: Lab) -> None:
    rules(lab, "  max_runtime: null\n")
    exempt(lab, timedelta(days=9))
    lab.run("alice")
    with pytest.raises(InvalidRequest, match="jupyter is exempt and goes on for 9 days anyway"):
        ask(lab)
    assert lab.outlook.read().containers[0].keep_until is None


def test_an_exemption_that_ends_sooner_can_be_outlasted(lab: Lab) -> None:
    rules(lab, "  max_runtime: null\n")
    exempt(lab, 6 * HOUR)
    idle_for(lab, HOUR, lab.run("alice"))
    offered = lab.outlook.read().containers[0].keep_until
    assert ask(lab).until == offered == lab.clock.now() + 24 * HOUR
    (end,) = lab.outlook.read().containers[0].ends
    assert end.at == offered


@pytest.mark.parametrize("longest", ["30m", "1h", "61m", "2h", "24h"])
@pytest.mark.parametrize("threshold", ["1%", "100%"], ids=["high demand", "no demand"])
@pytest.mark.parametrize("minutes", [0, 30, 60, 90, 119, 240])
def test_what_the_page_offers_is_given_and_nothing_else(
    lab: Lab, longest: str, threshold: str, minutes: int
) -> None:
    policies = f"{{keep_alive_max: {longest}, high_demand_threshold: {threshold}}}"
    rules(lab, f"  max_runtime: 12h\n  idle_timeout: 2h\n  policies: {policies}\n")
    container_id = lab.run("alice")
    if minutes:
        idle_for(lab, timedelta(minutes=minutes), container_id)
    (view,) = lab.outlook.read().containers
    if view.keep_until is None:
        with pytest.raises(Refused):
            ask(lab)
        return
    assert ask(lab).until == view.keep_until
    (view,) = lab.outlook.read().containers
    if minutes:
        assert view.ends[0].at == ask(lab, duration=timedelta(seconds=1)).until
    assert view.keep_until is None


def test_a_driver_that_does_not_answer_keeps_nobody_from_asking(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.run("alice")

    def broken() -> None:
        raise Unavailable("The NVIDIA driver does not answer.")

    monkeypatch.setattr(lab.probe, "inventory", broken)
    monkeypatch.setattr(lab.probe, "activity", broken)
    assert ask(lab).until == lab.outlook.read().containers[0].ends[0].at


@pytest.mark.parametrize("seconds", [0, -60])
def test_no_time_at_all_is_refused(lab: Lab, seconds: int) -> None:
    lab.run("alice")
    with pytest.raises(InvalidRequest):
        ask(lab, duration=timedelta(seconds=seconds))


def test_the_only_running_container_needs_no_name(lab: Lab) -> None:
    lab.run("alice", name="thesis")
    lab.run("bob")
    assert ask(lab, None).name == "thesis"


def test_several_need_a_name(lab: Lab) -> None:
    lab.run("alice", "none", name="one")
    lab.run("alice", "none", name="two")
    with pytest.raises(InvalidRequest, match=r"2 containers of alice run. Name one: one, two."):
        ask(lab, None)


@pytest.mark.parametrize("name", ["bobs", "nothing", "jupyter._.bob", ""])
def test_somebody_elses_container_is_not_found(lab: Lab, name: str) -> None:
    lab.run("bob", name="bobs")
    lab.run("alice", "none", name="mine")
    with pytest.raises(NotFound, match=r"These run: mine."):
        ask(lab, name)
    assert stored(lab) == []


def test_a_stopped_container_is_not_found(lab: Lab) -> None:
    lab.run("alice")
    lab.stop("alice")
    with pytest.raises(NotFound):
        ask(lab)


def test_another_installations_container_is_left_alone(lab: Lab) -> None:
    lab.engine.put(container("alice", extra={labels.INSTANCE: "elsewhere"}))
    with pytest.raises(NotFound, match="another installation"):
        ask(lab)


def test_nothing_is_kept_when_it_cannot_be_written_down(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.run("alice")

    def full(_event: object) -> None:
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(lab.events, "append", full)
    with pytest.raises(Unavailable):
        ask(lab)
    assert stored(lab) == []


def test_a_broken_policy_gives_nothing(lab: Lab) -> None:
    lab.run("alice")
    lab.policy.broken = True
    with pytest.raises(Unavailable):
        ask(lab)


def test_another_policy_is_another_bound() -> None:
    lab = Lab(
        clock=FakeClock(),
        policy=FakePolicy(f"{POLICY}\nusers:\n  alice:\n    policies:\n      keep_alive_max: 3h\n"),
    )
    lab.run("alice")
    lab.run("bob", "none")
    assert ask(lab).keep_alive.until == lab.clock.now() + 3 * HOUR
    assert ask(lab, user="bob").keep_alive.until == lab.clock.now() + 24 * HOUR
