"""A platform for adding and removing people: its files in a folder, the rest in memory."""

from pathlib import Path

from ds01_spawner.adapters.address_files import AddressFiles
from ds01_spawner.adapters.membership_files import MembershipFiles
from ds01_spawner.adapters.policy_files import POLICY_FILE, read_policy
from ds01_spawner.operations.people.people import People, Plan
from ds01_spawner.operations.people.register import Register
from ds01_spawner.operations.people.removal import Departure, Departures
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.ports.people import HubPeople
from fakes.hub import FakeHub
from fakes.lab import Lab
from fakes.people import FakeAccountKeeper, FakeLeavingMark, FakeThings
from fakes.ssh_folder import FakeSshFolder

POLICY = """
defaults:
  max_containers_per_user: 3
  storage: 100g
groups:
  student:
    priority: 10
  researcher:
    priority: 60
  faculty:
    priority: 80
    members: [dean]
default_group: student
"""
CHANNELS = """
channels:
  mail:
    url: mailtos://ds01:secret@mail.uni.example?to={address}
    addresses_file: addresses.yaml
"""


class _Files:
    """The `PolicySource` port: what the files say at this moment."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def current(self) -> Policy:
        return read_policy(self._path).load().policy


class PeopleHouse:
    """People, register and departures as the composition root makes them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / POLICY_FILE).write_text(POLICY)
        (folder / "notifications.yaml").write_text(CHANNELS)
        self.lab = Lab()
        self.accounts = FakeAccountKeeper()
        self.things = FakeThings()
        self.ssh_folder = FakeSshFolder()
        self.hub = FakeHub()
        self.mark = FakeLeavingMark()
        self.policy = _Files(folder / POLICY_FILE)
        self.memberships = MembershipFiles(folder)
        self.addresses = AddressFiles(folder)
        self.people = People(
            accounts=self.accounts,
            memberships=self.memberships,
            addresses=self.addresses,
            policy=self.policy,
            audit=self.lab.audit,
        )
        self.register = Register(
            accounts=self.accounts,
            policy=self.policy,
            engine=self.lab.engine,
            ledger=self.lab.ledger,
            instance="here",
        )

    def departures(self, _hub: object = None, hub_people: HubPeople | None = None) -> Departures:
        """Removes people."""
        return Departures(
            accounts=self.accounts,
            memberships=self.memberships,
            addresses=self.addresses,
            things=self.things,
            ssh_folder=self.ssh_folder,
            engine=self.lab.engine,
            ledger=self.lab.ledger,
            servers=self.lab.servers,
            hub=self.hub,
            hub_people=hub_people or self.hub,
            mark=self.mark,
            audit=self.lab.audit,
            instance="here",
        )

    def add(self, plan: Plan) -> None:
        """Do what is planned."""
        self.people.carry_out(plan, "root")

    def remove(self, user: str, *, delete_data: bool = False) -> Departure:
        """Remove somebody; what there was of them."""
        found = self.departures().look(user, delete_data=delete_data)
        self.departures().carry_out(found, "root", lambda _words: None)
        return found

    def members(self, group: str) -> str:
        """The text of a members file."""
        return (self.folder / "groups" / f"{group}.members").read_text()
