"""Where this machine's files are, without loading the platform: checks have to be quick."""

import os
from pathlib import Path


def config_directory() -> Path:
    """`DS01_CONFIG_DIR`, or /etc/ds01."""
    return Path(os.environ.get("DS01_CONFIG_DIR") or "/etc/ds01")


def platform_is_open() -> bool:
    """Whether the platform's own files are here, and open to whoever asks."""
    said = os.environ.get("DS01_STATE_DIR")
    state = Path(said or "/var/lib/ds01")
    mine = os.R_OK | os.W_OK | os.X_OK
    if said and not os.access(state, os.F_OK):
        return os.access(state.parent, mine)  # it is made when it is needed
    return os.access(state, mine)


def event_log() -> Path:
    """The audit log."""
    state = os.environ.get("DS01_STATE_DIR")
    return Path(state) / "events.jsonl" if state else Path("/var/log/ds01/events.jsonl")


def policy_file() -> Path:
    """The policy of this machine."""
    return config_directory() / "resource-limits.yaml"
