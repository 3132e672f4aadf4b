import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.storage import MakeHome, StorageMeterContract
from ds01_spawner.adapters.storage.meter import HomeMeter
from fakes.clock import FakeClock
from fakes.storage import FakeStorageMeter


class TestFake(StorageMeterContract):
    @pytest.fixture
    def meter(self) -> FakeStorageMeter:
        return FakeStorageMeter(FakeClock())

    @pytest.fixture
    def make_home(self, meter: FakeStorageMeter) -> MakeHome:
        def make(user: str, size: int) -> str:
            meter.sizes[f"/home/{user}"] = size
            meter.owners[f"/home/{user}"] = os.getuid()
            meter.seconds[f"/home/{user}"] = 0.02 if user == "slow" else 0.0
            return f"/home/{user}"

        return make


class TestReal(StorageMeterContract):
    @pytest.fixture
    def meter(self, tmp_path: Path) -> Iterator[HomeMeter]:
        # Quotas are tried where nothing is harmed: tests/host.
        meter = HomeMeter(FakeClock(), tmp_path / "kept", quotas_missing=lambda: "not here")
        yield meter
        meter.close()

    @pytest.fixture
    def make_home(self, tmp_path: Path) -> MakeHome:
        def make(user: str, size: int) -> str:
            home = tmp_path / user
            home.mkdir(exist_ok=True)
            (home / "file").write_bytes(os.urandom(size))
            for number in range(3000 if user == "slow" else 0):
                (home / f"d{number}").mkdir()
            return str(home)

        return make
