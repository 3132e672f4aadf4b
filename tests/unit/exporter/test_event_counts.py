import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import ds01_spawner
from ds01_spawner.domain.event import Event
from ds01_spawner.exporter.event_counts import PHASES, EventCounts, counted
from ds01_spawner.exporter.known_events import ACTIONS, SPAWNS
from ds01_spawner.spawner import refusals
from fakes.clock import EPOCH

T = TypeVar("T")
PLATFORM = Path(ds01_spawner.__file__).parent


def event(action: str, interface: str = "hub", outcome: str = "ok", **details: object) -> Event:
    return Event(EPOCH, "alice", action, "r", "a", interface, outcome, details=details)


def count(*events: Event) -> EventCounts:
    return counted(EventCounts(), events)


def some(counts: Mapping[T, int]) -> dict[T, int]:
    """Those that are not 0."""
    return {key: count for key, count in counts.items() if count}


def test_before_anything_happened_rows_are_there_with_zero() -> None:
    empty = EventCounts()
    assert empty.spawns["ready", ""] == empty.spawns["failed", "not_ready"] == 0
    assert empty.lifecycle["cleanup.idle", "idle_timeout"] == 0
    assert empty.lifecycle["gpu.release", ""] == empty.lifecycle["workload.stop", "docker"] == 0
    assert empty.events["policy.invalid"] == 0
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
    assert some(found.spawns) == {("ready", ""): 1}
    assert found.phases["start"].total == 0.25
    assert sum(found.phases["queue"].counts) == 0
    assert found.decisions["granted"].total == 0.008
    assert found.events["container.start"] == 1


def test_a_refused_start_of_a_server_is_counted_once_with_its_limit() -> None:
    found = count(
        event("quota.reject", outcome="refused", limit="max_gpu_slots", decided_ms=3),
        event("server.spawn", outcome="refused", end="refused", cause="max_gpu_slots"),
    )
    assert some(found.spawns) == {("refused", "max_gpu_slots"): 1}
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
    assert some(found.spawns) == {
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
    assert some(found.lifecycle) == {
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
    assert found.events["other"] == 300 + len(ACTIONS)


def test_a_row_that_is_there_with_0_is_no_new_one() -> None:
    before = EventCounts()
    found = count(
        event("cleanup.idle", rule="container_types.hub.idle_timeout"),
        event("workload.stop", rule="unmanaged.docker"),
        event("server.spawn", end="failed", cause="not_ready"),
    )
    assert found.events.keys() == before.events.keys()
    assert found.lifecycle.keys() == before.lifecycle.keys()
    assert found.spawns.keys() == before.spawns.keys()


def test_actions_that_are_known_are_those_that_the_platform_writes() -> None:
    """Every word of that form in the code is one, or one of the few that are something else."""
    families = {action.partition(".")[0] for action in ACTIONS}
    form = re.compile(rf"(?:{'|'.join(sorted(families))})\.[a-z_]+")
    others = {"bare_metal.max_duration", "events.jsonl", "isolation.yaml"}
    words: set[str] = set()
    for path in PLATFORM.rglob("*.py"):
        if path.name != "known_events.py":
            words |= {
                node.value
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
    assert {word for word in words if form.fullmatch(word)} - others == set(ACTIONS)


def test_causes_of_starts_are_those_that_the_hub_tells() -> None:
    told = {reason for _, reason, _ in refusals._REASONS} | {"error", "not_ready"}
    assert told <= {cause for _, cause in SPAWNS}
