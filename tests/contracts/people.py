"""What the ports for people do, the fakes and the real ones."""

import pytest

from ds01_spawner.domain.errors import Conflict
from ds01_spawner.ports.people import AccountKeeper


class AccountKeeperContract:
    """Give `keeper`, and `name`: of nobody yet; whatever is made in that name is undone."""

    def test_a_new_account_has_a_home_folders_and_a_group(
        self, keeper: AccountKeeper, name: str
    ) -> None:
        assert keeper.find(name) is None
        home, taken = keeper.home_of_new(name)
        assert not taken
        keeper.create(name, "Änne Müller", create_home=True)

        entry = keeper.find(name)
        assert entry is not None
        assert (entry.full_name, entry.home) == ("Änne Müller", home)
        assert entry.is_local
        assert not entry.is_closed
        assert entry.groups == (name,)
        assert entry.listed_in == ()
        assert keeper.has_group(name)
        assert keeper.has_home(name)
        assert keeper.home_of_new(name) == (home, True)
        assert entry in keeper.every()

    def test_folders_are_made_once_and_then_not_missing(
        self, keeper: AccountKeeper, name: str
    ) -> None:
        keeper.create(name, "", create_home=True)
        assert keeper.missing_folders(name, ("projects", "data")) == ("projects", "data")
        keeper.make_folders(name, ("projects",))
        assert keeper.missing_folders(name, ("projects", "data")) == ("data",)
        keeper.make_folders(name, ("projects", "data"))
        assert keeper.missing_folders(name, ("projects", "data")) == ()

    def test_a_missing_home_is_made_later(self, keeper: AccountKeeper, name: str) -> None:
        keeper.create(name, "", create_home=False)
        assert not keeper.has_home(name)
        keeper.make_home(name)
        assert keeper.has_home(name)

    def test_a_second_account_of_a_name_is_a_conflict(
        self, keeper: AccountKeeper, name: str
    ) -> None:
        keeper.create(name, "", create_home=False)
        with pytest.raises(Conflict, match="exists"):
            keeper.create(name, "", create_home=False)

    def test_who_is_closed_can_be_opened_again(self, keeper: AccountKeeper, name: str) -> None:
        keeper.create(name, "", create_home=False)
        for closed in (True, True, False, False):
            (keeper.close if closed else keeper.open)(name)
            entry = keeper.find(name)
            assert entry is not None
            assert entry.is_closed is closed

    def test_an_account_goes_with_its_home(self, keeper: AccountKeeper, name: str) -> None:
        keeper.create(name, "", create_home=True)
        keeper.remove(name)
        assert keeper.find(name) is None
        assert not keeper.home_of_new(name)[1]
        assert not keeper.has_group(name)
        keeper.remove(name)
