import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.domain.errors import InvalidRequest, PolicyError
from ds01_spawner.policy.members import MembersFile, read_members, with_member, without_member


def file(text: str) -> MembersFile:
    return MembersFile("student", "student.members", text)


def test_a_name_comes_at_the_end_and_comments_stay() -> None:
    before = "# Winter term\nbob  # until March\n"
    assert with_member(file(before), "alice", "Alice  Liddell") == (
        f"{before}alice  # Alice Liddell\n"
    )


def test_a_last_line_without_an_end_gets_one() -> None:
    assert with_member(file("bob"), "alice") == "bob\nalice\n"
    assert with_member(file(""), "alice") == "alice\n"


def test_who_is_there_is_not_added_twice() -> None:
    assert with_member(file("alice # here\n"), "alice", "Alice") == "alice # here\n"


def test_every_line_of_a_name_goes_and_nothing_else() -> None:
    text = "\ufeffalice\r\n# alice\nbob\nalice # again\nalice2\n"
    assert without_member(file(text), "alice") == "# alice\nbob\nalice2\n"


@pytest.mark.parametrize("name", ["#alice", "two words", "a #b", ""])
def test_a_name_that_the_file_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        with_member(file("bob\n"), name)


def test_a_file_with_a_fault_is_not_changed() -> None:
    with pytest.raises(PolicyError):
        with_member(file("two names\n"), "alice")


@given(st.lists(st.from_regex(r"[a-z][a-z0-9.@_-]{0,8}", fullmatch=True)), st.text(max_size=20))
def test_who_is_added_and_taken_out_leaves_the_file_as_it_was(
    names: list[str], remark: str
) -> None:
    text = "".join(f"{each}\n" for each in names)
    added = with_member(file(text), "zz-new", remark)
    assert set(read_members(file(added))) == {*names, "zz-new"}
    assert without_member(file(added), "zz-new") == text
