"""What people have, against what they may have."""

from collections.abc import Iterator

from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.usage_unmanaged import NOBODY
from ds01_spawner.exporter.points import Point
from ds01_spawner.exporter.view import View
from ds01_spawner.exporter.words import UNKNOWN, group_label, user_label

_MICRO = 1e6
_MILLI = 1e3


def people(view: View) -> Iterator[Point]:
    """Slots, containers, CPU time and memory of everybody, and their limits.

    What a home may take is what the lifecycle service compared it with: it looks people's accounts
    up, and so knows their groups. Else, as all limits, what the policy gives where the group is
    known.
    """
    present = _Present(view)
    homes = view.facts.ledger.storage if view.facts.ledger is not None else ()
    bounds = {each.user: each.limit_bytes for each in homes}
    for user in view.users:
        who = view.who(user)
        limits = view.limits(user)
        if limits is not None:
            yield from _limits(who, limits)
        bound = bounds.get(user, limits.storage_bytes if limits is not None else None)
        if bound is not None:
            yield "ds01_user_storage_bytes_limit", who, bound
        yield from present.of(user, who)
    yield from _totals(view)
    if view.facts.work is not None:
        yield "ds01_containers_unread", (), view.facts.work.unread
    ledger = view.facts.ledger
    if ledger is not None:
        in_force = [each for each in ledger.grants if each.until > view.facts.now]
        in_force = [each for each in in_force if each.revoked_at is None]
        yield "ds01_bare_metal_grants", (), len(in_force)
        for each in ledger.grants:  # a grant goes from the ledger when its access was taken away
            name = "ds01_bare_metal_grant_expires_timestamp_seconds"
            end = each.until if each.revoked_at is None else min(each.until, each.revoked_at)
            yield name, (user_label(each.user),), end.timestamp()


def _limits(who: tuple[str, ...], limits: Limits) -> list[Point]:
    aggregate = limits.aggregate
    figures = (
        ("ds01_user_gpu_slots_limit", who, limits.max_gpu_slots),
        ("ds01_user_gpu_equivalents_limit", who, limits.max_gpu_equivalents),
        ("ds01_user_containers_limit", who, limits.max_containers_per_user),
        ("ds01_user_cpu_cores_limit", who, aggregate.cpus),
        ("ds01_user_memory_bytes_limit", who, aggregate.memory_bytes),
    )
    return [(name, who, value) for name, who, value in figures if value is not None]


class _Present:
    """What each person has: it is asked for hundreds of people, one after the other."""

    def __init__(self, view: View) -> None:
        self._slots = view.slots_of_users if view.occupancy is not None else None
        self._containers = view.containers_of_users
        self._listed = view.facts.containers is not None
        self._work = view.facts.work

    def of(self, user: str, who: tuple[str, ...]) -> Iterator[Point]:
        """Slots, containers, CPU time and memory."""
        if self._slots is not None:
            uses = self._slots.get(user, ())
            yield "ds01_user_gpu_slots", who, len(uses)
            equivalents = sum([use.slot.equivalents for use in uses])
            yield "ds01_user_gpu_equivalents", who, equivalents
        running = self._containers.get(user, 0)
        if self._listed:
            yield "ds01_user_containers", who, running
        work = self._work
        if work is None:
            return
        if user in work.cpu_seconds:
            yield "ds01_user_cpu_seconds_total", who, work.cpu_seconds[user]
        if user in work.memory_bytes or not running:
            yield "ds01_user_memory_bytes", who, work.memory_bytes.get(user, 0)


def _totals(view: View) -> Iterator[Point]:
    for each in view.facts.totals or ():
        if not each.user:
            continue
        user = UNKNOWN if each.user == NOBODY else user_label(each.user)
        who = (user, group_label(each.group))
        yield "ds01_user_gpu_energy_joules_total", who, each.energy_millijoules / _MILLI
        name = "ds01_user_gpu_seconds_total"
        yield name, (*who, "held"), each.held_microseconds / _MICRO
        yield name, (*who, "equivalent"), each.equivalent_microseconds / _MICRO
        yield name, (*who, "measured"), each.measured_microseconds / _MICRO
        if each.measured_microseconds:
            yield name, (*who, "busy"), each.busy_microseconds / _MICRO
            joules = each.measured_millijoules / _MILLI
            yield "ds01_user_gpu_measured_energy_joules_total", who, joules
        if each.rated_millijoules:
            yield "ds01_user_gpu_co2e_grams_total", who, each.co2e_micrograms / _MICRO


def storage(view: View) -> Iterator[Point]:
    """Homes, as last measured, and disks."""
    ledger = view.facts.ledger
    for each in ledger.storage if ledger is not None else ():
        who = view.who(each.user)
        yield "ds01_user_storage_bytes", who, each.size_bytes
        name = "ds01_user_storage_measured_timestamp_seconds"
        yield name, who, each.measured_at.timestamp()
    for place, disk in view.facts.disks.items():
        yield "ds01_storage_free_bytes", (place,), disk.free_bytes
        yield "ds01_storage_size_bytes", (place,), disk.size_bytes
