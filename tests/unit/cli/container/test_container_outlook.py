from datetime import UTC

import pytest

from ds01_cli.container.outlook import HEADS, Moment, rows
from ds01_spawner.client import models as m
from fakes.api_app import NOW, container


@pytest.mark.parametrize(
    ("state", "words", "has_begun"),
    [
        ("running", "running", True),
        ("exited", "stopped", True),
        ("created", "not started yet", False),
        ("dead", "broken", True),
    ],
)
def test_the_list_says_states_in_words_and_no_begin_of_what_has_none(
    state: str, words: str, has_begun: bool
) -> None:
    found = m.Containers(taken_at=NOW, containers=(container("thesis", state=state),))
    (row,) = rows(found, Moment(NOW, UTC), "alice")
    cells = dict(zip(HEADS, row.cells, strict=True))
    assert cells["STATE"] == words
    assert bool(cells["STARTED"]) == has_begun
