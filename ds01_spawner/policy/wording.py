"""Limits as people read them, and as programs do."""

from datetime import timedelta
from pathlib import PurePath

from ds01_spawner.domain.labels import format_timestamp
from ds01_spawner.domain.units import format_duration, format_size
from ds01_spawner.domain.wording import length, size
from ds01_spawner.policy.exemptions import RULES
from ds01_spawner.policy.layers import BUILT_IN, DURATION_KEYS, SHARE_KEYS, SIZE_KEYS, Value
from ds01_spawner.policy.resolution import Explanation, ResolvedValue

_NO_END = ("gpu_hold_after_stop", "container_hold_after_stop", "keep_alive_max")
"""Keys that say how long something stays: of these, `null` is without end."""


def in_words(key: str, value: Value) -> str:
    """A limit as the policy file would say it; `unlimited`, `never` or `none` for `None`."""
    if value is None:
        return _nothing(key)
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key in SIZE_KEYS:
        return format_size(int(value))
    if key in SHARE_KEYS:
        return f"{value * 100:g}%"
    return f"{value:g}" if isinstance(value, float) else str(value)


def for_people(key: str, value: Value) -> str:
    """The same as people say it: `32 GB`, `24 hours`, `5 %`."""
    if isinstance(value, timedelta):
        return length(value)
    if value is not None and key in SIZE_KEYS:
        return size(int(value))
    if value is not None and key in SHARE_KEYS:
        return f"{value * 100:g} %"
    return in_words(key, value)


def _nothing(key: str) -> str:
    if key == "policies.checkpoint_signal":
        return "none"
    ends = key in DURATION_KEYS and not key.endswith(_NO_END)
    return "never" if ends else "unlimited"


def in_json(value: Value) -> float | str | None:
    """A limit as a JSON value: durations in seconds, sizes in bytes, `None` for unlimited."""
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return int(seconds) if seconds.is_integer() else seconds
    return value


def origin_in_words(resolved: ResolvedValue, user: str) -> str:
    """Where a limit of `user` is set, for any reader.

    `group student, resource-limits.yaml line 31`; `user alice, …`; `the defaults, …`; `built in`.
    """
    said_by = {"user": f"user {user}", "defaults": "the defaults", BUILT_IN: "built in"}
    origin = said_by.get(resolved.origin) or resolved.origin.replace("group:", "group ", 1)
    if resolved.source is None:
        return origin
    path, _, line = resolved.source.rpartition(":")
    return f"{origin}, {PurePath(path).name} line {line}"


def explanation_to_json(explanation: Explanation) -> dict[str, object]:
    """What `ds01 policy explain --json` prints; `exemptions` only for who has some."""
    shown = _limits_to_json(explanation)
    if explanation.exemptions:
        shown["exemptions"] = [
            {
                "container": each.container,
                "exempt_from": [rule.value for rule in RULES if rule in each.rules],
                "until": format_timestamp(each.until),
                "reason": each.reason,
                "source": each.source,
            }
            for each in explanation.exemptions
        ]
    return shown


def _limits_to_json(explanation: Explanation) -> dict[str, object]:
    return {
        "user": explanation.user,
        "group": explanation.group,
        "groups": [membership.group for membership in explanation.memberships],
        "limits": {
            key: {
                "value": in_json(resolved.value),
                "origin": resolved.origin,
                "source": resolved.source,
            }
            for key, resolved in explanation.limits.items()
        },
    }
