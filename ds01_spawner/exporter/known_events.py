"""What is counted of the event log from 0 on: Prometheus sees no growth in a row that begins at 1.

Each name is one that the platform writes; what is none of these has a row from its first event on.
"""

from types import MappingProxyType

from ds01_spawner.domain.unmanaged import CLASSES

_VERBS = MappingProxyType(
    {
        "bare_metal": "expire grant reopen revoke warn",
        "cleanup": "cgroup conflict idle orphan reservation runtime stale ticket",
        "clock": "jump",
        "container": "connect copy create disconnect exec exit extend kill pause remove rename"
        " restart start stop tunnel unpause update",
        "doors": "fix undo",
        "events": "left_out",
        "gpu": "allocate conflict hold queue reject release unattributed unqueue",
        "image": "build commit delete import pull tag",
        "isolation": "off on trouble",
        "lifecycle": "signal stop trouble warn",
        "network": "create remove",
        "notice": "failed sent",
        "policy": "invalid reload",
        "quota": "reject restore update",
        "request": "reject",
        "server": "spawn start stop",
        "ssh_key": "add remove",
        "storage": "full warn",
        "user": "add remove",
        "volume": "create remove",
        "workload": "found stop warn",
    }
)
ACTIONS = tuple(f"{what}.{verb}" for what, verbs in _VERBS.items() for verb in verbs.split())

LIFECYCLE = ("lifecycle.", "cleanup.", "gpu.hold", "gpu.release", "workload.")
"""What the lifecycle service does: beginnings of actions."""

_RULES = MappingProxyType(
    {
        "cleanup.idle": ("idle_timeout",),
        "cleanup.runtime": ("max_runtime",),
        "cleanup.conflict": ("slot_conflict",),
        "lifecycle.stop": ("idle_timeout", "max_runtime", "slot_conflict"),
        "lifecycle.warn": ("idle_timeout", "max_runtime", "slot_conflict"),
        "workload.stop": tuple(kind.value for kind in CLASSES),
    }
)
LIFECYCLE_ACTIONS = tuple(
    (action, rule)
    for action in ACTIONS
    if action.startswith(LIFECYCLE)
    for rule in _RULES.get(action, ("",))
)
"""Each with the last part of the rule's key; nothing where no rule says so."""

_CAUSES = MappingProxyType(
    {
        "ready": ("",),
        "refused": (
            *("max_gpu_slots", "max_gpu_slots_per_container", "max_gpu_equivalents"),
            *("max_containers_per_user", "storage"),
            *("capacity", "forbidden", "invalid", "quota", "request"),
        ),
        "failed": ("", "not_ready", "not_found", "conflict", "policy", "unavailable", "error"),
        "cancelled": ("cancelled",),
    }
)
SPAWNS = tuple((end, cause) for end, causes in _CAUSES.items() for cause in causes)
"""How starts end, and why."""
