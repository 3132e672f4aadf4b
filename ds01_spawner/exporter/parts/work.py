"""Containers, the queue, and what the event log tells."""

from collections import Counter
from collections.abc import Iterator

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.queue import alive
from ds01_spawner.exporter.points import Point
from ds01_spawner.exporter.view import View
from ds01_spawner.exporter.words import NONE


def containers(view: View) -> Iterator[Point]:
    """How many there are, by state and door."""
    if view.facts.containers is None:
        return
    found = Counter(
        (each.state.value, labels.origin_of(each.labels).value) for each in view.containers
    )
    hub = labels.Interface.HUB.value
    found.update({(state.value, hub): 0 for state in ContainerState})
    for key, count in found.items():
        yield "ds01_containers", key, count


def queue(view: View) -> Iterator[Point]:
    """Who waits now."""
    ledger = view.facts.ledger
    if ledger is None:
        return
    waiting = alive(ledger.tickets, view.facts.now)
    counts = Counter(view.who(each.user)[1] for each in waiting)
    for group in sorted({*view.policy_groups, *counts, NONE}):
        yield "ds01_queue_length", (group,), counts[group]
    ages = [(view.facts.now - each.created_at).total_seconds() for each in waiting]
    yield "ds01_queue_oldest_age_seconds", (), max([0.0, *ages])


def events(view: View) -> Iterator[Point]:
    """What was written since the exporter began, and how the log is."""
    log = view.facts.log
    if log is None:
        return
    counts = log.counts
    for action, count in counts.events.items():
        yield "ds01_events_total", (action,), count
    for key, count in counts.lifecycle.items():
        yield "ds01_lifecycle_actions_total", key, count
    for key, count in counts.spawns.items():
        yield "ds01_spawns_total", key, count
    for name, found in (
        ("ds01_queue_wait_seconds", counts.waits),
        ("ds01_spawn_phase_seconds", counts.phases),
        ("ds01_admission_seconds", counts.decisions),
    ):
        for label, distribution in found.items():
            yield name, (label,), distribution
    yield "ds01_event_log_bytes", (), log.size_bytes
    yield "ds01_event_log_unreadable_lines_total", (), log.unreadable_lines
    yield "ds01_event_log_writable", (), float(log.writable)
    if log.last_event_at is not None:
        name = "ds01_event_log_last_event_timestamp_seconds"
        yield name, (), log.last_event_at.timestamp()
