from typing import Any

import pytest

from ds01_spawner.gateway.api.usage_figures import Reading, figures, reading_of

MB = 1024**2


def _stats(**more: Any) -> dict[str, Any]:
    return {
        "cpu_stats": {"cpu_usage": {"total_usage": 3 * 10**9}},
        "memory_stats": {
            "usage": 100 * MB,
            "limit": 512 * MB,
            "stats": {"total_inactive_file": 40 * MB},
        },
        "pids_stats": {"current": 7},
        "networks": {
            "eth0": {"rx_bytes": 10, "tx_bytes": 1},
            "eth1": {"rx_bytes": 5, "tx_bytes": 2},
        },
        **more,
    }


def test_reads_what_docker_stats_shows() -> None:
    assert reading_of(_stats(), 5.0) == Reading(5.0, 3.0, 60 * MB, 512 * MB, 7, 15, 3)


@pytest.mark.parametrize(
    ("more", "field", "value"),
    [
        pytest.param(
            {"memory_stats": {"usage": 9, "stats": {"inactive_file": 4}}},
            "memory_bytes",
            5,
            id="cgroup-v2",
        ),
        pytest.param(
            {"memory_stats": {"usage": 9, "limit": 2**63 - 4096}},
            "memory_limit_bytes",
            None,
            id="no-limit",
        ),
        pytest.param({"networks": None}, "rx_bytes", None, id="no-network"),
        pytest.param({"pids_stats": {}}, "pids", None, id="no-pids"),
        pytest.param({"cpu_stats": "?"}, "cpu_seconds", None, id="senseless"),
    ],
)
def test_what_is_not_said_is_not_known(more: dict[str, Any], field: str, value: object) -> None:
    assert getattr(reading_of(_stats(**more), 0.0), field) == value


@pytest.mark.parametrize(
    ("before", "percent"),
    [
        pytest.param(None, None, id="first"),
        pytest.param(Reading(2.0, 1.0), 100.0, id="one-cpu"),
        pytest.param(Reading(2.0, 9.0), None, id="started-anew"),
        pytest.param(Reading(4.0, 3.0), None, id="same-moment"),
    ],
)
def test_cpu_is_a_rate_between_two_readings(before: Reading | None, percent: float | None) -> None:
    assert figures(Reading(4.0, 3.0), before)["cpu_percent"] == percent


def test_what_does_not_run_uses_nothing() -> None:
    assert figures(None, None) == {}
