import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from ds01_spawner.domain.allocation import Reservation
from ds01_spawner.domain.bare_metal import BareMetalGrant
from ds01_spawner.domain.carbon import Rates, Series
from ds01_spawner.domain.door import Finding
from ds01_spawner.domain.errors import PolicyError, PolicyProblem, Unavailable
from ds01_spawner.domain.gpu import Inventory
from ds01_spawner.domain.health import Answer, DiskFacts, FileFacts, Level, UnitFacts, Verdict, good
from ds01_spawner.domain.keeper import Keeper
from ds01_spawner.domain.labels import format_timestamp
from ds01_spawner.operations.doors.bare_metal import LEASE, LEASE_SECONDS
from ds01_spawner.operations.health.health import Check, Health, health_json
from fakes.clock import FakeClock
from fakes.health_lab import (
    CONFIG,
    EVENTS,
    EXPORTER,
    LEDGER,
    LOG,
    PUBLIC,
    RUN,
    SECRET,
    SOCKET,
    STATE,
    HealthLab,
)
from fakes.machine_look import ROOMY

GIB = 1024**3
HOUR = timedelta(hours=1)
OPEN = Finding("docker-group", is_open=True, what="", why="")


_TOLD_BY_PARTS = {
    *("engine", "cgroups", "gpus", "policy", "ledger", "accounts", "images", "hub", "clock")
}
"""What to do is in what they say, or in their own error."""


def granted(lab: HealthLab, *, kept: bool, hours: int = 8) -> None:
    mark = lab.clock.mark()
    until = mark.wall + hours * HOUR
    grant = BareMetalGrant("alice", 1001, "x", "root", mark.wall, until, "boot-1", 0.0)
    with lab.ledger.transaction() as transaction:
        transaction.put_bare_metal_grant(replace(grant, uptime_seconds=mark.uptime_seconds))
        if kept:
            transaction.take_lease(LEASE, "culler", mark, LEASE_SECONDS)


def is_stale(lab: HealthLab) -> None:
    now = lab.clock.now()
    promise = Reservation("r", "alice", "x._.alice", (), 0.0, now - 2 * HOUR, now - HOUR)
    with lab.ledger.transaction() as transaction:
        transaction.add_reservation(promise)


def is_over(lab: HealthLab) -> None:
    granted(lab, kept=True)
    lab.clock.advance(9 * HOUR)
    lab.pass_was()


def is_set(lab: HealthLab) -> None:
    lab.clock.jump(HOUR)


def certificate(lab: HealthLab, days: int) -> None:
    lab.public_url = PUBLIC
    lab.look.answers[PUBLIC] = Answer(302, lab.clock.now() + timedelta(days=days))


def units(**states: UnitFacts) -> Callable[[HealthLab], None]:
    def set_up(lab: HealthLab) -> None:
        lab.look.systemd = True
        lab.look.known = {f"ds01-{name}.service": unit for name, unit in states.items()}

    return set_up


def on(path: str, **facts: object) -> Callable[[HealthLab], None]:
    def set_up(lab: HealthLab) -> None:
        known = lab.look.files.get(path, FileFacts(0o600, 0))
        lab.look.files[path] = replace(known, **facts)  # type: ignore[arg-type]

    return set_up


def disk(path: str, **facts: object) -> Callable[[HealthLab], None]:
    def set_up(lab: HealthLab) -> None:
        lab.look.disks[path] = replace(ROOMY, device=2, **facts)  # type: ignore[arg-type]

    return set_up


def is_edited(name: str) -> Callable[[HealthLab], None]:
    def set_up(lab: HealthLab) -> None:
        later = lab.clock.now() + timedelta(minutes=1)
        lab.look.files[f"{CONFIG}/{name}"] = FileFacts(0o644, 0, modified_at=later)

    return set_up


def having(**facts: object) -> Callable[[HealthLab], None]:
    def set_up(lab: HealthLab) -> None:
        for path, value in facts.items():
            *way, name = path.split("__")
            part: object = lab
            for step in way:
                part = getattr(part, step)
            setattr(part, name, value)

    return set_up


BROKEN = (PolicyProblem("p.yaml", 3, "users", "expected a mapping"),) * 2

CASES = [
    # check, how it is, what is said
    ("engine", having(engine__stuck=True), "fail", "engine"),
    ("cgroups", having(engine__stuck=True), "fail", "engine"),
    ("cgroups", having(cgroups__stuck=True), "fail", ""),
    ("cgroups", having(look__systemd=True), "warn", "run by systemd"),
    ("gpus", having(probe__stuck=True), "fail", "driver does not answer"),
    ("gpus", having(probe__present=Inventory("nvml", ())), "warn", "no GPU"),
    ("gpus", having(probe__present=Inventory("nvml", (), ("GPU 0 is lost.",))), "fail", "lost"),
    ("policy", having(policy__broken=True), "fail", "no valid policy"),
    ("policy", having(policy__problems=BROKEN), "fail", "p.yaml:3: users: expected a mapping, and"),
    ("ledger", having(ledger__locked=True), "fail", "locked"),
    ("ledger", having(ledger__broken_pages=("row 7 missing",)), "fail", "row 7 missing"),
    ("ledger", having(lock_seconds=3.0), "warn", "lock took 3.0 s"),
    ("ledger", on(LEDGER, size_bytes=3 * GIB), "warn", "It has 3"),
    ("ledger", on(f"{LEDGER}-wal", size_bytes=GIB), "warn", "Its log has"),
    ("leftovers", is_stale, "warn", "Reservations that are over, for up to 1 hour: 1."),
    ("leftovers", is_over, "warn", "not taken back yet: alice"),
    ("accounts", having(accounts__stuck=True), "fail", "name service"),
    ("images", having(engine__images=set()), "warn", "ds01/starter:latest is not here"),
    ("images", having(engine__stuck=True), "warn", "engine"),
    ("hub", having(hub=None), "warn", "Nothing says where the hub is"),
    ("hub", having(hub__down=True), "fail", "hub"),
    ("proxy", having(public_url=PUBLIC), "fail", "Nobody answers"),
    ("proxy", lambda lab: certificate(lab, 3), "warn", "ends in 3 days"),
    ("proxy", lambda lab: certificate(lab, 90), "ok", "answers"),
    ("gateway", having(gateway__running=False), "fail", "Nobody answers at /run/ds01"),
    ("lifecycle service", lambda lab: lab.pass_was(HOUR), "fail", "last ran at"),
    ("lifecycle service", lambda lab: lab.pass_was(4 * HOUR / 60), "warn", "last ran at"),
    ("lifecycle service", lambda lab: granted(lab, kept=False), "fail", "Nothing ends access"),
    ("lifecycle service", lambda lab: granted(lab, kept=True), "ok", "Last pass 0 s ago"),
    ("exporter", having(), "ok", "It is not installed"),
    ("exporter", having(exporter_named=True), "fail", "Nobody answers"),
    ("exporter", units(exporter=UnitFacts("inactive", enabled=True)), "fail", "Nobody answers"),
    ("exporter", units(exporter=UnitFacts("inactive", enabled=False)), "fail", "Nobody answers"),
    ("exporter", having(look__answers={EXPORTER: Answer(200)}), "ok", "It answers"),
    ("exporter", having(look__answers={EXPORTER: Answer(503)}), "fail", "with 503"),
    ("systemd", units(hub=UnitFacts("active", enabled=True)), "ok", "as it should be (1)"),
    (
        "systemd",
        units(hub=UnitFacts("failed", enabled=True)),
        "fail",
        "ds01-hub.service has failed",
    ),
    ("systemd", units(hub=UnitFacts("inactive", enabled=True)), "warn", "is inactive"),
    ("systemd", units(hub=UnitFacts("active", enabled=False)), "warn", "does not begin with"),
    ("doors", having(doors=[OPEN]), "warn", "1 of 1 are open: docker-group"),
    ("disks", disk("/home", free_bytes=GIB // 2), "fail", "homes (/home) has 512 MB left"),
    ("disks", disk(STATE, free_bytes=5 * GIB, size_bytes=90 * GIB), "warn", "has 5 GB"),
    ("disks", disk(STATE, free_inodes=10), "fail", "no more files"),
    ("disks", disk(STATE, free_inodes=300_000), "warn", "few more files"),
    ("disks", disk(STATE, read_only=True), "fail", "takes no writing"),
    ("disks", having(look__disks={}), "fail", "None of the platform's folders"),
    ("event log", having(look__disks={}), "fail", f"no folder {LOG}"),
    ("event log", disk(LOG, free_bytes=0), "fail", "Nothing can be written"),
    ("event log", on(EVENTS, mode=0o644), "warn", "Everybody may read"),
    ("event log", on(EVENTS, mode=0o666), "fail", "everybody may write it"),
    ("event log", on(EVENTS, mode=0o642), "fail", "everybody may write it"),
    ("event log", on(EVENTS, mode=0o660), "fail", "its group may write it"),
    ("settings", is_edited("gpu-config.yaml"), "warn", "gpu-config.yaml was edited"),
    ("settings", is_edited("images.yaml"), "warn", "images.yaml was edited"),
    ("settings", having(), "ok", "Nothing was edited"),
    ("settings", lambda lab: lab.look.files.pop(SOCKET), "ok", "not known"),
    ("files", on(SECRET, mode=0o640), "fail", "it is a secret"),
    ("files", on(f"{CONFIG}/gateway.env", uid=1000), "fail", "is the user 1000's"),
    ("files", on(f"{CONFIG}/resource-limits.yaml", mode=0o664), "fail", "others may write"),
    ("files", on(RUN, mode=0o777), "fail", "others may write"),
    ("clock", having(look__kept=False), "warn", "Nothing keeps the clock right"),
    ("clock", having(look__kept=None), "ok", "does not say"),
    ("clock", is_set, "warn", "set 1 hour ahead"),
]


@pytest.mark.parametrize(
    ("name", "set_up", "level", "words"), CASES, ids=[f"{each[0]}-{each[3]}" for each in CASES]
)
def test_what_is_not_as_it_should_be_is_said(
    name: str, set_up: Callable[[HealthLab], None], level: str, words: str
) -> None:
    lab = HealthLab()
    set_up(lab)
    found = lab.verdict(name)
    assert (found.level.value, words in found.what) == (level, True), found
    assert found.next_step or found.level is Level.OK or name in _TOLD_BY_PARTS, found


def test_of_a_lab_in_which_all_is_well_every_part_says_so() -> None:
    looked = HealthLab().looked()
    assert {name: each.verdict.level for name, each in looked.items()} == dict.fromkeys(
        looked, Level.OK
    ), looked
    assert list(looked) == [
        *("engine", "cgroups", "gpus", "policy", "ledger", "leftovers", "accounts", "images"),
        "emissions",
        *("disks", "event log", "files", "settings", "clock"),
        *("hub", "proxy", "gateway", "lifecycle service", "exporter", "systemd", "doors"),
    ]


def test_an_edit_that_is_not_in_force_is_told_with_what_holds_meanwhile() -> None:
    lab = HealthLab()
    lab.policy.problems = BROKEN
    assert lab.verdict("policy").what.endswith("Until it is mended, the previous policy holds.")
    lab.policy.refusal = "No valid policy has been read yet.\np.yaml:3: users"
    found = lab.verdict("policy")
    assert "not in force: p.yaml:3: users: expected a mapping" in found.what
    assert "\n" not in found.what
    assert "services that run" in found.what
    assert "Ask" not in found.next_step
    assert "ds01 policy check" in found.next_step


def test_the_engines_way_to_set_limits_is_told_in_words() -> None:
    said = HealthLab().verdict("cgroups").what
    assert said == "People's limits can be set (cgroup v1, by cgroupfs). People with limits now: 0."


def test_whoever_is_in_several_groups_is_named_with_the_one_that_counts() -> None:
    lab = HealthLab()
    lab.policy.edit(
        "groups: {staff: {priority: 9, members: [bob]}, phd: {priority: 5, members: [bob, al]}}"
    )
    assert "the first counts: bob (staff, phd)." in lab.verdict("policy").what


def test_a_broken_name_of_a_user_in_the_state_folder_of_a_demo_is_trusted() -> None:
    lab = HealthLab()
    for path in lab.look.files:
        lab.look.files[path] = replace(lab.look.files[path], uid=1000)
    assert lab.verdict("files").level is Level.OK


def look(*checks: Check, seconds: float = 5.0) -> dict[str, Verdict]:
    return {each.name: each.verdict for each in Health(checks, seconds=seconds).look()}


def test_what_hangs_is_said_in_time_and_keeps_nobody_waiting() -> None:
    release = threading.Event()
    begun: list[int] = []

    def hangs() -> Verdict:
        begun.append(1)
        release.wait(30)
        return good("late")

    clock = FakeClock()
    health = Health(
        [Check("slow", hangs), Check("quick", lambda: good("at once"))],
        seconds=0.1,
        monotonic=clock.monotonic,
    )
    try:
        for _ in range(3):
            first, second = health.look()
            assert (first.verdict.level, second.verdict.what) == (Level.FAIL, "at once")
            assert "did not answer in 0.1 s" in first.verdict.what
            clock.advance(timedelta(minutes=1))
        assert len(begun) == 1
    finally:
        release.set()
    deadline = threading.Event()
    while not (found := health.look()[0].verdict.what == "late"):
        clock.advance(timedelta(minutes=1))
        assert not deadline.wait(0.01)
    assert found


def test_a_fault_of_ours_is_said_and_the_others_go_on() -> None:
    def broken() -> Verdict:
        raise KeyError("x")

    found = look(Check("broken", broken), Check("well", lambda: good("yes")))
    assert (found["broken"].level, found["well"].level) == (Level.FAIL, Level.OK)
    assert "KeyError" in found["broken"].what


def test_a_file_that_is_wrong_is_told_with_what_to_do() -> None:
    def wrong() -> Verdict:
        raise PolicyError((PolicyProblem("gpu-config.yaml", 4, "strategy", "no such strategy"),))

    found = look(Check("gpus", wrong))["gpus"]
    assert found.level is Level.FAIL
    assert "gpu-config.yaml:4" in found.what
    assert "Correct the file" in found.next_step


def test_what_cannot_be_looked_at_is_as_bad_as_its_part_is_important() -> None:
    def down() -> Verdict:
        raise Unavailable("It is down.", "Start it.")

    found = look(Check("vital", down), Check("nice", down, Level.WARN))
    assert found["vital"] == Verdict(Level.FAIL, "It is down.", "Start it.")
    assert found["nice"].level is Level.WARN


def test_checks_are_made_side_by_side() -> None:
    together = threading.Barrier(3)

    def waits() -> Verdict:
        together.wait(5)
        return good("all")

    found = look(*(Check(str(number), waits) for number in range(3)))
    assert {each.what for each in found.values()} == {"all"}


def test_a_fault_of_a_moment_ago_is_found_by_who_asks_now() -> None:
    lab = HealthLab()
    checks = lab.checks

    def gpus() -> Level:
        return {each.name: each for each in checks.look()}["gpus"].verdict.level

    assert gpus() is Level.OK
    lab.probe.present = Inventory("nvml", (), ("GPU 0 is lost.",))
    assert gpus() is Level.FAIL


class CountedLock:
    """Knows how many have come to take it."""

    def __init__(self) -> None:
        self._lock, self._count = threading.Lock(), threading.Lock()
        self.came = 0

    def __enter__(self) -> None:
        with self._count:
            self.came += 1
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_all_who_ask_while_a_look_is_made_share_the_next_one() -> None:
    made: list[int] = []
    inside, go_on = threading.Event(), threading.Event()

    def counts() -> Verdict:
        made.append(1)
        inside.set()
        go_on.wait(10)
        return good(f"look {len(made)}")

    health = Health([Check("x", counts)], seconds=20)
    health._lock = lock = CountedLock()  # type: ignore[assignment]
    found: list[str] = []
    asking = [
        threading.Thread(target=lambda: found.append(health.look()[0].verdict.what))
        for _ in range(6)
    ]
    asking[0].start()
    assert inside.wait(10)
    for each in asking[1:]:
        each.start()
    bound = threading.Event()
    while lock.came < len(asking):
        assert not bound.wait(0.001)
    go_on.set()
    for each in asking:
        each.join(10)
    assert sorted(found) == ["look 1", *["look 2"] * 5]


def test_programs_are_told_with_level_and_next_step() -> None:
    lab = HealthLab()
    lab.gateway.running = False
    told = health_json(lab.checks.look(), lab.clock.now())
    assert told["taken_at"] == format_timestamp(lab.clock.now())
    parts = {each["name"]: each for each in told["parts"]}  # type: ignore[attr-defined]
    assert told["ok"] is False
    assert (parts["gateway"]["level"], parts["gateway"]["ok"]) == ("fail", False)
    assert parts["gateway"]["next_step"] == "systemctl start ds01-gateway"
    assert parts["engine"]["ok"] is True


def test_in_a_demo_the_next_step_is_its_script_and_never_systemd() -> None:
    lab = HealthLab()
    lab.keeper = Keeper("script/demo --port 8123", "/lab/state")
    lab.gateway.running, lab.exporter_named, lab.public_url = False, True, "https://lab"
    lab.pass_was(HOUR)
    steps = {each.name: each.verdict.next_step for each in lab.checks.look()}
    assert steps["exporter"] == "script/demo --port 8123; tail /lab/state/exporter.log"
    assert steps["gateway"] == "script/demo --port 8123; tail /lab/state/gateway.log"
    assert steps["proxy"] == "script/demo --port 8123; tail /lab/state/hub.log"
    assert steps["lifecycle service"] == "script/demo --port 8123; tail /lab/state/hub.log"
    assert not [name for name, hint in steps.items() if "systemctl" in hint]


def test_a_disk_without_a_bound_on_files_is_no_trouble() -> None:
    lab = HealthLab()
    lab.look.disks["/home"] = DiskFacts(100 * GIB, 200 * GIB, 0, 0, device=3)
    assert lab.verdict("disks").level is Level.OK


NOW = FakeClock().now()


@pytest.mark.parametrize(
    ("rates", "level", "said"),
    [
        (Rates(), Level.OK, "Nobody said"),
        (Rates(lambda _moment: 380.0), Level.OK, "One figure"),
        (Rates(series=Series((NOW - HOUR,), (3.0,))), Level.OK, "goes until"),
        (Rates(series=Series((NOW - 100 * HOUR,), (3.0,))), Level.WARN, "ends 4 days 4 hours ago"),
        (Rates(notes=("grid.csv:2: expected a number.",)), Level.WARN, "grid.csv:2"),
    ],
)
def test_a_series_of_emissions_that_is_broken_or_old_is_told(
    rates: Rates, level: Level, said: str
) -> None:
    lab = HealthLab()
    lab.rates = rates
    found = lab.looked()["emissions"].verdict
    assert found.level is level
    assert said in found.what
