from pathlib import Path

import pytest

from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    Forbidden,
    InvalidRequest,
    NotFound,
    Unavailable,
)
from ds01_spawner.domain.people import AccountEntry, Newcomer
from ds01_spawner.operations.notices.addresses import channel_of
from ds01_spawner.operations.people.people import Deed
from ds01_spawner.ports.people import AddressChannel
from fakes.people_house import PeopleHouse

ALICE = Newcomer("alice", "Alice Liddell", "student", "mailto:a@uni.example")


@pytest.fixture
def house(tmp_path: Path) -> PeopleHouse:
    return PeopleHouse(tmp_path)


def test_a_newcomer_gets_everything(house: PeopleHouse) -> None:
    plan = house.people.plan(ALICE)
    assert [each.words for each in plan.steps] == [
        "Unix account with home /home/alice",
        "~/projects and ~/data",
        "group student",
        "address a@uni.example (mail)",
    ]
    assert house.accounts.calls == []
    house.add(plan)
    entry = house.accounts.find("alice")
    assert entry is not None
    assert entry.full_name == "Alice Liddell"
    assert {"/home/alice/projects", "/home/alice/data"} <= house.accounts.folders
    assert house.members("student") == "alice  # Alice Liddell\n"
    assert house.addresses.of("alice") == {"mail": "a@uni.example"}
    (event,) = house.lab.events.of("user.add")
    assert (event.user, event.actor, event.details["by"]) == ("alice", "hub", "root")


def test_again_nothing_is_missing_and_nothing_is_written(house: PeopleHouse) -> None:
    house.add(house.people.plan(ALICE))
    again = house.people.plan(ALICE)
    assert again.steps == ()
    house.add(again)
    assert len(house.lab.events.of("user.add")) == 1


@pytest.mark.parametrize("deed", ["create", "make_folders"])
def test_who_was_interrupted_does_the_rest(house: PeopleHouse, deed: str) -> None:
    house.accounts.fails = deed
    with pytest.raises(Unavailable):
        house.add(house.people.plan(ALICE))
    assert house.lab.events.of("user.add")[-1].outcome == "failed"
    house.accounts.fails = ""
    house.add(house.people.plan(ALICE))
    assert house.people.plan(ALICE).steps == ()


def test_an_account_without_its_home_gets_one(house: PeopleHouse) -> None:
    house.accounts.create("alice", "Alice Liddell", create_home=False)
    plan = house.people.plan(Newcomer("alice"))
    assert [each.deed for each in plan.steps] == [Deed.HOME, Deed.FOLDERS]
    house.add(plan)
    assert house.people.plan(Newcomer("alice")).steps == ()


def test_without_a_home_no_folders_are_made(house: PeopleHouse) -> None:
    plan = house.people.plan(Newcomer("alice", create_home=False))
    assert [each.deed for each in plan.steps] == [Deed.ACCOUNT]
    house.add(plan)
    assert house.accounts.folders == set()
    assert house.people.plan(Newcomer("alice", create_home=False)).steps == ()


def test_an_account_of_a_directory_is_taken_as_it_is(house: PeopleHouse) -> None:
    house.accounts.put(
        AccountEntry("alice", 5000, 5000, "Liddell Alice", "/net/alice", is_local=False)
    )
    plan = house.people.plan(ALICE)
    assert [each.deed for each in plan.steps] == [Deed.GROUP, Deed.ADDRESS]
    assert "is a directory's; it is taken as it is" in plan.notes[0]
    assert "/net/alice does not exist yet" in plan.notes[1]


def test_who_came_back_gets_the_same_account(house: PeopleHouse) -> None:
    house.add(house.people.plan(ALICE))
    house.accounts.close("alice")
    plan = house.people.plan(ALICE)
    assert [each.deed for each in plan.steps] == [Deed.OPEN]
    house.add(plan)
    assert house.accounts.find("alice").is_closed is False  # type: ignore[union-attr]


def test_who_is_in_another_group_is_moved_by_name_and_not_by_a_list(house: PeopleHouse) -> None:
    house.add(house.people.plan(ALICE))
    with pytest.raises(Conflict, match="alice is in the group student"):
        house.people.plan(Newcomer("alice", group="researcher", may_move=False))
    plan = house.people.plan(Newcomer("alice", group="researcher"))
    assert [each.words for each in plan.steps] == ["group researcher (was student)"]
    house.add(plan)
    assert house.members("student") == ""
    assert house.members("researcher") == "alice  # Alice Liddell\n"


def test_a_group_that_comes_first_is_said(house: PeopleHouse) -> None:
    plan = house.people.plan(Newcomer("dean", group="student"))
    assert any("dean is in faculty as well" in each for each in plan.notes)


def test_who_is_named_in_the_policy_itself_needs_no_line(house: PeopleHouse) -> None:
    plan = house.people.plan(Newcomer("dean", group="faculty", hub_only=True))
    assert plan.steps == ()


def test_the_hubs_own_people_need_no_account(house: PeopleHouse) -> None:
    name = "Änne@uni.example"
    house.add(house.people.plan(Newcomer(name, group="student", hub_only=True)))
    assert house.accounts.calls == []
    assert house.members("student") == f"{name}\n"


@pytest.mark.parametrize(
    ("newcomer", "error", "words"),
    [
        (Newcomer("Alice"), InvalidRequest, "Such as alice"),
        (Newcomer("alice", group="studnt"), NotFound, "Its groups: faculty, researcher, student"),
        (Newcomer("alice", notify="x@y@z"), InvalidRequest, "is not one address"),
        (Newcomer("alice", full_name="a:b"), InvalidRequest, "holds ':'"),
        (Newcomer("root"), Forbidden, "system account"),
        (Newcomer("bob", full_name="Bob Other"), Conflict, "is Bob's, not Bob Other's"),
        (Newcomer("bob", hub_only=True), Conflict, "Leave --hub-only out"),
        (Newcomer("games"), Conflict, "There is a Unix group games"),
        (Newcomer("dora"), Conflict, "/home/dora exists"),
        (Newcomer("two words", group="student", hub_only=True), InvalidRequest, "cannot stand in"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_made(
    house: PeopleHouse, newcomer: Newcomer, error: type[DS01Error], words: str
) -> None:
    house.accounts.put(AccountEntry("root", 0, 0, "", "/root"))
    house.accounts.put(AccountEntry("bob", 1001, 1001, "Bob", "/home/bob"))
    house.accounts.groups.add("games")
    house.accounts.folders.add("/home/dora")
    with pytest.raises(error, match=words):
        house.add(house.people.plan(newcomer))
    assert house.accounts.calls == []


def test_what_cannot_be_audited_is_not_done(house: PeopleHouse) -> None:
    house.lab.events.full = True
    with pytest.raises(Unavailable):
        house.add(house.people.plan(ALICE))
    assert house.accounts.calls == []


MAIL, CHAT = AddressChannel("mail", "mailtos"), AddressChannel("chat", "slack")


@pytest.mark.parametrize(
    ("text", "channels", "expected"),
    [
        ("a@uni.example", (MAIL,), ("mail", "a@uni.example")),
        ("mailto:a@uni.example", (CHAT, MAIL), ("mail", "a@uni.example")),
        ("chat:@alice", (CHAT, MAIL), ("chat", "@alice")),
        ("@alice", (CHAT,), ("chat", "@alice")),
    ],
)
def test_the_channel_of_an_address(
    text: str, channels: tuple[AddressChannel, ...], expected: tuple[str, str]
) -> None:
    assert channel_of(text, channels) == expected


@pytest.mark.parametrize(
    ("text", "channels", "words"),
    [
        ("a@uni.example", (), "addresses_file"),
        ("a@uni.example", (CHAT, MAIL), "chat:ADDRESS, mail:ADDRESS"),
        ("mailto:a@uni.example", (CHAT,), "chat:ADDRESS"),
        ("mailto:", (MAIL,), "is not one address"),
    ],
)
def test_an_address_that_is_for_no_one_channel(
    text: str, channels: tuple[AddressChannel, ...], words: str
) -> None:
    with pytest.raises(InvalidRequest, match=words):
        channel_of(text, channels)
