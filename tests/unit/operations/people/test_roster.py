import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.domain.people import Newcomer
from ds01_spawner.operations.people.roster import FaultyList, Row, read_roster

CLASS = """name;full name;group;notify
jmueller;Jürgen Müller;student;mailto:j@uni.example
amueller;Änne Müller;;
"""
PEOPLE = (
    Row(
        2,
        Newcomer("jmueller", "Jürgen Müller", "student", "mailto:j@uni.example", may_move=False),
    ),
    Row(3, Newcomer("amueller", "Änne Müller", None, may_move=False)),
)


@pytest.mark.parametrize(
    "data",
    [
        CLASS.encode(),
        CLASS.encode("utf-8-sig"),
        CLASS.replace(";", ",").encode(),
        CLASS.replace(";", "\t").encode(),
        CLASS.replace("\n", "\r\n").encode(),
        CLASS.rstrip("\n").encode(),
        CLASS.replace("ü", "u\u0308").encode(),
        CLASS.replace("name;full name", ' Name ;"Full_Name"').encode(),
        CLASS.replace("notify", "E-Mail").replace("group", "Gruppe").encode(),
        f"{CLASS};;;\n\n".encode(),
    ],
    ids=["plain", "bom", "commas", "tabs", "crlf", "no-end", "nfd", "heads", "german", "blank"],
)
def test_a_list_is_read_as_spreadsheets_save_it(data: bytes) -> None:
    assert read_roster(data, "class.csv") == PEOPLE


def test_quotes_hold_separators_and_lines() -> None:
    data = b'name,full name\nalice,"Liddell,\nAlice"\nbob,Bob\n'
    assert [(each.line, each.newcomer.full_name) for each in read_roster(data, "c")] == [
        (2, "Liddell, Alice"),
        (4, "Bob"),
    ]


def test_two_people_may_have_the_same_full_name() -> None:
    data = "name,full name\na1,Anna Müller\na2,Anna Müller\n".encode()
    assert len(read_roster(data, "c")) == 2


def test_the_hubs_own_people() -> None:
    (row,) = read_roster(b"name\nalice@uni.example\n", "c", hub_only=True)
    assert row.newcomer.hub_only


def test_every_fault_is_told_with_its_line() -> None:
    data = b"name,group\nalice,student\n,student\nalice,staff\nbob,student,more\n"
    with pytest.raises(FaultyList) as found:
        read_roster(data, "class.csv")
    assert str(found.value).splitlines() == [
        "3 faults, so nothing was made:",
        "class.csv:3: The column name is empty.",
        "class.csv:4: alice is in line 2 already. Give one another name.",
        "class.csv:5: There are more cells than columns: 'more'.",
    ]


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"", 1, "empty"),
        (b"\n\n", 1, "empty"),
        (b"name,group\n", 1, "Nobody is below"),
        (b"full name,group\nAlice,student\n", 1, "no column name"),
        (b"name,grup\nalice,student\n", 1, "did you mean"),
        (b"name,user\nalice,bob\n", 1, "two columns"),
        ("name,full name\nj,Jürgen\n".encode("latin-1"), 2, "not UTF-8"),
        ("name\nalice\n".encode("utf-16"), 1, "UTF-16"),
        (b'name\nalice\n"bob\n', 3, "no CSV"),
        (b"name\n" + b"".join(b"u%d\n" % n for n in range(10_001)), 1, "10000 people at most"),
    ],
)
def test_a_file_that_cannot_be_read_is_said_with_its_line(
    data: bytes, line: int, words: str
) -> None:
    with pytest.raises(FaultyList) as found:
        read_roster(data, "class.csv")
    ((at, told),) = found.value.faults
    assert at == line
    assert words in told


@given(st.binary(max_size=200))
def test_whatever_a_file_holds_it_is_read_or_refused(data: bytes) -> None:
    try:
        rows = read_roster(data, "c")
    except FaultyList:
        return
    assert rows
