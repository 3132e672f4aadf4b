import pytest

from contracts.people import AccountKeeperContract
from fakes.people import FakeAccountKeeper


class TestFakeAccountKeeper(AccountKeeperContract):
    @pytest.fixture
    def keeper(self) -> FakeAccountKeeper:
        return FakeAccountKeeper()

    @pytest.fixture
    def name(self) -> str:
        return "alice"
