from collections.abc import Callable

import pytest

from contracts.aggregate_limits import AggregateLimitsScenario
from contracts.real_cgroups import directories
from ds01_spawner.adapters.docker_engine import DockerEngine


class TestThisMachine(AggregateLimitsScenario):
    @pytest.fixture
    def driver(self, docker_engine: DockerEngine) -> str:
        return docker_engine.info().cgroup_driver

    @pytest.fixture
    def meddle(self) -> Callable[[str, int], None]:
        def write(parent: str, memory_bytes: int) -> None:
            for place in directories(parent):
                for name in ("memory.limit_in_bytes", "memory.max"):
                    if (place / name).exists():
                        (place / name).write_text(str(memory_bytes))

        return write
