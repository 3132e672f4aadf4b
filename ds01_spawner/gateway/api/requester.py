"""Who asks the API, whichever way they came. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ds01_spawner.client.models import Problem, Role
from ds01_spawner.client.problems import problem_of
from ds01_spawner.domain.errors import DS01Error, Forbidden
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.gateway.identity import Caller

MANAGERS = "ds01-manager"
"""Unix group and JupyterHub group of lab managers."""

SOCKET = "socket"
HUB = "hub"

MANAGE_SCOPE = "custom:ds01:manage"
ADMIN_SCOPE = "custom:ds01:admin"
_ADMIN_SCOPES = frozenset({ADMIN_SCOPE, "admin:users"})


@dataclass(frozen=True, slots=True)
class Requester:
    """Somebody whom the kernel or the hub vouches for.

    Attributes:
        user: Login name.
        role: What they may do.
        account: Their Unix account, where the kernel vouches for them; `None` through the hub, and
            for root.
        hub_groups: Their JupyterHub groups; empty on the socket.
        interface: `socket` or `hub`.
    """

    user: str
    role: Role
    account: UnixAccount | None = None
    hub_groups: tuple[str, ...] = ()
    interface: str = HUB

    def may(self, role: Role) -> bool:
        """Whether they may do what `role` may."""
        return self.role.includes(role)

    @property
    def is_administrator(self) -> bool:
        """Whether they are told what is wrong with the platform's own files."""
        return self.may(Role.ADMIN)


def problem_for(requester: Requester | None, error: DS01Error, request_id: str = "") -> Problem:
    """The document that says what `requester` is told of `error`: least where nobody is known."""
    administrator = requester is not None and requester.is_administrator
    return problem_of(error, request_id, administrator=administrator)


def by_kernel(caller: Caller) -> Requester:
    """Who made a connection to the Unix socket."""
    groups = caller.account.groups if caller.account else ()
    role = Role.MANAGER if MANAGERS in groups else Role.STUDENT
    return Requester(
        user=caller.user,
        role=Role.ADMIN if caller.is_admin else role,
        account=caller.account,
        interface=SOCKET,
    )


def by_hub(model: Mapping[str, Any], *, browser: bool) -> Requester:
    """Whom the hub names for a token.

    A browser that somebody logged in with may do what they may. A token may do what its scopes say,
    so that the one in a server, or one that was made for a single purpose, gives no power away.

    Args:
        model: The hub's answer to "who is this token?".
        browser: Whether the token came as the service's own cookie.

    Raises:
        Forbidden: It is no person's.
    """
    if model.get("kind") != "user":
        raise Forbidden(
            "Only people may ask; this token is a service's.", "Ask with a person's token."
        )
    scopes = frozenset(model.get("scopes") or ())
    groups = tuple(str(group) for group in model.get("groups") or ())
    admin = bool(scopes & _ADMIN_SCOPES) or (browser and model.get("admin") is True)
    manager = MANAGE_SCOPE in scopes or (browser and MANAGERS in groups)
    role = Role.MANAGER if manager else Role.STUDENT
    return Requester(
        user=str(model["name"]),
        role=Role.ADMIN if admin else role,
        hub_groups=groups,
        interface=HUB,
    )


def subject_of(requester: Requester, user: str | None, needed: Role) -> str:
    """Whom a request is about: `user`, or whoever asks.

    Args:
        requester: Who asks.
        user: Whom they named, if anybody.
        needed: The role that may name somebody else.

    Raises:
        Forbidden: It is somebody else, and not for them; whether that name exists is not said.
    """
    if user is None or user == requester.user:
        return requester.user
    if not requester.may(needed):
        whose = "lab managers" if needed is Role.MANAGER else "administrators"
        raise Forbidden(f"What belongs to other people is for {whose}.", "Ask for your own.")
    return user
