"""Limits as people read them, and as programs do."""

from datetime import timedelta

from ds01_spawner.domain.units import format_duration, format_size
from ds01_spawner.policy.layers import DURATION_KEYS, SHARE_KEYS, SIZE_KEYS, Value
from ds01_spawner.policy.resolution import Explanation


def in_words(key: str, value: Value) -> str:
    """A limit as the policy file would say it; `unlimited` or `never` for `None`."""
    if value is None:
        return "never" if key in DURATION_KEYS else "unlimited"
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key in SIZE_KEYS:
        return format_size(int(value))
    if key in SHARE_KEYS:
        return f"{value * 100:g}%"
    return f"{value:g}" if isinstance(value, float) else str(value)


def in_json(value: Value) -> float | None:
    """A limit as a JSON value: durations in seconds, sizes in bytes, `None` for unlimited."""
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        return int(seconds) if seconds.is_integer() else seconds
    return value


def explanation_to_json(explanation: Explanation) -> dict[str, object]:
    """What `ds01 policy explain --json` prints."""
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
