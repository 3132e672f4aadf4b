from ds01_spawner.domain.event import Event
from ds01_spawner.exporter.event_counts import PHASES, EventCounts, counted
from fakes.clock import EPOCH


def event(action: str, interface: str = "hub", outcome: str = "ok", **details: object) -> Event:
    return Event(EPOCH, "alice", action, "r", "a", interface, outcome, details=details)


def count(*events: Event) -> EventCounts:
    return counted(EventCounts(), events)


def test_before_anything_happened_rows_are_there_with_zero() -> None:
    empty = EventCounts()
    assert empty.spawns == {("ready", ""): 0}
    assert set(empty.phases) == set(PHASES)
    assert set(empty.waits) == {"granted", "left", "expired"}
    assert sum(empty.decisions["granted"].counts) == 0


def test_a_start_of_a_server_is_counted_once_whatever_it_wrote() -> None:
    found = count(
        event("gpu.allocate", waited_seconds=0.01, decided_ms=8.0),
        event("container.create"),
        event("container.start"),
        event("server.spawn", end="ready", cause="", phases_ms={"limits": 10, "start": 250}),
    )
    assert found.spawns == {("ready", ""): 1}
    assert found.phases["start"].total == 0.25
    assert sum(found.phases["queue"].counts) == 0
    assert found.decisions["granted"].total == 0.008
    assert found.events["container.start"] == 1


def test_a_refused_start_of_a_server_is_counted_once_with_its_limit() -> None:
    found = count(
        event("quota.reject", outcome="refused", limit="max_gpu_slots", decided_ms=3),
        event("server.spawn", outcome="refused", end="refused", cause="max_gpu_slots"),
    )
    assert found.spawns == {("ready", ""): 0, ("refused", "max_gpu_slots"): 1}
    assert found.decisions["refused"].total == 0.003


def test_starts_through_other_doors_are_counted_by_their_own_lines() -> None:
    found = count(
        event("container.create", "docker"),
        event("container.start", "docker", again=True),
        event("container.start", "cli", "failed"),
        event("container.create", "docker", "failed"),
        event("quota.reject", "docker", "refused", limit="max_containers_per_user"),
        event("gpu.reject", "docker", "refused"),
        event("request.reject", "api", "refused"),
    )
    assert found.spawns == {
        ("ready", ""): 1,
        ("failed", ""): 2,
        ("refused", "max_containers_per_user"): 1,
        ("refused", "capacity"): 1,
        ("refused", "request"): 1,
    }


def test_what_is_granted_at_once_is_no_wait() -> None:
    found = count(
        event("gpu.allocate", waited_seconds=0.2),
        event("gpu.allocate", waited_seconds=90.0),
        event("gpu.unqueue", waited_seconds=0.5),
        event("cleanup.ticket", waited_seconds=3600.0),
    )
    assert found.waits["granted"].total == 90.0
    assert found.waits["left"].total == 0.5
    assert found.waits["expired"].total == 3600.0


def test_the_lifecycle_is_counted_by_the_key_of_the_rule() -> None:
    found = count(
        event("cleanup.idle", rule="container_types.hub.idle_timeout"),
        event("cleanup.idle", rule="idle_timeout"),
        event("lifecycle.warn", rule="max_runtime"),
        event("gpu.release"),
        event("container.stop"),
    )
    assert found.lifecycle == {
        ("cleanup.idle", "idle_timeout"): 2,
        ("lifecycle.warn", "max_runtime"): 1,
        ("gpu.release", ""): 1,
    }


def test_what_makes_no_sense_is_left_out() -> None:
    found = count(
        event("gpu.allocate", waited_seconds="long", decided_ms=None),
        event("gpu.allocate", waited_seconds=-5, decided_ms=True),
        event("server.spawn", end="ready", phases_ms="quick"),
    )
    assert sum(found.waits["granted"].counts) == 0
    assert sum(found.decisions["granted"].counts) == 0
    assert found.spawns["ready", ""] == 1


def test_more_kinds_than_there_should_be_are_one() -> None:
    found = count(*(event(f"made.up{number}") for number in range(500)))
    assert len(found.events) == 201
    assert sum(found.events.values()) == 500
    assert found.events["other"] == 300
