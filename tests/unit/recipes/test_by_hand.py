import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.recipes.by_hand import Change, installed

MARK = "--ds01--\n"


def test_what_was_installed_or_changed_is_told_without_what_came_along() -> None:
    before = "numpy==1.0\npandas==2.0\nsix==1.0\n"
    now = "Numpy==2.0\npandas==2.0\nsix==1.0\npolars==1.0\npolars-runtime==1.0\n"
    top = "Numpy==2.0\npandas==2.0\npolars==1.0\n"
    assert installed(MARK.join((before, now, top))) == (
        Change("numpy==2.0", "1.0"),
        Change("polars==1.0"),
    )


def test_nothing_installed_is_nothing() -> None:
    assert installed(MARK.join(["numpy==1.0\n"] * 3)) == ()


@pytest.mark.parametrize("printed", ["", "sh: 1: not found", MARK.join(["", "numpy==1\n", ""])])
def test_where_nothing_tells_what_was_there_it_is_said(printed: str) -> None:
    with pytest.raises(InvalidRequest):
        installed(printed)


def test_odd_versions_are_left_out() -> None:
    now = "x @ file:///tmp/x\ny==1.0; rm\nz==1\n"
    assert installed(MARK.join(("a==1\n", now, now))) == (Change("z==1"),)
