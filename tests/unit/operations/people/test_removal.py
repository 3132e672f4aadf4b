from dataclasses import replace
from pathlib import Path

import pytest

from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Ticket
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.errors import Conflict, Forbidden, NotFound, Unavailable
from ds01_spawner.domain.people import AccountEntry, Newcomer, Thing, ThingKind
from ds01_spawner.domain.request import GpuRequest
from ds01_spawner.domain.ssh_identity import SshIdentity
from ds01_spawner.domain.ssh_key import SshKey
from fakes.clock import EPOCH
from fakes.people_house import PeopleHouse

VOLUME = Thing(ThingKind.VOLUME, "data._.alice")
NETWORK = Thing(ThingKind.NETWORK, "ds01-alice")


@pytest.fixture
def house(tmp_path: Path) -> PeopleHouse:
    """Alice has one of everything, and bob has as much."""
    house = PeopleHouse(tmp_path)
    for name in ("alice", "bob"):
        house.add(house.people.plan(Newcomer(name, group="student", notify=f"{name}@x.example")))
        house.lab.run(name)
        with house.lab.ledger.transaction() as transaction:
            transaction.put_ssh_key(SshKey(name, "k", "ssh-ed25519", "AAAA", "laptop", EPOCH))
            transaction.put_ticket(
                Ticket(
                    *(name, name, f"thesis._.{name}", GpuRequest.parse("mig", 1), 10),
                    EPOCH,
                    EPOCH,
                )
            )
    house.things.things["alice"] = (VOLUME, NETWORK)
    alice = house.accounts.accounts["alice"]
    house.accounts.put(replace(alice, groups=("alice", "docker"), listed_in=("docker",)))
    return house


def left_of(house: PeopleHouse, user: str) -> list[str]:
    with house.lab.ledger.transaction() as transaction:
        rows = [
            *(each.id for each in transaction.ssh_keys(user)),
            *(each.id for each in transaction.tickets() if each.user == user),
            *(each.id for each in transaction.reservations() if each.user == user),
        ]
    containers = [
        each.name for each in house.lab.engine.containers() if labels.owner_of(each.labels) == user
    ]
    return [*containers, *rows, *house.memberships.of(user), *house.addresses.of(user)]


def test_what_runs_and_opens_doors_goes_and_files_stay(house: PeopleHouse) -> None:
    bobs = left_of(house, "bob")
    house.remove("alice")
    assert left_of(house, "alice") == []
    assert left_of(house, "bob") == bobs
    account = house.accounts.accounts["alice"]
    assert (account.is_closed, account.listed_in) == (True, ())
    assert "/home/alice" in house.accounts.folders
    assert house.things.things_of("alice") == (VOLUME,)


def test_with_their_data_nothing_stays(house: PeopleHouse) -> None:
    house.remove("alice", delete_data=True)
    assert house.accounts.find("alice") is None
    assert not [each for each in house.accounts.folders if "alice" in each]
    assert house.things.things_of("alice") == ()
    assert house.accounts.find("bob") is not None
    with pytest.raises(NotFound, match="Nobody here is called alice"):
        house.departures().look("alice", delete_data=True)


def test_the_host_key_goes_with_the_data(house: PeopleHouse) -> None:
    for name in ("alice", "bob"):
        house.ssh_folder.show(name, SshIdentity(name, 1000, 1000, "g"), ())
    house.remove("alice")
    assert "alice" in house.ssh_folder.shown
    house.remove("alice", delete_data=True)
    assert set(house.ssh_folder.shown) == {"bob"}


def test_data_can_go_later(house: PeopleHouse) -> None:
    house.remove("alice")
    assert house.departures().look("alice", delete_data=False).is_nothing
    assert house.remove("alice", delete_data=True).going == (VOLUME,)
    assert house.accounts.find("alice") is None


def test_everything_is_audited_with_who_asked(house: PeopleHouse) -> None:
    house.remove("alice")
    (event,) = house.lab.events.of("user.remove")
    assert event.details["by"] == "root"
    assert event.details["containers"] == ["jupyter._.alice"]
    assert event.details["groups"] == ["student"]
    assert event.details["unix_groups"] == ["docker"]
    actions = house.lab.events.actions
    for action in ("ssh_key.remove", "gpu.unqueue", "container.stop", "container.remove"):
        assert actions.index(action) > actions.index("user.remove")


def test_what_cannot_be_audited_is_not_done(house: PeopleHouse) -> None:
    found = house.departures().look("alice", delete_data=True)
    house.lab.events.full = True
    with pytest.raises(Unavailable):
        house.departures().carry_out(found, "root", lambda _words: None)
    assert house.accounts.find("alice") is not None
    assert "jupyter._.alice" in left_of(house, "alice")


@pytest.mark.parametrize("deed", ["close", "leave", "remove"])
def test_who_was_interrupted_does_the_rest(house: PeopleHouse, deed: str) -> None:
    house.accounts.fails = deed
    with pytest.raises(Unavailable):
        house.remove("alice", delete_data=True)
    assert house.lab.events.of("user.remove")[-1].outcome == "failed"
    house.accounts.fails = ""
    house.remove("alice", delete_data=True)
    assert left_of(house, "alice") == []
    assert house.accounts.find("alice") is None


def test_a_stuck_engine_is_said_before_anything_is_done(house: PeopleHouse) -> None:
    house.lab.engine.stuck = True
    with pytest.raises(Unavailable):
        house.remove("alice")
    assert "close" not in house.accounts.calls


def test_a_home_in_use_is_not_deleted(house: PeopleHouse) -> None:
    house.accounts.busy.add("alice")
    with pytest.raises(Conflict, match="still runs something"):
        house.remove("alice", delete_data=True)
    assert "/home/alice" in house.accounts.folders


def test_what_is_in_use_stays_and_the_rest_goes(house: PeopleHouse) -> None:
    house.things.used.add(VOLUME.name)
    with pytest.raises(Conflict, match=r"volume data\._\.alice"):
        house.remove("alice", delete_data=True)
    assert house.things.things_of("alice") == (VOLUME,)
    assert house.accounts.find("alice") is None
    house.things.used.clear()
    house.remove("alice", delete_data=True)
    assert house.things.things_of("alice") == ()


def test_a_home_that_a_crash_left_is_named(house: PeopleHouse) -> None:
    house.remove("alice", delete_data=True)
    house.accounts.folders.add("/home/alice")
    with pytest.raises(NotFound, match="/home/alice is there, though"):
        house.remove("alice", delete_data=True)


def test_the_hub_is_told_of_its_servers(house: PeopleHouse) -> None:
    house.hub.add("alice")
    house.remove("alice")
    assert house.hub.stopped == [("alice", "")]


def test_a_hub_that_is_down_keeps_nothing_alive(house: PeopleHouse) -> None:
    house.hub.down = True
    house.remove("alice")
    assert left_of(house, "alice") == []


def test_older_containers_go_and_those_of_another_installation_stay(house: PeopleHouse) -> None:
    running = ContainerState.RUNNING
    old = Container("old", "old", running, {labels.LEGACY_USER: "alice"}, EPOCH)
    marks = {labels.USER: "alice", labels.INSTANCE: "elsewhere"}
    other = Container("other", "other", running, marks, EPOCH)
    house.lab.engine.put(old)
    house.lab.engine.put(other)
    house.remove("alice")
    assert [each.name for each in house.lab.engine.containers()] == ["jupyter._.bob", "other"]


def test_a_launch_under_way_ends_up_removed(house: PeopleHouse) -> None:
    def one_more(method: str) -> None:
        if method == "remove":
            house.lab.engine.on_call = lambda _method: None
            marks = {labels.USER: "alice", labels.INSTANCE: "here"}
            late = Container("late", "late._.alice", ContainerState.CREATED, marks, EPOCH)
            house.lab.engine.put(late)

    house.lab.engine.on_call = one_more
    house.remove("alice")
    assert left_of(house, "alice") == []


def test_an_account_of_a_directory_is_left_alone(house: PeopleHouse) -> None:
    alice = house.accounts.accounts["alice"]
    house.accounts.put(replace(alice, is_local=False))
    house.accounts.calls.clear()
    house.remove("alice", delete_data=True)
    assert house.accounts.calls == ["leave"]
    assert left_of(house, "alice") == []


def test_somebody_of_the_hub_alone_goes_too(house: PeopleHouse) -> None:
    house.add(house.people.plan(Newcomer("carol", group="student", hub_only=True)))
    home = Thing(ThingKind.VOLUME, "ds01-home-carol")
    house.things.things["carol"] = (home,)
    house.remove("carol")
    assert left_of(house, "carol") == []
    assert house.things.things_of("carol") == (home,)
    house.remove("carol", delete_data=True)
    assert house.things.things_of("carol") == ()


def test_system_accounts_and_strangers_are_not_removed(house: PeopleHouse) -> None:
    house.accounts.put(AccountEntry("root", 0, 0, "", "/root"))
    with pytest.raises(Forbidden):
        house.remove("root")
    with pytest.raises(NotFound):
        house.remove("stranger")


def test_everybody_is_listed_with_what_they_have(house: PeopleHouse) -> None:
    house.accounts.put(AccountEntry("root", 0, 0, "", "/root"))
    listed = {each.name: each for each in house.register.everybody()}
    assert list(listed) == ["alice", "bob", "dean"]
    alice, dean = listed["alice"], listed["dean"]
    assert (alice.group, alice.containers, alice.running) == ("student", 1, 1)
    assert "student.members:1" in str(alice.membership)
    assert alice.storage_limit_bytes == 100 * 1024**3
    assert (dean.account, dean.group) == (None, "faculty")
    assert [each.name for each in house.register.everybody("faculty")] == ["dean"]


def test_the_hub_forgets_them_when_their_containers_are_gone(house: PeopleHouse) -> None:
    house.hub.people = {"alice", "bob"}
    house.remove("alice")
    assert house.hub.people == {"bob"}
    (event,) = house.lab.events.of("user.remove")
    assert event.details["hub"] is True
    assert house.departures().look("alice", delete_data=False).is_nothing


def test_whom_the_hub_alone_knows_is_removed_from_it(house: PeopleHouse) -> None:
    house.hub.people = {"carol@uni.example"}
    house.remove("carol@uni.example")
    assert house.hub.people == set()
    with pytest.raises(NotFound):
        house.departures().look("carol@uni.example", delete_data=False)


def test_a_hub_that_says_nothing_hinders_nobodys_departure(house: PeopleHouse) -> None:
    house.hub.people, house.hub.down = {"alice"}, True
    found = house.remove("alice")
    assert (found.hub.is_known, found.hub.trouble) == (None, "The hub does not answer.")
    assert left_of(house, "alice") == []
    house.hub.down, house.hub.may_remove = False, False
    left = house.departures().look("alice", delete_data=False)
    assert left.is_nothing
    assert left.hub.is_known


def test_what_they_began_until_the_hub_forgot_them_goes_too(house: PeopleHouse) -> None:
    house.hub.people = {"carol@uni.example"}
    forget = house.hub.remove_entry

    def begun_just_before(user: str) -> None:
        house.lab.run(user)
        forget(user)

    house.hub.remove_entry = begun_just_before  # type: ignore[method-assign]
    house.remove("carol@uni.example")

    assert house.mark.left == 1
    assert left_of(house, "carol@uni.example") == []


def test_nobody_is_made_to_forget_when_nobody_left_the_hub(house: PeopleHouse) -> None:
    house.remove("alice")
    assert house.mark.left == 0
