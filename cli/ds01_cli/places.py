"""Where the configuration is, without loading the platform: help and checks have to be quick."""

import os
from pathlib import Path


def config_directory() -> Path:
    """`DS01_CONFIG_DIR`, or /etc/ds01."""
    return Path(os.environ.get("DS01_CONFIG_DIR") or "/etc/ds01")
