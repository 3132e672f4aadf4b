import subprocess
from collections.abc import Callable

import pytest

from contracts.aggregate_limits import BOUND, LIMITS, USER, AggregateLimitsScenario, Lab
from ds01_spawner.adapters.docker_engine import DockerEngine


def systemctl(*arguments: str) -> str:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


class TestProductionLikeHost(AggregateLimitsScenario):
    @pytest.fixture
    def driver(self, docker_engine: DockerEngine) -> str:
        assert docker_engine.info().cgroup_driver == "systemd"
        return "systemd"

    @pytest.fixture
    def meddle(self) -> Callable[[str, int], None]:
        def set_property(parent: str, memory_bytes: int) -> None:
            systemctl("set-property", "--runtime", parent, f"MemoryMax={memory_bytes}")

        return set_property

    def test_bounds_are_properties_of_the_slice_and_survive_a_daemon_reload(self, lab: Lab) -> None:
        parent = lab.aggregates.apply(LIMITS, USER)
        shown = systemctl(
            "show", parent, "-p", "MemoryMax,CPUQuotaPerSecUSec,TasksMax,ActiveState"
        ).split()
        assert sorted(shown) == [
            "ActiveState=active",
            "CPUQuotaPerSecUSec=1s",
            f"MemoryMax={BOUND.memory_bytes}",
            f"TasksMax={BOUND.pids}",
        ]
        lab.start("sleep 600")

        systemctl("daemon-reload")

        assert lab.usage().limits == BOUND
        assert lab.aggregates.verify(LIMITS, USER) == ()
