import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.domain.errors import InvalidRequest, PolicyError
from ds01_spawner.policy.addresses import with_address, without_address
from ds01_spawner.policy.notifications import is_address, parse_addresses

PATH = "addresses.yaml"
BEFORE = "# Who wants it elsewhere\nbob: b@uni.example # at home\n"


def test_comments_and_order_stay() -> None:
    after = with_address(BEFORE, PATH, "alice", "a@uni.example")
    assert after == f"{BEFORE}alice: a@uni.example\n"
    assert without_address(after, PATH, "alice") == BEFORE


def test_an_address_is_replaced_where_it_stands() -> None:
    text = f"{BEFORE}carol: c@uni.example\n"
    after = with_address(text, PATH, "bob", "b2@uni.example")
    assert after.splitlines()[1] == "bob: b2@uni.example"
    assert with_address(after, PATH, "bob", "b2@uni.example") == after


def test_the_last_one_may_go() -> None:
    after = without_address(BEFORE, PATH, "bob")
    assert after == "# Who wants it elsewhere\n"
    assert parse_addresses(after, PATH) == {}
    assert parse_addresses(with_address("", PATH, "a", "@a"), PATH) == {"a": "@a"}


@pytest.mark.parametrize("user", ["null", "a: b", "{a", "yes", "007", "ä", "x y", '"q"', "#x"])
def test_odd_names_are_quoted(user: str) -> None:
    after = with_address(BEFORE, PATH, user, "@chat")
    assert parse_addresses(after, PATH)[user] == "@chat"
    assert without_address(after, PATH, user) == BEFORE


@pytest.mark.parametrize(
    "text",
    ["{bob: b@uni.example, c: c@x}\n", "bob:\n  b@uni.example\n", "bob: >\n  b@uni.example\n"],
)
def test_a_file_written_otherwise_is_left_alone(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"addresses\.yaml is not written"):
        with_address(text, PATH, "bob", "x@uni.example")
    with pytest.raises(InvalidRequest, match=r"addresses\.yaml is not written"):
        without_address(text, PATH, "bob")


def test_a_file_with_a_fault_is_not_changed() -> None:
    with pytest.raises(PolicyError):
        with_address("bob: [a, b]\n", PATH, "alice", "a@uni.example")


@pytest.mark.parametrize("address", ["", "a b", "a,b@c", "a@b@c"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest, match="is not one address"):
        with_address(BEFORE, PATH, "alice", address)


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20).filter(is_address))
def test_what_is_written_is_read_or_refused(user: str, address: str) -> None:
    try:
        after = with_address(BEFORE, PATH, user, address)
    except (InvalidRequest, PolicyError):
        return
    assert parse_addresses(after, PATH) == {"bob": "b@uni.example", user: address} or user == "bob"
