import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.login_name import (
    check_full_name,
    check_login_name,
    proposed,
    same_full_name,
)


@pytest.mark.parametrize("name", ["a", "alice", "a.liddell", "al-1_x", "x" * 32])
def test_usual_names_may_be(name: str) -> None:
    assert check_login_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "Alice", "1alice", "-alice", "_alice", "alice.", "a..b", "a b", "a:b", "é", "x" * 33],
)
def test_others_may_not(name: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot name a Unix account"):
        check_login_name(name)


@pytest.mark.parametrize(
    ("written", "near"),
    [
        ("Jürgen Müller", "juergen.mueller"),
        ("Weiß", "weiss"),
        ("alice@uni.example", "alice.uni.example"),
        ("2fast", "fast"),
        ("Ju\u0308rgen", "juergen"),
        ("李", ""),
    ],
)
def test_a_name_near_to_it_is_proposed(written: str, near: str) -> None:
    assert proposed(written) == near


@given(st.text(max_size=60))
def test_what_is_proposed_may_be(text: str) -> None:
    if near := proposed(text):
        assert check_login_name(near) == near


def test_full_names_are_trimmed_and_keep_their_letters() -> None:
    assert check_full_name("  Ju\u0308rgen \t Müller ") == "Jürgen Müller"


@pytest.mark.parametrize("text", ["a:b", "a\0b", "Liddell, Alice", "a=b", "x#y", "x" * 201])
def test_full_names_that_would_break_a_list_may_not_be(text: str) -> None:
    with pytest.raises(InvalidRequest):
        check_full_name(text)


def test_full_names_are_the_same_whatever_their_capitals() -> None:
    assert same_full_name("Jürgen  MÜLLER", "ju\u0308rgen müller")
    assert not same_full_name("Anna Müller", "Anne Müller")
