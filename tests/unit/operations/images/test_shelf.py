import pytest

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.operations.images.shelf import ImageShelf
from fakes.engine import FakeEngine


def test_many_who_look_at_once_share_one_reading_and_later_ones_see_what_is_new() -> None:
    engine, now = FakeEngine(), [0.0]
    shelf = ImageShelf(engine, lambda: now[0])
    for _ in range(30):
        assert set(shelf.read()) == {"image"}
    assert [each for each, _ in engine.calls] == ["local_images"]
    engine.images.add("new")
    now[0] = 6.0
    assert set(shelf.read()) == {"image", "new"}


def test_what_cannot_be_read_is_asked_again() -> None:
    engine = FakeEngine()
    engine.fail_next("local_images", Unavailable("The engine does not answer."))
    shelf = ImageShelf(engine)
    with pytest.raises(Unavailable):
        shelf.read()
    assert shelf.read()
