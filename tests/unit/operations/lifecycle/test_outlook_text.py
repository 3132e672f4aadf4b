from datetime import UTC, timedelta
from typing import Any

import pytest

from ds01_spawner.domain.container import ContainerState
from ds01_spawner.domain.exemption import Exemption
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.notice_text import Limit, Moment
from ds01_spawner.domain.work import KeepAlive, Rule, RuleStop
from ds01_spawner.operations.lifecycle.outlook import ContainerOutlook, End
from ds01_spawner.operations.lifecycle.outlook_text import sentences, stop_rule, stop_sentence
from fakes.clock import EPOCH

HOUR = timedelta(hours=1)
NOW = Moment(EPOCH, UTC)
IDLE = End(Rule.IDLE, Limit("idle_timeout", "2h", "built in"), EPOCH + HOUR)
RUNTIME = End(Rule.RUNTIME, Limit("max_runtime", "24h", "built in"), EPOCH + 20 * HOUR)
KEPT = KeepAlive("id", EPOCH, EPOCH + HOUR, "page", "alice")
EXEMPTION = Exemption("alice", None, frozenset({Rule.IDLE}), EPOCH + HOUR, "paper", "f:1")


def view(**facts: Any) -> ContainerOutlook:
    known: dict[str, Any] = {
        "container_id": "id",
        "container_name": "jupyter._.alice",
        "user": "alice",
        "name": "jupyter",
        "interface": Interface.HUB,
        "state": ContainerState.RUNNING,
        "gpu_slots": (),
        "started_at": EPOCH,
        "idle_timeout": 2 * HOUR,
    }
    return ContainerOutlook(**(known | facts))


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"ends": (IDLE,)}, ["Stops at 13:00, in 1 hour, unless it is used."]),
        (
            {"ends": (RUNTIME,)},
            [
                "Stops when nobody has used it for 2 hours.",
                "Its time is up at 08:00 tomorrow, in 20 hours, used or not.",
            ],
        ),
        (
            {"ends": (IDLE,), "kept": KEPT},
            ["You keep it running. Stops at 13:00, in 1 hour, unless it is used."],
        ),
        (
            {"kept": KEPT},
            ["Stops when nobody has used it for 2 hours, and not before 13:00."],
        ),
        ({"idle_timeout": None}, ["Runs until you stop it."]),
        (
            {
                "ends": (
                    End(
                        Rule.IDLE,
                        Limit("idle_timeout", "2h", ""),
                        EPOCH + HOUR,
                        high_demand=True,
                    ),
                )
            },
            [
                "Stops at 13:00, in 1 hour, unless it is used.",
                "GPUs are in demand, so this comes sooner than usual.",
            ],
        ),
        (
            {
                "ends": (
                    End(
                        Rule.IDLE,
                        Limit("idle_timeout", "2h", ""),
                        EPOCH + HOUR,
                        exemption=EXEMPTION,
                    ),
                )
            },
            ["An exemption keeps it running until 13:00. Then it stops, unless it is used."],
        ),
        (
            {
                "ends": (End(Rule.CONFLICT, Limit("policies.slot_conflict", "stop", ""), EPOCH),),
                "idle_timeout": None,
            },
            ["Stops at 12:00, in less than a minute: something else had its GPU first."],
        ),
        (
            {"state": ContainerState.EXITED, "removed_at": EPOCH + HOUR},
            ["Removed at 13:00; your home folder stays."],
        ),
        ({"state": ContainerState.EXITED}, []),
    ],
    ids=[
        "idle",
        "in use",
        "idle and kept",
        "kept beforehand",
        "no limits",
        "high demand",
        "exempt",
        "conflict",
        "stopped",
        "stopped for good",
    ],
)
def test_says_what_lies_ahead(facts: dict[str, Any], said: list[str]) -> None:
    assert list(sentences(view(**facts), NOW)) == said


def test_a_stop_says_when_why_and_by_which_rule() -> None:
    stop = RuleStop(
        "id",
        "jupyter._.alice",
        "alice",
        Rule.IDLE,
        "container_types.hub.idle_timeout",
        "2h",
        "group student, resource-limits.yaml line 31",
        "Nothing has run on it since 09:00.\x1b[2J",
        decided_at=EPOCH - HOUR,
    )
    assert stop_sentence(stop, NOW) == (
        "It was stopped at 11:00. Nothing has run on it since 09:00.�[2J"
    )
    assert stop_rule(stop, "alice") == (
        "Rule: container_types.hub.idle_timeout = 2h (group student, resource-limits.yaml line 31)."
    )
