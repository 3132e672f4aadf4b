import gzip
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.adapters.event_search import BLOCK_BYTES, Expired, search_events


def every(_fields: Mapping[str, object]) -> bool:
    return True


def write(path: Path, *numbers: int, more: str = "") -> None:
    path.write_text("".join(json.dumps({"n": n}) + "\n" for n in numbers) + more)


def numbers(path: Path, limit: int = 1000) -> list[int]:
    """Every number, fetched in pages."""
    found: list[int] = []
    cursor = None
    while True:
        page = search_events(path, every, limit=limit, cursor=cursor)
        found += [each["n"] for each in page.found]
        cursor = page.following
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_lines_come_from_the_end_in_pages_of_any_size(tmp_path: Path, limit: int) -> None:
    log = tmp_path / "events.jsonl"
    write(log, *range(10))
    assert numbers(log, limit) == list(range(9, -1, -1))


@pytest.mark.parametrize("limit", [1, 4, 100])
def test_rotated_and_compressed_files_come_after_the_present_one(
    tmp_path: Path, limit: int
) -> None:
    log = tmp_path / "events.jsonl"
    write(log, 6, 7)
    write(tmp_path / "events.jsonl.1", 3, 4, 5)
    with gzip.open(tmp_path / "events.jsonl.2.gz", "wt") as file:
        file.writelines(json.dumps({"n": n}) + "\n" for n in (0, 1, 2))
    for age, name in enumerate(("events.jsonl", "events.jsonl.1", "events.jsonl.2.gz")):
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    assert numbers(log, limit) == [7, 6, 5, 4, 3, 2, 1, 0]


def test_a_search_goes_on_in_a_file_that_was_renamed_meanwhile(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    write(log, 0, 1, 2, 3)
    first = search_events(log, every, limit=2)
    log.rename(tmp_path / "events.jsonl.1")
    write(log, 4, 5)
    rest = search_events(log, every, limit=10, cursor=first.following)
    assert [each["n"] for each in rest.found] == [1, 0]


def test_what_comes_meanwhile_moves_no_page(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    write(log, 0, 1, 2, 3)
    first = search_events(log, every, limit=2)
    with log.open("a") as file:
        file.write('{"n": 4}\n')
    rest = search_events(log, every, limit=10, cursor=first.following)
    assert [each["n"] for each in rest.found] == [1, 0]


@pytest.mark.parametrize("cursor", ["", "x", "1-2-3", "-", "zz-1", "1-", "\u0661-1", "f" * 400])
def test_a_cursor_that_is_none_is_expired(tmp_path: Path, cursor: str) -> None:
    log = tmp_path / "events.jsonl"
    write(log, 0)
    if not cursor:
        assert search_events(log, every, limit=1, cursor=cursor).found
        return
    with pytest.raises(Expired):
        search_events(log, every, limit=1, cursor=cursor)


def test_a_file_that_is_gone_has_expired(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    write(log, 0, 1)
    first = search_events(log, every, limit=1)
    log.rename(tmp_path / "elsewhere")
    write(log, 2)
    with pytest.raises(Expired, match="rotated"):
        search_events(log, every, limit=1, cursor=first.following)


def test_no_log_is_an_empty_one(tmp_path: Path) -> None:
    page = search_events(tmp_path / "events.jsonl", every, limit=5)
    assert (page.found, page.following) == ((), None)


def test_broken_lines_are_left_out(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    write(log, 0, 1, more='{"n": 2}\n[]\nnonsense\n\n\xff\n{"n": 3}\n{"n": 4, "unfini')
    assert numbers(log) == [3, 2, 1, 0]


def test_a_search_that_takes_long_says_where_to_go_on(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    write(log, *range(1000))
    now = iter(range(10_000))

    def nothing(fields: Mapping[str, object]) -> bool:
        return fields["n"] == 0

    found: list[object] = []
    cursor, pages = None, 0
    while True:
        page = search_events(
            log, nothing, limit=5, cursor=cursor, seconds=0.5, monotonic=lambda: float(next(now))
        )
        found += page.found
        pages += 1
        cursor = page.following
        if cursor is None:
            break
    assert found == [{"n": 0}]
    assert pages > 2


@given(
    st.lists(st.integers(1, 3 * BLOCK_BYTES), max_size=6),
    st.integers(1, 4),
)
def test_long_lines_are_whole(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], limit: int
) -> None:
    log = tmp_path_factory.mktemp("log") / "events.jsonl"
    lines = [json.dumps({"n": n, "x": "y" * size}) for n, size in enumerate(sizes)]
    log.write_text("".join(f"{line}\n" for line in lines))
    assert numbers(log, limit) == list(reversed(range(len(sizes))))


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("name", ["alice", "jürgen", 'a"b', "o\\n", "学生"])
def test_who_is_looked_for_is_found_however_they_are_written(
    tmp_path: Path, name: str, ascii_only: bool
) -> None:
    log = tmp_path / "events.jsonl"
    lines = [{"user": name}, {"user": "somebody"}, {"user": "other", "details": {"to": name}}]
    log.write_text("".join(f"{json.dumps(each, ensure_ascii=ascii_only)}\n" for each in lines))
    page = search_events(log, lambda each: each["user"] == name, limit=10, holding=name)
    assert page.found == ({"user": name},)


def test_lines_without_who_is_looked_for_are_not_read(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_text("".join(f'{{"user": "{name}"}}\n' for name in ("a", "b", "a", "c")))
    read = list[object]()

    def wanted(fields: Mapping[str, object]) -> bool:
        read.append(fields["user"])
        return True

    search_events(log, wanted, limit=10, holding="a")
    assert read == ["a", "a"]
