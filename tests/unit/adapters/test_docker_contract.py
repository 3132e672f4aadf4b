from collections.abc import Callable
from datetime import timedelta

import pytest

from contracts.engine import EngineContract
from ds01_spawner.ports import Engine
from fakes.clock import FakeClock
from fakes.engine import FakeEngine


class TestFakeEngine(EngineContract):
    @pytest.fixture
    def image(self) -> str:
        return "image"

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    @pytest.fixture
    def engine(self, clock: FakeClock) -> Engine:
        return FakeEngine(clock)

    @pytest.fixture
    def network(self, engine: Engine) -> str:
        engine.ensure_network("ds01-alice", {})
        return "ds01-alice"

    @pytest.fixture
    def end_process(self, engine: FakeEngine, clock: FakeClock) -> Callable[[str], None]:
        def end(container_id: str) -> None:
            clock.advance(timedelta(seconds=1))
            engine.kill(container_id)

        return end
