"""What every `Ledger` does with leases, the fake and the real one."""

from datetime import timedelta

import pytest

from ds01_spawner.ports import Ledger
from fakes.clock import FakeClock

MINUTE = timedelta(minutes=1)


class Interrupted(Exception):
    """Something fails after the lease was taken."""


class LeaseContract:
    """Inherit, and give the fixture `ledger`."""

    @pytest.fixture
    def clock(self) -> FakeClock:
        return FakeClock()

    def take(self, ledger: Ledger, clock: FakeClock, holder: str, name: str = "pass") -> bool:
        with ledger.transaction() as transaction:
            return transaction.take_lease(name, holder, clock.mark(), 60)

    def test_a_lease_has_one_holder_until_its_end(self, ledger: Ledger, clock: FakeClock) -> None:
        assert self.take(ledger, clock, "one")
        assert not self.take(ledger, clock, "two")
        clock.advance(timedelta(seconds=59.999))
        assert not self.take(ledger, clock, "two")
        clock.advance(timedelta(seconds=0.001))
        assert self.take(ledger, clock, "two")
        assert not self.take(ledger, clock, "one")

    def test_says_who_has_a_lease_and_for_how_long(self, ledger: Ledger, clock: FakeClock) -> None:
        def holder(name: str = "pass") -> str | None:
            with ledger.transaction() as transaction:
                return transaction.lease_holder(name, clock.mark())

        assert holder() is None
        assert self.take(ledger, clock, "one")
        assert (holder(), holder("other")) == ("one", None)
        clock.advance(MINUTE)
        assert holder() is None
        assert self.take(ledger, clock, "two")
        clock.reboot()
        assert holder() is None

    def test_its_holder_renews_a_lease(self, ledger: Ledger, clock: FakeClock) -> None:
        assert self.take(ledger, clock, "one")
        clock.advance(timedelta(seconds=40))
        assert self.take(ledger, clock, "one")
        clock.advance(timedelta(seconds=40))
        assert not self.take(ledger, clock, "two")

    def test_who_was_refused_leaves_the_end_as_it_was(
        self, ledger: Ledger, clock: FakeClock
    ) -> None:
        assert self.take(ledger, clock, "one")
        clock.advance(timedelta(seconds=40))
        assert not self.take(ledger, clock, "two")
        clock.advance(timedelta(seconds=20))
        assert self.take(ledger, clock, "two")

    @pytest.mark.parametrize("hours", [-1, 1])
    def test_setting_the_wall_clock_ends_no_lease_and_makes_none_longer(
        self, ledger: Ledger, clock: FakeClock, hours: int
    ) -> None:
        assert self.take(ledger, clock, "one")
        clock.jump(timedelta(hours=hours))
        assert not self.take(ledger, clock, "two")
        clock.advance(MINUTE)
        assert self.take(ledger, clock, "two")

    def test_a_lease_from_before_a_reboot_is_void(self, ledger: Ledger, clock: FakeClock) -> None:
        assert self.take(ledger, clock, "one")
        clock.reboot(took=timedelta(seconds=1))
        assert self.take(ledger, clock, "two")
        assert not self.take(ledger, clock, "one")

    def test_a_lease_that_is_given_back_is_free(self, ledger: Ledger, clock: FakeClock) -> None:
        assert self.take(ledger, clock, "one")
        with ledger.transaction() as transaction:
            transaction.end_lease("pass", "one")
            transaction.end_lease("unknown", "one")
        assert self.take(ledger, clock, "two")

    def test_nobody_gives_back_the_lease_of_another(self, ledger: Ledger, clock: FakeClock) -> None:
        assert self.take(ledger, clock, "one")
        with ledger.transaction() as transaction:
            transaction.end_lease("pass", "two")
        assert not self.take(ledger, clock, "two")

    def test_leases_of_other_names_are_others(self, ledger: Ledger, clock: FakeClock) -> None:
        assert self.take(ledger, clock, "one")
        assert self.take(ledger, clock, "two", name="delivery")
        with ledger.transaction() as transaction:
            transaction.end_lease("pass", "one")
        assert not self.take(ledger, clock, "one", name="delivery")

    def test_a_lease_is_not_taken_by_a_decision_that_fails(
        self, ledger: Ledger, clock: FakeClock
    ) -> None:
        def fail_after_taking() -> None:
            with ledger.transaction() as transaction:
                assert transaction.take_lease("pass", "one", clock.mark(), 60)
                raise Interrupted

        with pytest.raises(Interrupted):
            fail_after_taking()
        assert self.take(ledger, clock, "two")
