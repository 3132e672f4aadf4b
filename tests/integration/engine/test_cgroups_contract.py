import pytest

from contracts.real_cgroups import RealCgroupsContract


class TestCgroupfs(RealCgroupsContract):
    @pytest.fixture
    def driver(self) -> str:
        return "cgroupfs"
