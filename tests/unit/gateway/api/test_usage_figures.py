import pytest

from ds01_spawner.gateway.api.usage_figures import Reading, figures
from ds01_spawner.ports.usage import ContainerUsage


def _at(moment: float, cpu_seconds: float | None) -> Reading:
    return Reading(moment, ContainerUsage(cpu_seconds=cpu_seconds, memory_bytes=5))


@pytest.mark.parametrize(
    ("before", "percent"),
    [
        pytest.param(None, None, id="first"),
        pytest.param(_at(2.0, 1.0), 100.0, id="one-cpu"),
        pytest.param(_at(2.0, 9.0), None, id="started-anew"),
        pytest.param(_at(4.0, 3.0), None, id="same-moment"),
        pytest.param(_at(2.0, None), None, id="not-known-before"),
    ],
)
def test_cpu_is_a_rate_between_two_readings(before: Reading | None, percent: float | None) -> None:
    shown = figures(_at(4.0, 3.0), before)
    assert (shown["cpu_percent"], shown["memory_bytes"]) == (percent, 5)


def test_what_does_not_run_uses_nothing() -> None:
    assert figures(None, None) == {}
