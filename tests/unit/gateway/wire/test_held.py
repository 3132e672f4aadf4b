import pytest

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.gateway.wire.body import Held


def test_so_much_is_held_and_no_more() -> None:
    held = Held(10)
    held.take(6)
    held.take(4)

    with pytest.raises(Unavailable, match="one after the other"):
        held.take(1)


def test_what_is_given_back_can_be_taken_again() -> None:
    held = Held(10)
    held.take(10)
    held.give_back(10)

    held.take(10)
