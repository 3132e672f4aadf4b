"""What people have, against what they may have."""

from collections.abc import Iterator

from ds01_spawner.domain.limits import Limits
from ds01_spawner.exporter.points import Point
from ds01_spawner.exporter.view import NONE, View

_MICRO = 1e6
_MILLI = 1e3


def people(view: View) -> Iterator[Point]:
    """Slots, containers, CPU time and memory of everybody, and their limits."""
    for user in view.users:
        who = (user, view.group(user))
        limits = view.limits(user)
        if limits is not None:
            yield from _limits(who, limits)
        yield from _present(user, who, view)
    yield from _totals(view)
    if view.facts.work is not None:
        yield Point("ds01_containers_unread", (), view.facts.work.unread)
    ledger = view.facts.ledger
    if ledger is not None:
        in_force = [each for each in ledger.grants if each.until > view.facts.now]
        in_force = [each for each in in_force if each.revoked_at is None]
        yield Point("ds01_bare_metal_grants", (), len(in_force))
        for each in ledger.grants:  # a grant goes from the ledger when its access was taken away
            name = "ds01_bare_metal_grant_expires_timestamp_seconds"
            end = each.until if each.revoked_at is None else min(each.until, each.revoked_at)
            yield Point(name, (each.user,), end.timestamp())


def _limits(who: tuple[str, ...], limits: Limits) -> Iterator[Point]:
    figures = (
        ("gpu_slots_limit", limits.max_gpu_slots),
        ("gpu_equivalents_limit", limits.max_gpu_equivalents),
        ("containers_limit", limits.max_containers_per_user),
        ("cpu_cores_limit", limits.aggregate.cpus),
        ("memory_bytes_limit", limits.aggregate.memory_bytes),
        ("storage_bytes_limit", limits.storage_bytes),
    )
    for name, value in figures:
        if value is not None:
            yield Point(f"ds01_user_{name}", who, value)


def _present(user: str, who: tuple[str, ...], view: View) -> Iterator[Point]:
    if view.occupancy is not None:
        uses = view.slots_of_users.get(user, ())
        yield Point("ds01_user_gpu_slots", who, len(uses))
        equivalents = sum(use.slot.equivalents for use in uses)
        yield Point("ds01_user_gpu_equivalents", who, equivalents)
    if view.facts.containers is not None:
        yield Point("ds01_user_containers", who, view.containers_of_users.get(user, 0))
    work = view.facts.work
    if work is None:
        return
    if user in work.cpu_seconds:
        yield Point("ds01_user_cpu_seconds_total", who, work.cpu_seconds[user])
    running = view.containers_of_users.get(user, 0)
    if user in work.memory_bytes or not running:
        yield Point("ds01_user_memory_bytes", who, work.memory_bytes.get(user, 0))


def _totals(view: View) -> Iterator[Point]:
    for each in view.facts.totals or ():
        if not each.user:
            continue
        who = (each.user, each.group or NONE)
        yield Point("ds01_user_gpu_energy_joules_total", who, each.energy_millijoules / _MILLI)
        for kind, microseconds in (
            ("held", each.held_microseconds),
            ("equivalent", each.equivalent_microseconds),
            ("busy", each.busy_microseconds),
        ):
            yield Point("ds01_user_gpu_seconds_total", (*who, kind), microseconds / _MICRO)


def storage(view: View) -> Iterator[Point]:
    """Homes, as last measured, and disks."""
    ledger = view.facts.ledger
    for each in ledger.storage if ledger is not None else ():
        who = (each.user, view.group(each.user))
        yield Point("ds01_user_storage_bytes", who, each.size_bytes)
    for place, disk in (view.facts.disks or {}).items():
        yield Point("ds01_storage_free_bytes", (place,), disk.free_bytes)
        yield Point("ds01_storage_size_bytes", (place,), disk.size_bytes)
