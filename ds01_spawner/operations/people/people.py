"""Makes somebody known to the platform: account, home, group, address.

What is to be done is planned first, from what is there: whoever was interrupted starts again, and
only what is missing is done.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ds01_spawner.domain.errors import Conflict, DS01Error, Forbidden, NotFound
from ds01_spawner.domain.login_name import check_full_name, check_login_name, same_full_name
from ds01_spawner.domain.names import check_user
from ds01_spawner.domain.people import WORKSPACE, AccountEntry, Newcomer
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.notices.addresses import channel_of
from ds01_spawner.policy.members import SUFFIX, MembersFile, with_member
from ds01_spawner.policy.resolution import Membership, MemberSource, Policy
from ds01_spawner.ports import PolicySource
from ds01_spawner.ports.people import AccountKeeper, Addresses, Memberships

INTERFACE = "cli"


class Deed(StrEnum):
    """One thing that is done for a newcomer."""

    ACCOUNT = "account"
    OPEN = "open"
    HOME = "home"
    FOLDERS = "folders"
    GROUP = "group"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is missing.

    Attributes:
        deed: What is done.
        words: What there is afterwards, such as `group student`.
        argument: Channel and address; empty for other deeds.
    """

    deed: Deed
    words: str
    argument: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done for somebody.

    Attributes:
        newcomer: They, checked.
        steps: In this order; none where nothing is missing.
        notes: Sentences on what is taken as it is.
    """

    newcomer: Newcomer
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()


class People:
    """Adds people."""

    def __init__(
        self,
        *,
        accounts: AccountKeeper,
        memberships: Memberships,
        addresses: Addresses,
        policy: PolicySource,
        audit: Audit,
    ) -> None:
        self._accounts = accounts
        self._memberships = memberships
        self._addresses = addresses
        self._policy = policy
        self._audit = audit

    def plan(self, newcomer: Newcomer) -> Plan:
        """What is missing for somebody. Nothing is done.

        Raises:
            InvalidRequest: A name, a group or an address cannot be so.
            NotFound: There is no such group.
            Conflict: The name is somebody else's.
            Forbidden: It is a system account's.
            Unavailable: Something cannot be read.
        """
        full_name = check_full_name(newcomer.full_name)
        entry = self._accounts.find(newcomer.name)
        _check_name(newcomer, entry, full_name)
        if not full_name and entry is not None:
            full_name = entry.full_name
        notes: list[str] = []
        steps = [
            *self._account_steps(newcomer, entry, notes),
            *self._group_steps(newcomer, entry, notes),
            *self._address_steps(newcomer),
        ]
        return Plan(replace(newcomer, full_name=full_name), tuple(steps), tuple(notes))

    def carry_out(self, plan: Plan, by: str) -> None:
        """Do what is planned; what cannot be audited is not done.

        Raises:
            DS01Error: A step failed; those before it are done, and the next plan has the rest.
        """
        if not plan.steps:
            return
        user = plan.newcomer.name
        details = {"by": by, "steps": [each.words for each in plan.steps]}
        self._audit.write(
            "user.add", user=user, resource=user, interface=INTERFACE, details=details
        )
        deeds = self._deeds(plan.newcomer)
        for step in plan.steps:
            try:
                deeds[step.deed](step)
            except DS01Error as exc:
                self._audit.write(
                    "user.add",
                    user=user,
                    resource=user,
                    interface=INTERFACE,
                    outcome="failed",
                    reason=str(exc),
                    details={"by": by, "steps": [step.words]},
                )
                raise

    def _deeds(self, who: Newcomer) -> Mapping[Deed, Callable[[Step], None]]:
        accounts = self._accounts
        return {
            Deed.ACCOUNT: lambda _: accounts.create(
                who.name, who.full_name, create_home=who.create_home
            ),
            Deed.OPEN: lambda _: accounts.open(who.name),
            Deed.HOME: lambda _: accounts.make_home(who.name),
            Deed.FOLDERS: lambda step: accounts.make_folders(who.name, step.argument),
            Deed.GROUP: lambda _: self._memberships.move(who.name, who.group, who.full_name),
            Deed.ADDRESS: lambda step: self._addresses.put(who.name, *step.argument),
        }

    def _account_steps(
        self, who: Newcomer, entry: AccountEntry | None, notes: list[str]
    ) -> Sequence[Step]:
        if who.hub_only:
            return ()
        if entry is None:
            return self._new_account(who, notes)
        steps = []
        if not entry.is_local:
            notes.append(
                f"The account {who.name} (uid {entry.uid}) is a directory's; it is taken as it is."
            )
        if entry.is_closed:
            steps.append(Step(Deed.OPEN, "account opened again"))
        if not who.create_home:
            return steps
        if self._accounts.has_home(who.name):
            missing = self._accounts.missing_folders(who.name, WORKSPACE)
            steps += [_folders(missing)] if missing else []
        elif entry.is_local:
            steps += [Step(Deed.HOME, f"home {entry.home}"), _folders(WORKSPACE)]
        else:
            notes.append(
                f"The home {entry.home} does not exist yet, so no container can be started. It is"
                " made where homes are: often at the first login."
            )
        return steps

    def _new_account(self, who: Newcomer, notes: list[str]) -> Sequence[Step]:
        if self._accounts.has_group(who.name):
            raise Conflict(
                f"There is a Unix group {who.name}, and an account has a group of its own.",
                "Take another name.",
            )
        home, taken = self._accounts.home_of_new(who.name)
        if taken and who.create_home:
            raise Conflict(
                f"{home} exists, and no account is called {who.name}.",
                "See whose it is and move it away, or add them with --no-create-home.",
            )
        notes.append(
            f"The account has no password: set one with passwd {who.name}, if one is used."
        )
        account = Step(Deed.ACCOUNT, "Unix account")
        if not who.create_home:
            notes.append(f"{home} must be made and given to {who.name} before a container starts.")
            return (account,)
        return (Step(Deed.ACCOUNT, f"Unix account with home {home}"), _folders(WORKSPACE))

    def _group_steps(
        self, who: Newcomer, entry: AccountEntry | None, notes: list[str]
    ) -> Sequence[Step]:
        if who.group is None:
            return ()
        policy = self._policy.current()
        if who.group not in policy.groups:
            raise NotFound(
                f"The policy has no group {who.group!r}.",
                f"Its groups: {', '.join(policy.groups)}.",
            )
        unix_groups = () if entry is None else entry.groups
        others = [
            each
            for each in policy.memberships(who.name, (), unix_groups)
            if each.group != who.group and each.source is not MemberSource.DEFAULT
        ]
        filed = dict(self._memberships.of(who.name))
        elsewhere = sorted(set(filed) - {who.group})
        if elsewhere and not who.may_move:
            raise Conflict(
                f"{who.name} is in the group {elsewhere[0]} ({filed[elsewhere[0]]}).",
                f"To move them: ds01 admin user add {who.name} --group {who.group}",
            )
        left = [each for each in others if each.source is not MemberSource.FILE]
        notes += _winners(policy, who, left)
        if who.group in filed and not elsewhere:
            return ()
        if not elsewhere and self._is_listed(policy, who):
            return ()
        # Raises where a line of such a file cannot hold the name.
        with_member(MembersFile(who.group, f"{who.group}{SUFFIX}", ""), who.name)
        moved = f" (was {', '.join(elsewhere)})" if elsewhere else ""
        return (Step(Deed.GROUP, f"group {who.group}{moved}"),)

    @staticmethod
    def _is_listed(policy: Policy, who: Newcomer) -> bool:
        return any(
            each.group == who.group and each.source is MemberSource.POLICY
            for each in policy.memberships(who.name)
        )

    def _address_steps(self, who: Newcomer) -> Sequence[Step]:
        if not who.notify:
            return ()
        channel, address = channel_of(who.notify, self._addresses.channels())
        if self._addresses.of(who.name).get(channel) == address:
            return ()
        return (Step(Deed.ADDRESS, f"address {address} ({channel})", (channel, address)),)


def _check_name(who: Newcomer, entry: AccountEntry | None, full_name: str) -> None:
    if entry is None:
        if who.hub_only:
            check_user(who.name)
        else:
            check_login_name(who.name)
        return
    if not entry.is_person:
        raise Forbidden(f"{who.name} is a system account (uid {entry.uid}).", "Take another name.")
    if who.hub_only:
        raise Conflict(f"{who.name} has a Unix account (uid {entry.uid}).", "Leave --hub-only out.")
    # A directory writes names its own way: "Liddell, Alice".
    differs = full_name and entry.full_name and not same_full_name(full_name, entry.full_name)
    if entry.is_local and differs:
        raise Conflict(
            f"The account {who.name} (uid {entry.uid}) is {entry.full_name}'s, not {full_name}'s.",
            f"Take another name for {full_name}, or leave the full name out if it is the same"
            " person.",
        )


def _folders(names: Sequence[str]) -> Step:
    return Step(Deed.FOLDERS, " and ".join(f"~/{name}" for name in names), tuple(names))


def _winners(policy: Policy, who: Newcomer, others: Sequence[Membership]) -> Sequence[str]:
    assert who.group is not None  # noqa: S101 - narrows the type
    rank = policy.groups.index
    above = [each for each in others if rank(each.group) < rank(who.group)]
    return [
        f"{who.name} is in {each.group} as well ({each}), and that group comes first."
        for each in above
    ]
