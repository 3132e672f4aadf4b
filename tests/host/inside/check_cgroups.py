import pytest

from contracts.real_cgroups import RealCgroupsContract


class TestSystemd(RealCgroupsContract):
    @pytest.fixture
    def driver(self) -> str:
        return "systemd"


class TestCgroupfs(RealCgroupsContract):
    @pytest.fixture
    def driver(self) -> str:
        return "cgroupfs"
