from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01_spawner.domain.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    QuotaExceeded,
    Unavailable,
)
from ds01_spawner.domain.notice import NoticeKind
from ds01_spawner.domain.person import UnixAccount
from fakes.bare_metal_lab import ALICE, BOB, CTL, GPU, HOUR, STEP, TRAIN, Machine


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_grant_opens_every_node_for_one_person_and_ends_by_itself(machine: Machine) -> None:
    machine.grant()
    assert machine.lets_in() == machine.lets_in(CTL) == {ALICE}
    machine.passes(8 * HOUR - STEP)
    assert machine.lets_in() == {ALICE}
    machine.passes(STEP)
    assert machine.lets_in() == machine.lets_in(CTL) == set()
    assert machine.kept == []
    assert machine.actions == ["bare_metal.grant", "bare_metal.warn", "bare_metal.expire"]


def test_what_is_granted_is_written_down_with_who_and_why(machine: Machine) -> None:
    machine.grant()
    (event,) = machine.events.events
    assert (event.user, event.reason, event.actor) == ("alice", "a paper", "cli")
    assert event.details["by"] == "root"
    assert event.details["seconds"] == 8 * 3600
    assert event.details["nodes"] == [GPU, CTL]


def test_the_person_is_told_at_the_beginning_before_the_end_and_at_the_end(
    machine: Machine,
) -> None:
    machine.grant()
    machine.passes(8 * HOUR - timedelta(minutes=31))
    assert [each.kind for each in machine.told] == [NoticeKind.FIRST_WARNING]
    machine.passes(timedelta(minutes=1))
    machine.passes(timedelta(minutes=1))
    machine.passes(HOUR)
    assert [each.kind for each in machine.told] == [
        *(NoticeKind.FIRST_WARNING, NoticeKind.FINAL_WARNING, NoticeKind.STOPPED)
    ]
    assert "until 20:00" in machine.told[0].title
    assert "ends at 20:00" in machine.told[1].title


def test_of_a_short_grant_the_last_fifth_is_warned_about(machine: Machine) -> None:
    machine.grant(hours=0.5)
    machine.passes(timedelta(minutes=23))
    assert len(machine.told) == 1
    machine.passes(timedelta(minutes=2))
    assert [each.kind for each in machine.told][1:] == [NoticeKind.FINAL_WARNING]


@pytest.mark.parametrize(
    ("policy", "user", "hours", "reason", "error", "words"),
    [
        ("", "alice", 25, "x", QuotaExceeded, "No grant is longer than 24 hours"),
        ("bare_metal: {max_duration: 2h}", "alice", 3, "x", QuotaExceeded, "2 hours"),
        ("groups: {phd: {}}\nbare_metal: {groups: [phd]}", "alice", 1, "x", Forbidden, "phd"),
        ("bare_metal: {groups: []}", "alice", 1, "x", Forbidden, "none"),
        ("", "alice", 1, "  ", InvalidRequest, "needs a reason"),
        ("", "alice", 0, "x", InvalidRequest, "needs a length"),
        ("", "dora", 1, "x", NotFound, "no account dora"),
        ("", "root", 1, "x", Forbidden, "system account"),
    ],
)
def test_what_may_not_be_granted_is_refused_and_opens_nothing(  # noqa: PLR0917 - the table
    policy: str, user: str, hours: float, reason: str, error: type[Exception], words: str
) -> None:
    machine = Machine(policy)
    with pytest.raises(error, match=words):
        machine.grant(user, hours, reason)
    assert (machine.lets_in(), machine.kept, machine.actions) == (set(), [], [])


def test_a_member_of_a_group_that_may_be_granted_it_is(machine: Machine) -> None:
    machine.policy.edit("groups: {staff: {}}\nbare_metal: {groups: [staff]}")
    machine.grant()
    assert machine.lets_in() == {ALICE}


def test_without_a_service_that_would_end_it_nothing_is_granted(machine: Machine) -> None:
    machine.service.end()
    with pytest.raises(Unavailable, match="nothing would end the grant"):
        machine.grant()
    machine.service.keep()
    machine.clock.advance(timedelta(minutes=1))
    with pytest.raises(Unavailable, match="nothing would end the grant"):
        machine.grant()
    assert machine.lets_in() == set()


def test_without_nodes_nothing_is_granted(machine: Machine) -> None:
    machine.nodes.closed = {GPU, CTL}
    with pytest.raises(NotFound, match="no GPU device node"):
        machine.grant()


def test_what_the_audit_log_does_not_take_is_not_granted(machine: Machine) -> None:
    machine.events.full = True
    with pytest.raises(Unavailable):
        machine.grant()
    assert (machine.lets_in(), machine.kept, machine.told) == (set(), [], [])


def test_what_the_audit_log_does_not_take_ends_all_the_same_and_is_told_later(
    machine: Machine,
) -> None:
    machine.grant()
    machine.events.full = True
    assert machine.passes(9 * HOUR)
    assert machine.lets_in() == set()
    assert machine.kept == ["alice"]
    machine.events.full = False
    assert machine.passes(STEP) == ()
    assert machine.kept == []
    assert machine.actions[-1] == "bare_metal.expire"


def test_an_end_that_the_ledger_does_not_take_is_closed_and_told_once(machine: Machine) -> None:
    machine.grant()
    machine.clock.advance(9 * HOUR)
    machine.nodes.held[ALICE] = (TRAIN,)
    kept = machine.channels.names

    def down(kind: NoticeKind) -> list[str]:
        raise Unavailable(f"No {kind} goes anywhere.")

    machine.channels.names = down  # type: ignore[method-assign]
    for _ in range(3):
        assert machine.passes(STEP)
        assert machine.lets_in() == set()
    machine.channels.names = kept  # type: ignore[method-assign]
    assert machine.passes(STEP) == ()
    assert (machine.kept, machine.actions.count("bare_metal.expire")) == ([], 1)


def test_another_grant_takes_the_place_of_the_first(machine: Machine) -> None:
    machine.grant(hours=1)
    machine.grant(hours=3)
    machine.passes(2 * HOUR)
    assert machine.lets_in() == {ALICE}
    machine.passes(HOUR)
    assert machine.lets_in() == set()
    assert "replaces_until" in machine.events.of("bare_metal.grant")[1].details


def test_who_takes_it_back_does_so_at_once(machine: Machine) -> None:
    machine.grant()
    machine.grant("bob")
    taken, holders = machine.admin.revoke("alice", "carol")
    assert (taken.user, holders) == ("alice", ())
    assert machine.lets_in() == {BOB}
    (event,) = machine.events.of("bare_metal.revoke")
    assert (event.user, event.details["by"]) == ("alice", "carol")
    (notice,) = (each for each in machine.told if each.kind is NoticeKind.STOPPED)
    assert "carol took it back" in notice.text
    with pytest.raises(NotFound, match="alice has no grant"):
        machine.admin.revoke("alice", "carol")


def test_processes_that_still_have_a_gpu_open_are_told(machine: Machine) -> None:
    machine.grant()
    machine.nodes.held[ALICE] = (TRAIN,)
    machine.passes(9 * HOUR)
    assert machine.events.of("bare_metal.expire")[0].details["still_open"] == [77]
    assert "77 (python3)" in machine.told[-1].text
    assert "stopped otherwise" not in machine.told[-1].text


@pytest.mark.parametrize(("is_main", "said"), [(True, True), (False, False)])
def test_they_are_told_that_they_are_stopped_where_the_policy_does(
    is_main: bool, said: bool
) -> None:
    machine = Machine("unmanaged: {host: stop}", is_main=is_main)
    machine.grant()
    machine.nodes.held[ALICE] = (TRAIN,)
    machine.passes(9 * HOUR)
    assert ("unmanaged.host = stop" in machine.told[-1].text) is said


def test_a_node_that_comes_back_is_opened_again_and_said_once(machine: Machine) -> None:
    machine.grant()
    for _ in range(3):
        machine.nodes.lists[GPU] = set()
        machine.passes(STEP)
        assert machine.lets_in() == {ALICE}
    (event,) = machine.events.of("bare_metal.reopen")
    assert event.details["nodes"] == [GPU]


def test_after_a_boot_the_nodes_are_opened_again_for_the_rest_of_it(machine: Machine) -> None:
    machine.grant()
    machine.nodes.lists = {GPU: set(), CTL: set()}
    machine.clock.reboot()
    machine.service = machine.process("culler")
    machine.service.keep()
    assert machine.lets_in() == {ALICE}
    machine.passes(8 * HOUR)
    assert machine.lets_in() == set()


@pytest.mark.parametrize("by", [-6 * HOUR, 24 * HOUR * 365, -24 * HOUR * 365])
def test_a_clock_that_is_set_makes_no_grant_longer(machine: Machine, by: timedelta) -> None:
    machine.grant()
    machine.clock.jump(by)
    machine.passes(8 * HOUR)
    assert machine.lets_in() == set()


def test_a_clock_before_the_grant_after_a_boot_ends_it(machine: Machine) -> None:
    machine.grant()
    machine.clock.reboot()
    machine.clock.jump(-24 * HOUR * 365)
    machine.service.keep()
    assert machine.lets_in() == set()


def test_an_account_that_is_closed_or_made_anew_has_no_access(machine: Machine) -> None:
    machine.grant()
    machine.grant("bob")
    machine.accounts.closed.add("alice")
    machine.accounts.people["bob"] = UnixAccount("bob", 1077, 1077, "/home/bob")
    machine.passes(STEP)
    assert machine.lets_in() == set()
    assert [each.user for each in machine.events.of("bare_metal.revoke")] == ["alice", "bob"]


def test_a_name_service_that_does_not_answer_ends_nothing(machine: Machine) -> None:
    machine.grant()
    machine.accounts.stuck = True
    assert "does not answer" in machine.passes(STEP)[0]
    assert machine.lets_in() == {ALICE}


def test_what_cannot_be_opened_is_said_and_opened_by_the_next_pass(machine: Machine) -> None:
    machine.nodes.stuck = True
    with pytest.raises(Unavailable, match="goes on trying"):
        machine.grant()
    assert machine.passes(STEP)
    machine.nodes.stuck = False
    machine.passes(STEP)
    assert machine.lets_in() == {ALICE}


def test_one_that_cannot_be_closed_keeps_no_other_open(machine: Machine) -> None:
    machine.grant()
    machine.grant("bob")
    kept = machine.nodes.take_back

    def fails_for_alice(uid: int) -> tuple[str, ...]:
        if uid == ALICE:
            raise Unavailable("Read-only file system.")
        return kept(uid)

    machine.nodes.take_back = fails_for_alice  # type: ignore[method-assign]
    (note,) = machine.passes(9 * HOUR)
    assert note.startswith("Access of alice")
    assert machine.lets_in() == {ALICE}


@pytest.mark.parametrize(
    ("part", "method"), [("nodes", "give"), ("channels", "names")], ids=["deed", "ledger"]
)
def test_a_grant_that_is_interrupted_is_whole_or_not_at_all(
    machine: Machine, part: str, method: str
) -> None:
    with machine.dies_where(getattr(machine, part), method):
        machine.grant()
    machine.passes(STEP)
    assert machine.lets_in() == {*([ALICE] if machine.kept else [])}
    assert bool(machine.kept) is (part == "nodes")


@pytest.mark.parametrize("method", ["take_back", "holders"])
@pytest.mark.parametrize("by_hand", [True, False])
def test_an_end_that_is_interrupted_is_finished_by_the_next_pass(
    machine: Machine, method: str, *, by_hand: bool
) -> None:
    machine.grant()
    with machine.dies_where(machine.nodes, method):
        if by_hand:
            machine.admin.revoke("alice", "carol")
        else:
            machine.passes(9 * HOUR)
    machine.passes(STEP)
    assert (machine.lets_in(), machine.kept) == (set(), [])
    assert machine.actions[-1] == ("bare_metal.revoke" if by_hand else "bare_metal.expire")
    assert [each.kind for each in machine.told].count(NoticeKind.STOPPED) == 1


def test_what_is_taken_back_while_the_service_opens_it_stays_closed(machine: Machine) -> None:
    machine.grant()
    machine.nodes.lists[GPU] = set()
    kept = machine.nodes.give

    def late(uid: int) -> tuple[str, ...]:
        machine.nodes.give = kept  # type: ignore[method-assign]
        machine.admin.revoke("alice", "carol")
        return kept(uid)

    machine.nodes.give = late  # type: ignore[method-assign]
    machine.passes(STEP)
    assert machine.lets_in() == machine.lets_in(CTL) == set()
    assert machine.kept == []


def test_of_two_services_one_passes(machine: Machine) -> None:
    other = machine.process("other")
    machine.grant()
    machine.nodes.lists[GPU] = set()
    assert other.keep() == ()
    assert machine.lets_in() == set()
    machine.service.end()
    other.keep()
    assert machine.lets_in() == {ALICE}


def test_who_has_access_without_a_grant_is_shown(machine: Machine) -> None:
    machine.grant()
    machine.nodes.lists[CTL].add(4711)
    found = machine.admin.overview()
    (standing,) = found.standings
    assert (standing.grant.user, standing.is_over, standing.nodes) == ("alice", False, (GPU, CTL))
    assert found.strays == {4711: (CTL,)}
    assert machine.admin.granted_people() == {"alice"}
    machine.clock.advance(9 * HOUR)
    assert machine.admin.overview().standings[0].is_over
    assert machine.admin.granted_people() == set()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["grant", "short", "revoke", "pass", "hour", "back", "ahead", "boot", "mig"]
        ),
        max_size=25,
    )
)
def test_whatever_happens_after_a_pass_exactly_those_with_a_grant_are_let_in(
    deeds: list[str],
) -> None:
    machine = Machine()
    for deed in deeds:
        match deed:
            case "grant" | "short":
                machine.service.keep()
                machine.grant(hours=8 if deed == "grant" else 0.2)
            case "revoke" if "alice" in machine.kept:
                machine.admin.revoke("alice", "root")
            case "hour":
                machine.clock.advance(HOUR)
            case "back" | "ahead":
                machine.clock.jump(HOUR if deed == "ahead" else -HOUR)
            case "boot":
                machine.clock.reboot()
                machine.nodes.lists = {GPU: set(), CTL: set()}
            case "mig":
                machine.nodes.lists[GPU] = set()
    machine.service.keep()
    wanted = {ALICE} if machine.admin.granted_people() else set()
    assert machine.lets_in() == machine.lets_in(CTL) == wanted
    assert bool(machine.kept) is bool(wanted)
