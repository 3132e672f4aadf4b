"""One person's limits, resolved from a valid policy, each value with its origin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ds01_spawner.domain.attribution import WorkloadClass
from ds01_spawner.domain.bare_metal import BareMetalPolicy
from ds01_spawner.domain.exemption import Exemption
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.unmanaged import CLASSES, UnmanagedPolicy
from ds01_spawner.policy.document import Document
from ds01_spawner.policy.layers import (
    BUILT_IN,
    BUILT_IN_LAYER,
    KEYS,
    Layer,
    Setting,
    Value,
    in_order,
    lay,
    said,
    to_limits,
    with_settings,
)
from ds01_spawner.policy.models import LimitsSection, PolicyFile
from ds01_spawner.policy.yaml_reader import KeyPath


class MemberSource(StrEnum):
    """What makes somebody a member of a group, the stronger first."""

    POLICY = "members"
    FILE = "members file"
    HUB = "JupyterHub group"
    UNIX = "Unix group"
    DEFAULT = "default_group"


_SOURCE_RANK = {source: rank for rank, source in enumerate(MemberSource)}


@dataclass(frozen=True, slots=True)
class Membership:
    """Somebody is in a group, and why.

    Attributes:
        group: The group.
        source: What says so.
        place: `file:line` where it says so; empty for groups of the hub and of the host.
    """

    group: str
    source: MemberSource
    place: str = ""

    def __str__(self) -> str:
        return f"{self.source.value} ({self.place})" if self.place else self.source.value


@dataclass(frozen=True, slots=True)
class ResolvedValue:
    """A limit, and where it comes from.

    Attributes:
        value: `None` is unlimited, or never.
        origin: `user`, `group:<name>`, `defaults` or `builtin`.
        source: `file:line`, or `None` for a built-in value.
    """

    value: Value
    origin: str
    source: str | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that decides what one person may use.

    Attributes:
        user: The person.
        memberships: Their groups, the one that wins first.
        reason: Why they have limits of their own, as the file says; empty when it does not.
        limits: Every limit by dotted key.
        exemptions: The exemptions that the person has, expired ones too.
    """

    user: str
    memberships: tuple[Membership, ...]
    reason: str
    limits: Mapping[str, ResolvedValue]
    exemptions: tuple[Exemption, ...] = ()

    @property
    def group(self) -> str | None:
        """The group that wins, or `None` where only the defaults apply."""
        return self.memberships[0].group if self.memberships else None


class Policy:
    """A valid policy file with its members files and exemptions.

    Never changes; safe to share between threads.

    Attributes:
        exemptions: Every exemption, expired ones too, in the order of their file.
        unmanaged: What is done about work on GPUs that was started past the platform.
        bare_metal: Who may be granted access to the GPUs outside of containers.
    """

    def __init__(
        self,
        document: Document,
        file: PolicyFile,
        listed: Mapping[str, Sequence[Membership]],
        exemptions: tuple[Exemption, ...] = (),
    ) -> None:
        """Take what `loading.load_policy` has checked; call that instead."""
        self.exemptions = exemptions
        self._document = document
        self._users = file.users
        self._default_group = file.default_group
        self._listed = listed
        top = {
            key: Setting(value, "defaults", document.line(tuple(key.split("."))))
            for key, value in said(file).items()
        }
        defaults = self._layer(file.defaults, ("defaults",), "defaults") | top
        self._defaults = lay(BUILT_IN_LAYER, defaults)
        # A group that does not say its priority has that of the defaults, and passes it on.
        unsaid = {"priority": self._defaults["priority"]}
        self._groups = {
            name: unsaid | self._layer(section, ("groups", name), f"group:{name}")
            for name, section in file.groups.items()
        }
        self._rank = {
            name: -int(layer["priority"].value or 0)  # type: ignore[arg-type]
            for name, layer in self._groups.items()
        }
        self._resolved: dict[tuple[str, ...], tuple[Layer, Limits]] = {}
        section = file.unmanaged
        self.unmanaged = UnmanagedPolicy(
            responses={kind: getattr(section, kind.value) for kind in CLASSES},
            grace=section.grace,
            spare=section.spare,
        )
        self.bare_metal = BareMetalPolicy(file.bare_metal.max_duration, file.bare_metal.groups)

    @property
    def groups(self) -> tuple[str, ...]:
        """Every group, the highest priority first."""
        return tuple(sorted(self._groups, key=lambda name: (self._rank[name], name)))

    @property
    def users(self) -> tuple[str, ...]:
        """Everybody whom the policy names: in `users`, in `members` or in a members file."""
        return tuple(sorted({*self._users, *self._listed}))

    def limits(
        self, user: str, hub_groups: Sequence[str] = (), unix_groups: Sequence[str] = ()
    ) -> Limits:
        """What `user` may use."""
        groups = tuple(each.group for each in self.memberships(user, hub_groups, unix_groups))
        settings, limits = self._of_groups(groups)
        if user not in self._users:
            return limits
        own = self._own(user)
        if "memory" in own or "memory_swap" in own:
            laid = lay(settings, own)
            own |= {key: laid[key] for key in ("memory", "memory_swap")}
        return with_settings(limits, own)

    def explain(
        self, user: str, hub_groups: Sequence[str] = (), unix_groups: Sequence[str] = ()
    ) -> Explanation:
        """What `user` may use, and why: the same values as `limits`."""
        memberships = self.memberships(user, hub_groups, unix_groups)
        settings, _ = self._of_groups(tuple(each.group for each in memberships))
        reason = ""
        if user in self._users:
            settings = lay(settings, self._own(user))
            reason = self._users[user].reason or ""
        limits = {key: self._value(setting) for key, setting in in_order(settings).items()}
        exemptions = tuple(each for each in self.exemptions if each.user == user)
        return Explanation(user, memberships, reason, limits, exemptions)

    def setting(self, user: str, hub_groups: Sequence[str], key: str) -> ResolvedValue:
        """What `explain` says of one dotted key, such as `container_types.hub.idle_timeout`.

        A timeout that nobody sets for an origin is the person's own.

        Raises:
            KeyError: There is no such key.
        """
        groups = tuple(each.group for each in self.memberships(user, hub_groups))
        settings, _ = self._of_groups(groups)
        if user in self._users:
            settings = lay(settings, self._own(user))
        if key not in settings and key in KEYS:
            key = key.rpartition(".")[2]
        return self._value(settings[key])

    def unmanaged_setting(self, kind: WorkloadClass) -> ResolvedValue:
        """What is done about work of one class, and where that is said."""
        key = "unmanaged", kind.value
        line = self._document.lines.get(key)
        value = self.unmanaged.responses[kind].value
        if line is None:
            return ResolvedValue(value, BUILT_IN, None)
        return ResolvedValue(value, "defaults", f"{self._document.path}:{line}")

    def memberships(
        self, user: str, hub_groups: Sequence[str] = (), unix_groups: Sequence[str] = ()
    ) -> tuple[Membership, ...]:
        """The groups of `user`, the one that wins first.

        All four sources count. The higher priority wins; between equals the stronger source,
        then the name, so that the order of the file decides nothing.
        """
        found = self._listed.get(user, ())
        if hub_groups or unix_groups:
            known = {each.group for each in found}
            extra = list(found)
            for source, names in (
                (MemberSource.HUB, hub_groups),
                (MemberSource.UNIX, unix_groups),
            ):
                for name in names:
                    if name in self._groups and name not in known:
                        known.add(name)
                        extra.append(Membership(name, source))
            found = extra
        if not found and self._default_group is not None:
            line = self._document.line(("default_group",))
            place = f"{self._document.path}:{line}"
            return (Membership(self._default_group, MemberSource.DEFAULT, place),)
        if len(found) > 1:
            return tuple(
                sorted(
                    found,
                    key=lambda each: (
                        self._rank[each.group],
                        _SOURCE_RANK[each.source],
                        each.group,
                    ),
                )
            )
        return tuple(found)

    def _of_groups(self, groups: tuple[str, ...]) -> tuple[Layer, Limits]:
        if (known := self._resolved.get(groups)) is None:
            settings: Layer = self._defaults
            for name in reversed(groups):
                settings = lay(settings, self._groups[name])
            known = settings, to_limits(settings, groups[0] if groups else None)
            self._resolved[groups] = known
        return known

    def _own(self, user: str) -> dict[str, Setting]:
        return self._layer(self._users[user], ("users", user), "user")

    def _layer(self, section: LimitsSection, path: KeyPath, origin: str) -> dict[str, Setting]:
        line = self._document.line
        return {
            key: Setting(value, origin, line((*path, *key.split("."))))
            for key, value in said(section).items()
        }

    def _value(self, setting: Setting) -> ResolvedValue:
        source = None if setting.line is None else f"{self._document.path}:{setting.line}"
        return ResolvedValue(setting.value, setting.origin, source)
