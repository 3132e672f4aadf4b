"""Who may be granted access to the GPUs outside of containers, and what a grant looks like now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from ds01_spawner.domain.attribution import WorkloadClass
from ds01_spawner.domain.bare_metal import BareMetalGrant
from ds01_spawner.domain.errors import (
    Forbidden,
    InvalidRequest,
    NotFound,
    QuotaExceeded,
    Unavailable,
)
from ds01_spawner.domain.notice_text import Limit
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.unmanaged import Response
from ds01_spawner.domain.wording import clean, length
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.policy.wording import origin_in_words
from ds01_spawner.ports import Accounts, PolicySource


@dataclass(frozen=True, slots=True)
class Standing:
    """A grant, and whether the nodes are as it says.

    Attributes:
        grant: Which.
        is_over: Whether it has ended and is about to be taken back.
        nodes: Nodes that the person may open.
    """

    grant: BareMetalGrant
    is_over: bool
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Overview:
    """Who may use the GPUs outside of containers.

    Attributes:
        standings: Every grant, the oldest first.
        strays: Nodes by user id that somebody may open without a grant.
        nodes: All nodes of this machine.
        everybodys: Nodes that everybody may open, so that a grant changes nothing.
    """

    standings: tuple[Standing, ...]
    strays: Mapping[int, tuple[str, ...]]
    nodes: tuple[str, ...]
    everybodys: tuple[str, ...] = ()


def account_to_grant(
    user: str, duration: timedelta, reason: str, policy: Policy, accounts: Accounts
) -> UnixAccount:
    """The account of somebody who may be granted this.

    Raises:
        InvalidRequest: There is no reason, or no time.
        QuotaExceeded: The policy allows no such length.
        NotFound: There is no such account.
        Forbidden: The policy or the account does not allow it.
    """
    section = policy.bare_metal
    if not reason:
        raise InvalidRequest("A grant needs a reason.", "Add --reason, in a few words.")
    if duration <= timedelta(0):
        raise InvalidRequest("A grant needs a length.", "Such as --for 8h.")
    if duration > section.max_duration:
        raise QuotaExceeded(
            f"No grant is longer than {length(section.max_duration)} "
            f"(bare_metal.max_duration); this one would be {length(duration)}.",
            "Grant less, and again later; or raise it in resource-limits.yaml.",
            limit="bare_metal.max_duration",
            used=0,
            asked=duration.total_seconds(),
            allowed=section.max_duration.total_seconds(),
        )
    account = accounts.lookup(user)
    if account is None:
        raise NotFound(f"There is no account {clean(user)} on this machine.")
    if section.groups is not None:
        theirs = {each.group for each in policy.memberships(user, (), account.groups)}
        if not theirs & set(section.groups):
            raise Forbidden(
                f"{user} is in none of the groups that may be granted it "
                f"(bare_metal.groups: {', '.join(section.groups) or 'none'}).",
                "Change that in resource-limits.yaml.",
            )
    return account


def stop_of_rest(source: PolicySource, *, is_main: bool) -> Limit | None:
    """What the policy says of processes outside of containers, where it stops them.

    Args:
        source: The policy.
        is_main: Whether this installation stops what is past the platform.
    """
    try:
        policy = source.current()
    except Unavailable:
        return None
    kind = WorkloadClass.HOST
    if not is_main or policy.unmanaged.responses.get(kind) is not Response.STOP:
        return None
    found = policy.unmanaged_setting(kind)
    return Limit(f"unmanaged.{kind.value}", str(found.value), origin_in_words(found, ""))
