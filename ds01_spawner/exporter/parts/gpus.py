"""Slots and cards."""

from collections import Counter
from collections.abc import Iterator

from ds01_spawner.domain import labels
from ds01_spawner.domain.card_health import CardHealth, ThrottleReason
from ds01_spawner.domain.gpu import UNKNOWN_PROFILE, Slot
from ds01_spawner.domain.occupancy import Occupancy, SlotState, SlotUse
from ds01_spawner.exporter.points import Point
from ds01_spawner.exporter.view import View, summed
from ds01_spawner.exporter.words import NONE, OTHER, UNKNOWN
from ds01_spawner.operations.allocation.admission import SIMULATED

LOST, WITHDRAWN = "lost", "withdrawn"
STATES = ("free", "allocated", "reserved", "held", "foreign", WITHDRAWN, LOST)
SERIOUS_XIDS = (31, 48, 63, 64, 74, 79, 92, 94, 95, 119)
"""They are told of with 0 before the first: Prometheus sees no increase of what was not there.
https://docs.nvidia.com/deploy/xid-errors/"""

MOST_XIDS = 64
_NOBODY = NONE, NONE


def slots(view: View) -> Iterator[Point]:
    """What slots are, what they do, and who has them."""
    yield from _infos(view)
    yield from _activity(view)
    occupancy = view.occupancy
    if occupancy is None:
        return
    for use in occupancy.uses:
        if use.slot.profile != UNKNOWN_PROFILE or view.holder(use) is not None:
            slot, state = view.slot_name(use.slot), state_of(use, view)
            for each in STATES:
                yield "ds01_gpu_slot_state", (slot, each), float(each == state)
            yield from _allocation(use, view)
    yield from _capacity(occupancy, view)
    yield from _conflicts(view)


def state_of(use: SlotUse, view: View) -> str:
    """What is said of a slot.

    `lost` is one that the driver does not list or cannot read; `withdrawn` one that is there and
    that nobody is given: of a card for batch work, or because it does not say what runs on it.
    """
    if use.state is SlotState.UNAVAILABLE:
        return WITHDRAWN if use.slot.uuid in view.index.by_uuid else LOST
    if use.state is SlotState.FREE and use.slot.gpu_uuid in view.facts.excluded_gpus:
        return WITHDRAWN
    return use.state.value


def _infos(view: View) -> Iterator[Point]:
    models = {gpu.uuid: gpu.name for gpu in view.facts.known_cards}
    if view.facts.cards is not None:
        models |= {gpu.uuid: gpu.name for gpu in view.facts.cards.inventory.gpus}
    inventory = view.inventory
    for slot in (*inventory.slots, *inventory.unavailable):
        if slot.profile == UNKNOWN_PROFILE:
            continue
        model = models.get(slot.gpu_uuid, UNKNOWN)
        said = (slot.id, str(slot.gpu_index), slot.uuid, slot.profile, model)
        yield "ds01_gpu_slot_info", said, 1.0
        yield "ds01_gpu_slot_equivalents", (slot.id,), slot.equivalents
        yield "ds01_gpu_memory_total_bytes", (slot.id,), slot.memory_bytes


def _activity(view: View) -> Iterator[Point]:
    cards = view.facts.cards
    if cards is None:
        return
    for slot in cards.inventory.slots:
        activity = cards.activity.get(slot.uuid)
        if activity is None:
            continue
        if activity.utilisation is not None:
            yield "ds01_gpu_utilization_ratio", (slot.id,), activity.utilisation
        if activity.memory_used_bytes is not None:
            yield "ds01_gpu_memory_used_bytes", (slot.id,), activity.memory_used_bytes


def _allocation(use: SlotUse, view: View) -> Iterator[Point]:
    holder = view.holder(use)
    if holder is None:
        return
    slot = view.slot_name(use.slot)
    user, group = holder
    container = view.by_name.get(use.container or "")
    interface = labels.origin_of(container.labels).value if container is not None else NONE
    said = (slot, user, group, interface, use.slot.profile)
    yield "ds01_gpu_slot_allocation", said, 1.0
    marks = container.labels if container is not None else {}
    # What is kept for a stopped container was given before it stopped.
    since = labels.parse_timestamp(marks.get(labels.GPU_ALLOCATED_AT, "")) or use.since
    if since is not None:
        seconds = max((view.facts.now - since).total_seconds(), 0.0)
        yield "ds01_gpu_slot_allocated_seconds", (slot, user), seconds


def _capacity(occupancy: Occupancy, view: View) -> Iterator[Point]:
    if view.facts.ledger is None:  # what is reserved is not known
        return
    given = {slot.uuid for slot in occupancy.slots}
    present = [slot for slot in view.inventory.slots if slot.uuid in given]
    yield "ds01_gpu_equivalents", (), sum(slot.equivalents for slot in present)
    taken = summed(
        (((view.holder(use) or _NOBODY)[1],), use.slot.equivalents)
        for use in occupancy.uses
        if use.slot.uuid in given and use.state not in {SlotState.FREE, SlotState.UNAVAILABLE}
    )
    for group in sorted({*view.policy_groups, *(key[0] for key in taken)}):
        yield "ds01_gpu_equivalents_allocated", (group,), taken.get((group,), 0.0)


def _conflicts(view: View) -> Iterator[Point]:
    counts: Counter[str] = Counter()
    for container in view.snapshot.containers:
        if container.state.is_live:
            ours = container.labels.get(labels.MANAGED) == "true"
            uuids = set(labels.gpu_uuids_of(container.labels)) if ours else set()
            uuids.update(slot.uuid for slot in view.index.demanded(container.demand))
            if uuids:  # most have none
                counts.update(uuids)
    for slot in _every(view):
        yield "ds01_gpu_slot_conflict", (slot.id,), max(counts[slot.uuid] - 1, 0)


def _every(view: View) -> Iterator[Slot]:
    inventory = view.inventory
    yield from inventory.slots
    yield from (slot for slot in inventory.unavailable if slot.profile != UNKNOWN_PROFILE)


def cards(view: View) -> Iterator[Point]:
    """How cards are."""
    found = view.facts.cards
    known = {gpu.index: gpu for gpu in view.facts.known_cards}
    if found is None:
        yield from (("ds01_gpu_up", (str(index),), 0.0) for index in sorted(known))
        return
    yield "ds01_gpu_simulated", (), float(found.inventory.source == SIMULATED)
    present = {gpu.index for gpu in found.inventory.gpus}
    lost = {slot.gpu_index for slot in found.inventory.unavailable} | known.keys()
    for index in sorted(present | lost):
        yield "ds01_gpu_up", (str(index),), float(index in present)
    for gpu in found.inventory.gpus:
        health = found.health.get(gpu.uuid)
        if health is not None:
            yield from _health(str(gpu.index), health)


def _health(card: str, health: CardHealth) -> Iterator[Point]:
    throttled = health.throttled
    ecc, retired, rows = health.ecc, health.retired, health.remapped
    figures: tuple[tuple[str, tuple[str, ...], float | None], ...] = (
        ("temperature_celsius", (), health.temperature_celsius),
        ("temperature_slowdown_celsius", (), health.slowdown_celsius),
        ("power_watts", (), health.power.power_watts),
        ("power_limit_watts", (), health.power_limit_watts),
        ("energy_joules_total", (), health.power.energy_joules),
        ("clock_hertz", ("sm",), health.sm_hertz),
        ("clock_hertz", ("memory",), health.memory_hertz),
        *(
            ("clock_throttled", (reason.value,), float(reason in throttled))
            for reason in (ThrottleReason if throttled is not None else ())
            if throttled is not None
        ),
        ("ecc_errors_total", ("corrected",), ecc.corrected),
        ("ecc_errors_total", ("uncorrected",), ecc.uncorrected),
        ("retired_pages", ("single_bit",), retired.single_bit),
        ("retired_pages", ("double_bit",), retired.double_bit),
        ("remapped_rows", ("correctable",), rows.correctable if rows else None),
        ("remapped_rows", ("uncorrectable",), rows.uncorrectable if rows else None),
        ("row_remap_failed", (), float(rows.failed) if rows else None),
        ("row_remap_pending", (), float(rows.pending) if rows else None),
    )
    for name, more, value in figures:
        if value is not None:
            yield f"ds01_gpu_{name}", (card, *more), value


def xids(view: View, bus_ids: dict[str, str]) -> Iterator[Point]:
    """Errors in the kernel log.

    Args:
        view: What was read.
        bus_ids: The index of each card by where it is, also of one that is lost by now.
    """
    if view.facts.xids is None:
        return
    found: dict[tuple[str, str], float] = {}
    last: dict[tuple[str, str], float] = {}
    for card in sorted(set(bus_ids.values())):
        found |= {(card, str(xid)): 0.0 for xid in SERIOUS_XIDS}
    numbers = {xid for _, xid in view.facts.xids} | set(SERIOUS_XIDS)
    kept = set(sorted(numbers, key=lambda xid: (xid not in SERIOUS_XIDS, xid))[:MOST_XIDS])
    for (bus_id, xid), fault in view.facts.xids.items():
        key = bus_ids.get(bus_id, UNKNOWN), str(xid) if xid in kept else OTHER
        found[key] = found.get(key, 0.0) + fault.count
        last[key] = max(last.get(key, 0.0), fault.last_at.timestamp())
    for key, value in found.items():
        yield "ds01_gpu_xid_errors_total", key, value
    for key, value in last.items():
        yield "ds01_gpu_xid_last_timestamp_seconds", key, value
