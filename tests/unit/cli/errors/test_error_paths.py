"""Every cell of the table, in each way in which the fault of its column comes."""

from collections.abc import Iterator

import pytest

from fakes.cli_faults import ASKING, FAR, FAULTS
from fakes.cli_scene import Scene
from unit.cli.errors.judging import check_faults, check_one_line, check_output, check_whole
from unit.cli.errors.table import COLUMNS, COMMANDS, ROWS, Row

pytestmark = pytest.mark.enable_socket


def cells() -> Iterator[object]:
    """Each way in which a fault comes; the first of a column for programs, too."""
    for row in ROWS.values():
        for column in row.codes:
            for number, variant in enumerate(FAULTS.get(column, ())):
                if (row.command, variant) == ("login", "no token"):
                    continue  # it is where a token is said
                for typed in filter(None, (row.typed, "" if number else row.for_programs)):
                    words = (row.command, column, variant, "json" if typed != row.typed else "")
                    name = "-".join(filter(None, words))
                    yield pytest.param(row, column, variant, typed, id=name)


def test_every_command_has_a_row_and_every_column_a_fault() -> None:
    assert set(ROWS) == set(COMMANDS)
    assert set(COLUMNS) == {*FAULTS, "dsk"}


@pytest.mark.parametrize(("row", "column", "variant", "typed"), cells())
def test_it_says_what_is_wrong_and_what_next(
    row: Row, column: str, variant: str, typed: tuple[str, ...], scene: Scene
) -> None:
    scene.begin(row.command, far=column in FAR or row.command == "login")
    FAULTS[column][variant](scene, row.command)
    before = dict(scene.api.containers)
    ended = scene.types(typed)
    check = check_faults if column == "pol" else check_one_line
    check(ended, row.codes[column])
    check_output(ended, typed, may_say=column not in ASKING)
    if column in ASKING:
        assert ended.changed == set()
    check_whole(ended, row.command)
    assert scene.api.containers == before
    assert ended.ran == ()
