"""Words that stand for nobody in particular, and what people and groups of these names are called.

A login or a policy group may be such a word. Its rows would be one with those of nobody: so it is
told with what it is before it. No name of a person or a group holds a slash.
"""

OTHER = "other"
"""What is beyond a bound, summed; and who has what a container of another installation has."""

UNKNOWN = "unknown"
"""Whose something is, where that cannot be told; what something is, where nobody says."""

NONE = "none"
"""The group of people whom the policy names nowhere; the interface of what came through none."""

_USERS = frozenset({OTHER, UNKNOWN})
_GROUPS = frozenset({OTHER, NONE})


def user_label(user: str) -> str:
    """What a person is called in the label `user`."""
    return f"user/{user}" if user in _USERS else user


def group_label(group: str) -> str:
    """What a group of the policy is called in the label `group`; `NONE` without one."""
    return f"group/{group}" if group in _GROUPS else group or NONE
