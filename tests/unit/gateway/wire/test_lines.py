import pytest

from ds01_spawner.gateway.wire.lines import Lines


@pytest.mark.parametrize(
    "parts",
    [
        [b"1\n22\n333333\n4\n"],
        [b"1\n2", b"2\n333333\n4\n"],
        [b"1\n22\n333", b"333\n4\n"],
        [b"1\n22\n3333", b"33", b"3" * 100, b"\n4", b"\n"],
    ],
)
def test_a_line_that_is_too_long_is_left_out_and_the_others_come(parts: list[bytes]) -> None:
    lines = Lines(3)
    assert [line for part in parts for line in lines.of(part)] == [b"1", b"22", b"4"]


def test_empty_lines_and_an_unfinished_one_do_not_come() -> None:
    assert list(Lines(9).of(b"\n \n1\n\n2")) == [b"1"]
