"""Limits as layers of dotted keys: what one part of the file says, and nothing else.

Layers are laid on one another from the built-in values up to the user's own; the nearer one wins,
key by key.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from ds01_spawner.domain.limits import LifecycleOverride, Limits
from ds01_spawner.policy.models import (
    AggregateSection,
    ContainerTypesSection,
    GroupSection,
    LifecycleSection,
    LimitsSection,
    PoliciesSection,
    PolicyFile,
    UserSection,
)

Value = float | timedelta | str | None
"""A limit: a number, a flag, bytes, a share, a time, a word, or unlimited."""

BUILT_IN = "builtin"

_NOT_LIMITS = (GroupSection.model_fields.keys() | UserSection.model_fields.keys()) - (
    LimitsSection.model_fields.keys()
)
_AGGREGATE = tuple(AggregateSection.model_fields)
_POLICIES = tuple(PoliciesSection.model_fields)
_LIFECYCLE = tuple(LifecycleSection.model_fields)
_SECTIONS = frozenset({"aggregate", "policies", "container_types"})
_PLAIN = (
    "priority",
    *(
        name
        for name in LimitsSection.model_fields
        if name not in {*_LIFECYCLE, *_SECTIONS, "priority"}
    ),
    *_LIFECYCLE,
)
_ATTRIBUTES = {
    "memory": "memory_bytes",
    "memory_swap": "memory_swap_bytes",
    "memory_high": "memory_high_bytes",
    "shm_size": "shm_size_bytes",
    "storage": "storage_bytes",
    "max_image_size": "max_image_size_bytes",
    "network_idle_threshold": "network_idle_threshold_bytes",
}
"""Keys that the domain calls otherwise, because there a number needs its unit in its name."""

SIZE_KEYS = frozenset(
    {
        *("memory", "memory_swap", "shm_size", "storage", "max_image_size"),
        *("io_read_bps", "io_write_bps"),
        *("aggregate.memory", "aggregate.memory_high", "policies.network_idle_threshold"),
    }
)
SHARE_KEYS = frozenset(
    f"policies.{name}"
    for name in _POLICIES
    if name.endswith(("_threshold", "_reduction")) and not name.startswith("network")
)
DURATION_KEYS = (
    frozenset(_LIFECYCLE)
    | {
        f"container_types.{kind}.{name}"
        for kind in ContainerTypesSection.model_fields
        for name in _LIFECYCLE
    }
    | {
        f"policies.{name}"
        for name in ("startup_grace", "sigterm_grace", "keep_alive_max", "min_warning_lead")
    }
)

KEYS = (
    *_PLAIN,
    *(f"aggregate.{name}" for name in _AGGREGATE),
    *(f"policies.{name}" for name in _POLICIES),
    *(
        f"container_types.{kind}.{name}"
        for kind in ContainerTypesSection.model_fields
        for name in _LIFECYCLE
    ),
)
"""Every key, in the order in which people are shown them."""

_ORDER = {key: place for place, key in enumerate(KEYS)}


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and where it comes from.

    Attributes:
        value: The value; `None` is unlimited or never.
        origin: `user`, `group:<name>`, `defaults` or `builtin`.
        line: Line in the policy file, or `None` for a built-in value.
    """

    value: Value
    origin: str
    line: int | None = None


Layer = Mapping[str, Setting]


def said(section: LimitsSection | PolicyFile) -> dict[str, Value]:
    """The limits that a part of the file states, by dotted key."""
    stated: dict[str, Value] = {}
    for name in section.model_fields_set:
        value = getattr(section, name)
        if name == "aggregate" and value is None:
            stated |= {f"aggregate.{key}": None for key in _AGGREGATE}
        elif name == "container_types":
            for kind in value.model_fields_set:
                timeouts = getattr(value, kind)
                for key in timeouts.model_fields_set:
                    stated[f"container_types.{kind}.{key}"] = getattr(timeouts, key)
        elif name in _SECTIONS:
            for key in value.model_fields_set:
                stated[f"{name}.{key}"] = getattr(value, key)
        elif name not in _NOT_LIMITS and name in _ORDER:
            stated[name] = value
    return stated


def lay(below: Layer, above: Layer) -> dict[str, Setting]:
    """`above` on `below`.

    The engine refuses a total of memory and swap that is less than the memory. Where one of the
    two comes from a nearer layer than the other, the nearer one holds and the other follows.
    """
    both = {**below, **above}
    memory, total = both["memory"], both["memory_swap"]
    if total.value is None or (memory.value is not None and memory.value <= total.value):  # type: ignore[operator]
        return both
    if "memory" in above:
        both["memory_swap"] = memory
    elif "memory_swap" in above:
        both["memory"] = total
    return both


def to_limits(settings: Layer, group: str | None) -> Limits:
    """The typed limits of complete settings."""
    return with_settings(replace(_BUILT_IN_LIMITS, group=group), settings)


def with_settings(limits: Limits, settings: Layer) -> Limits:
    """`limits` with every one of `settings` in its place."""
    plain: dict[str, Any] = {}
    aggregate: dict[str, Any] = {}
    policies: dict[str, Any] = {}
    types: dict[str, dict[str, Any]] = {}
    for key, setting in settings.items():
        section, _, name = key.partition(".")
        if not name:
            plain[_ATTRIBUTES.get(key, key)] = setting.value
        elif section == "aggregate":
            aggregate[_ATTRIBUTES.get(name, name)] = setting.value
        elif section == "policies":
            policies[_ATTRIBUTES.get(name, name)] = setting.value
        else:
            kind, _, timeout = name.partition(".")
            types.setdefault(kind, {})[timeout] = setting.value
    if aggregate:
        plain["aggregate"] = replace(limits.aggregate, **aggregate)
    if policies:
        plain["policies"] = replace(limits.policies, **policies)
    if types:
        plain["container_types"] = {
            **limits.container_types,
            **{
                kind: _override(limits.container_types.get(kind), timeouts)
                for kind, timeouts in types.items()
            },
        }
    return replace(limits, **plain)


def in_order(settings: Layer) -> dict[str, Setting]:
    """`settings` in the order in which people are shown them."""
    return dict(sorted(settings.items(), key=lambda item: _ORDER[item[0]]))


def _override(before: LifecycleOverride | None, timeouts: dict[str, Any]) -> LifecycleOverride:
    base = before or LifecycleOverride()
    return replace(base, **timeouts, given=base.given | timeouts.keys())


def _built_in() -> dict[str, Setting]:
    limits = Limits()
    values: dict[str, Value] = {
        name: getattr(limits, _ATTRIBUTES.get(name, name)) for name in _PLAIN
    }
    for name in _AGGREGATE:
        values[f"aggregate.{name}"] = getattr(limits.aggregate, _ATTRIBUTES.get(name, name))
    for name in _POLICIES:
        values[f"policies.{name}"] = getattr(limits.policies, _ATTRIBUTES.get(name, name))
    for kind, override in limits.container_types.items():
        for name in override.given:
            values[f"container_types.{kind}.{name}"] = getattr(override, name)
    return {key: Setting(value, BUILT_IN) for key, value in values.items()}


_BUILT_IN_LIMITS = Limits()
BUILT_IN_LAYER: Layer = _built_in()
"""What holds for keys that the file does not say."""
