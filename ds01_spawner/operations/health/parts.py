"""Checks of the platform's own parts: engine, GPUs, policy, ledger, images."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from ds01_spawner.domain.carbon import Rates
from ds01_spawner.domain.errors import PolicyProblem, Unavailable
from ds01_spawner.domain.health import Level, Verdict, bad, doubtful, good, worst
from ds01_spawner.domain.wording import size, span
from ds01_spawner.operations.health.health import Check
from ds01_spawner.policy.images import ImageCatalogue
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.ports import Accounts, Cgroups, Clock, Engine, GpuProbe, Ledger
from ds01_spawner.ports.health import LedgerCare, MachineLook

_GIB = 1024**3
_FEW = 3
_LEDGER_IS_LARGE = 2 * _GIB
_WAL_IS_LARGE = _GIB // 4
_LOCK_IS_SLOW_SECONDS = 1.0
_STALE = timedelta(minutes=10)
"""The lifecycle service clears away what is older, many times over."""

_SERIES_IS_OLD = timedelta(days=3)
"""Most grids tell a day later."""

_NOBODY = "nobody-of-that-name"


class ReadPolicy(Protocol):
    """The policy, and what is wrong with its file."""

    @property
    def problems(self) -> Sequence[PolicyProblem]:
        """What is wrong with an edit that is not in force."""
        ...

    def current(self) -> Policy:
        """The policy in force."""
        ...


@dataclass(frozen=True, slots=True)
class Parts:
    """The platform's parts; each is made when it is first looked at, and may be unavailable.

    Attributes:
        clock: The time.
        engine: Containers.
        cgroups: People's cgroups.
        probe: GPUs.
        policy: The policy.
        ledger: The ledger.
        care: Its file.
        ledger_path: Where that is.
        accounts: People.
        images: The catalogue.
        machine: This machine.
        monotonic: Seconds that never jump.
        carbon: What is known of emissions.
    """

    clock: Clock
    engine: Callable[[], Engine]
    cgroups: Callable[[], Cgroups]
    probe: Callable[[], GpuProbe]
    policy: Callable[[], ReadPolicy]
    ledger: Callable[[], Ledger]
    care: Callable[[], LedgerCare]
    ledger_path: str
    accounts: Accounts
    images: Callable[[], ImageCatalogue]
    machine: MachineLook
    monotonic: Callable[[], float] = time.monotonic
    carbon: Callable[[], Rates] = Rates


def part_checks(parts: Parts) -> tuple[Check, ...]:
    """Checks of the platform's own parts, in the order in which they are told."""
    return (
        Check("engine", lambda: engine(parts)),
        Check("cgroups", lambda: cgroups(parts)),
        Check("gpus", lambda: gpus(parts)),
        Check("policy", lambda: policy(parts)),
        Check("ledger", lambda: ledger(parts)),
        Check("leftovers", lambda: leftovers(parts), Level.WARN),
        Check("accounts", lambda: accounts(parts)),
        Check("images", lambda: images(parts), Level.WARN),
        Check("emissions", lambda: emissions(parts), Level.WARN),
    )


def engine(parts: Parts) -> Verdict:
    """Whether the engine answers, and lists containers."""
    found = parts.engine().info()
    running = sum(each.state.is_live for each in parts.engine().containers())
    return good(f"Docker {found.version}; containers that run: {running}.")


def cgroups(parts: Parts) -> Verdict:
    """Whether people's limits can be set where the engine puts containers."""
    found = parts.engine().info()
    how = f"cgroup v{found.cgroup_version}, by {found.cgroup_driver}"
    people = len(parts.cgroups().people())
    if found.cgroup_driver == "cgroupfs" and parts.machine.runs_systemd():
        return doubtful(
            f"People's limits are set ({how}); this machine is run by systemd, which may take back "
            "what the engine set.",
            'Set "exec-opts": ["native.cgroupdriver=systemd"] in daemon.json, and restart the '
            "engine when nothing runs.",
        )
    return good(f"People's limits can be set ({how}). People with limits now: {people}.")


def gpus(parts: Parts) -> Verdict:
    """Whether every GPU can be read."""
    found = parts.probe().inventory(at_once=True)
    said = f"GPUs: {len(found.gpus)}, slots: {len(found.slots)} ({found.source})."
    if found.problems:
        return bad(" ".join(found.problems), "docs/gpus.md says what each means.")
    if not found.gpus:
        return doubtful("There is no GPU.", "nvidia-smi; or simulate some in gpu-config.yaml.")
    return good(said)


def policy(parts: Parts) -> Verdict:
    """Whether the file is in force as it is, and whose groups shadow each other."""
    source = parts.policy()
    meanwhile = "the previous policy holds."
    try:
        found = source.current()
    except Unavailable:
        if not source.problems:
            raise
        # Who looks has just begun; what the services read before the edit is not told here.
        meanwhile = (
            "services that run go on with the policy that they read before it; one that starts "
            "now allows nothing."
        )
    if source.problems:
        first = " ".join(str(source.problems[0]).split())
        more = len(source.problems) - 1
        return bad(
            f"The last edit is not in force: {first}{f', and {more} more' if more else ''}. "
            f"Until it is mended, {meanwhile}",
            "Correct it; ds01 policy check shows every fault.",
        )
    said = f"Groups: {len(found.groups)}, people named: {len(found.users)}."
    several = [user for user in found.users if len(found.memberships(user)) > 1]
    if several:
        said += f" In several groups, of which the first counts: {_shadowed(found, several)}."
    return good(said)


def _shadowed(found: Policy, several: Sequence[str]) -> str:
    told = [
        f"{user} ({', '.join(each.group for each in found.memberships(user))})"
        for user in several[:_FEW]
    ]
    more = len(several) - len(told)
    return ", ".join(told) + (f" and {more} more" if more else "")


def ledger(parts: Parts) -> Verdict:
    """Whether it is whole, how large it is, and how long its lock takes."""
    faults = parts.care().faults()
    if faults:
        return bad(
            f"The ledger is damaged: {'; '.join(faults[:_FEW])}",
            f"Stop the services, move {parts.ledger_path}* away (with -wal and -shm), start the "
            "services: no allocation is lost.",
        )
    begin = parts.monotonic()
    with parts.ledger().transaction() as transaction:
        tickets = len(transaction.tickets())
    waited = parts.monotonic() - begin
    files = [parts.machine.file(f"{parts.ledger_path}{end}") for end in ("", "-wal")]
    whole, log = (0 if each is None else each.size_bytes for each in files)
    found = []
    if waited > _LOCK_IS_SLOW_SECONDS:
        found.append(
            doubtful(
                f"Its lock took {waited:.1f} s.", "fuser -v names who has it: a process that hangs?"
            )
        )
    if whole > _LEDGER_IS_LARGE:
        found.append(doubtful(f"It has {size(whole)}.", "docs/usage.md says what is kept."))
    if log > _WAL_IS_LARGE:
        found.append(
            doubtful(f"Its log has {size(log)}: somebody reads it all the time.", "fuser -v")
        )
    return worst(found, good(f"{size(whole + log)}, whole; places in the queue: {tickets}."))


def leftovers(parts: Parts) -> Verdict:
    """Whether what died was cleared away."""
    now = parts.clock.now()
    with parts.ledger().transaction() as transaction:
        old = [each for each in transaction.reservations() if now - each.expires_at > _STALE]
        mark = parts.clock.mark()
        late = [each for each in transaction.bare_metal_grants() if each.is_over(mark)]
    found = []
    if old:
        oldest = now - min(each.expires_at for each in old)
        found.append(
            doubtful(
                f"Reservations that are over, for up to {span(oldest)}: {len(old)}.",
                "ds01 admin reconcile",
            )
        )
    if late:
        found.append(
            doubtful(
                f"Access outside of containers is over and not taken back yet: "
                f"{', '.join(each.user for each in late[:_FEW])}.",
                "ds01 admin bare-metal list; it goes within seconds while ds01-culler runs.",
            )
        )
    return worst(found, good("Nothing is left behind."))


def accounts(parts: Parts) -> Verdict:
    """Whether names can be looked up."""
    begin = parts.monotonic()
    parts.accounts.lookup(_NOBODY)
    return good(f"Names are looked up in {1000 * (parts.monotonic() - begin):.0f} ms.")


def images(parts: Parts) -> Verdict:
    """Whether what people are offered is there."""
    catalogue = parts.images()
    default = catalogue.default_for(None)
    if default is None:
        return doubtful("images.yaml offers nothing to everybody.", "Name a default there.")
    if not parts.engine().has_image(default.reference):
        return doubtful(
            f"The default image {default.reference} is not here: the first start waits for it.",
            f"docker pull {default.reference}; or build it, as docs/images.md says.",
        )
    missing = [
        entry.reference
        for entry in catalogue.images.values()
        if not parts.engine().has_image(entry.reference)
    ]
    if missing:
        shown = ", ".join(missing[:_FEW])
        return doubtful(
            f"Offered, and not here: {shown}{' and more' if len(missing) > _FEW else ''}.",
            "docker pull them before somebody waits for it.",
        )
    return good(f"Every image that is offered is here ({len(catalogue.images)}).")


def emissions(parts: Parts) -> Verdict:
    """Whether it can be read what a kilowatt-hour emits, where somebody says so."""
    rates, now = parts.carbon(), parts.clock.now()
    if rates.notes:
        return doubtful(" ".join(rates.notes), "ds01 policy check names every fault.")
    if not rates.series.times:
        told = rates.at(now) is not None
        return good(
            "One figure for all times." if told else "Nobody said what a kilowatt-hour emits."
        )
    last = rates.series.times[-1]
    if now - last > _SERIES_IS_OLD:
        return doubtful(
            f"The series ends {span(now - last)} ago, on {last:%Y-%m-%d}.",
            "Look after what writes it: hours are booked with later figures for 45 days.",
        )
    return good(f"The series goes until {last:%Y-%m-%d %H:%M %Z}.")
