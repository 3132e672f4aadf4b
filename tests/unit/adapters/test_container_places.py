import os
import stat
from pathlib import Path

import pytest

from ds01_spawner.adapters.container_files.places import (
    absolute_path,
    go_mode,
    go_time,
    place_of,
    told,
)


@pytest.mark.parametrize(
    ("path", "absolute"),
    [
        ("/x", "/x"),
        ("x", "/x"),
        ("//x//y", "/x/y"),
        ("/x/", "/x/"),
        ("/x/.", "/x/."),
        ("/x/./", "/x/"),
        ("/x/..", "/"),
        ("../../x", "/x"),
        ("/", "/"),
        (".", "/."),
        ("/.", "/."),
        ("/x/../.", "/."),
    ],
)
def test_what_a_path_ends_in_is_kept(path: str, absolute: str) -> None:
    assert absolute_path(path) == absolute


def test_only_the_way_to_a_place_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "last").symlink_to("nowhere")
    found = place_of(f"{tmp_path}/link/last")
    assert (found.resolved, found.base) == (f"{tmp_path}/real/last", "last")
    assert told(found)["linkTarget"] == f"{tmp_path}/real/nowhere"
    assert place_of(f"{tmp_path}/link").resolved == f"{tmp_path}/link"
    assert place_of(f"{tmp_path}/link/").resolved == f"{tmp_path}/real/"


@pytest.mark.parametrize(
    ("mode", "go"),
    [
        (stat.S_IFREG | 0o644, 0o644),
        (stat.S_IFDIR | 0o755, 2147484141),
        (stat.S_IFLNK | 0o777, 134218239),
        (stat.S_IFREG | 0o6755, 0o755 | 1 << 23 | 1 << 22),
        (stat.S_IFDIR | 0o1777, 0o777 | 1 << 31 | 1 << 20),
        (stat.S_IFCHR | 0o666, 0o666 | 1 << 26 | 1 << 21),
        (stat.S_IFSOCK | 0o600, 0o600 | 1 << 24),
    ],
)
def test_modes_are_written_as_go_does(mode: int, go: int) -> None:
    assert go_mode(mode) == go


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_000_000_000_500_000_000, "2001-09-09T01:46:40.5Z"),
        (1_000_000_000_000_000_001, "2001-09-09T01:46:40.000000001Z"),
        (-1_000_000_000, "1969-12-31T23:59:59Z"),
        (10**30, "1970-01-01T00:00:00Z"),
    ],
)
def test_moments_are_written_as_go_does(nanoseconds: int, text: str) -> None:
    assert go_time(nanoseconds) == text


def test_the_root_is_a_place() -> None:
    assert place_of("/").base == "/"
    assert place_of(".").base == "."
    assert told(place_of("/"))["mode"] == go_mode(os.stat("/").st_mode)  # noqa: PTH116 - as there
