import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.domain.bind import (
    MOST_BINDS,
    Bind,
    BindSet,
    as_owner_named,
    binds_label,
    binds_of,
    check_binds,
    is_key,
    staged_key,
    staged_place,
)
from ds01_spawner.domain.container import Mount
from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.labels import BINDS

KEY = "0123456789abcdef" * 2
WORK = Bind("/home/alice/link", "/work", create_missing=True, real_path="/data/alice")
DATA = Bind("/data/sets", "/data", read_only=True, real_path="/data/sets")
BOTH = BindSet(KEY, (WORK, DATA))

_PATH = st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=20).map("/".__add__)
_BINDS = st.builds(
    Bind,
    source=_PATH,
    target=_PATH.map("/x".__add__).filter(lambda path: ".." not in path.split("/")),
    read_only=st.booleans(),
    create_missing=st.booleans(),
    real_path=_PATH | st.just(""),
)


@given(binds=st.lists(_BINDS, max_size=5).map(tuple), others=st.lists(_PATH).map(tuple))
def test_a_label_says_what_was_put_in(binds: tuple[Bind, ...], others: tuple[str, ...]) -> None:
    label = binds_label(BindSet(KEY, binds, others))
    assert label.isascii()
    told = binds_of({BINDS: label})
    assert told is None or told == BindSet(KEY, binds, others)
    paths = [path for bind in binds for path in (bind.source, bind.target, bind.real_path)]
    written = "".join((*paths, *others))
    assert told is not None or any("\ud800" <= char <= "\udfff" for char in written)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        "[" * 100_000,
        json.dumps({"version": 1, "key": "../x", "binds": []}),
        json.dumps({"version": 2, "key": KEY, "binds": []}),
        json.dumps({"version": 1, "key": KEY, "binds": [1]}),
        json.dumps({"version": 1, "key": KEY, "binds": [{"source": "/a"}]}),
        json.dumps({"version": 1, "key": KEY, "binds": [json.loads(binds_label(BOTH))]}),
        json.dumps({"version": 1, "key": KEY, "binds": [], "others": [1]}),
        binds_label(BindSet(KEY, (Bind("relative", "/x"),))),
        binds_label(BindSet(KEY, (WORK,) * (MOST_BINDS + 1))),
    ],
)
def test_a_label_without_sense_tells_nothing(text: str) -> None:
    assert binds_of({BINDS: text}) is None


def test_no_label_tells_nothing() -> None:
    assert binds_of({}) is None


@pytest.mark.parametrize(
    "bind",
    [
        Bind("data", "/x"),
        Bind("/data", "x"),
        Bind("/data", "/"),
        Bind("/data", "/a/.."),
        Bind("/data", "//"),
        Bind("/da\0ta", "/x"),
        Bind("/" + "x" * 4096, "/x"),
        Bind("/data\ud800", "/x"),
    ],
)
def test_paths_that_cannot_be_are_refused(bind: Bind) -> None:
    with pytest.raises(InvalidRequest):
        check_binds([bind])


def test_too_many_are_refused_with_the_figure() -> None:
    check_binds([WORK] * MOST_BINDS)
    with pytest.raises(InvalidRequest, match="at most 64"):
        check_binds([WORK] * (MOST_BINDS + 1))


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (f"/run/ds01/binds/{KEY}/0", (KEY, 0)),
        (f"/run/ds01/binds/{KEY}/63", (KEY, 63)),
        (f"/run/ds01/binds/{KEY}/00", None),
        (f"/run/ds01/binds/{KEY}/0/below", None),
        (f"/run/ds01/other/{KEY}/0", None),
        ("/home/alice", None),
    ],
)
def test_a_stage_is_known_by_its_path(source: str, place: tuple[str, int] | None) -> None:
    assert staged_place(source) == place


def test_the_key_of_mounts_is_that_of_their_one_stage() -> None:
    first, second = f"/run/ds01/binds/{KEY}/0", f"/run/ds01/binds/{'f' * 32}/0"
    assert staged_key([]) == staged_key(["/home/alice"]) == ""
    assert staged_key([first, "/home/alice"]) == KEY
    assert staged_key([first, second]) == ""
    assert is_key(KEY)


@pytest.mark.parametrize(
    ("mount", "shown"),
    [
        (
            Mount("bind", f"/run/ds01/binds/{KEY}/0", "/work"),
            Mount("bind", "/data/alice", "/work"),
        ),
        (
            Mount("bind", f"/run/ds01/binds/{KEY}/1", "/data"),
            Mount("bind", "/data/sets", "/data", read_only=True),
        ),
        *[
            (mount, mount)
            for mount in (
                Mount("bind", f"/run/ds01/binds/{KEY}/2", "/x"),
                Mount("bind", f"/run/ds01/binds/{'f' * 32}/0", "/x"),
                Mount("bind", "/home/alice", "/x"),
                Mount("volume", f"/run/ds01/binds/{KEY}/0", "/x"),
            )
        ],
    ],
)
def test_a_staged_mount_is_shown_as_its_owners_folder(mount: Mount, shown: Mount) -> None:
    assert as_owner_named(mount, BOTH) == shown
    assert as_owner_named(mount, None) == mount
