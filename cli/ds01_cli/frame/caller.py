"""Who typed the command."""

import os


def is_root() -> bool:
    """Whether it runs as root; nobody does where there is none."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def caller() -> str:
    """The login name of whoever typed the command: under sudo, not root's."""
    if is_root() and (name := os.environ.get("SUDO_USER")):
        return name
    try:
        import pwd  # noqa: PLC0415 - Windows has none

        return pwd.getpwuid(os.getuid()).pw_name
    except ImportError:
        return os.environ.get("USERNAME", "")
    except KeyError:
        return str(os.getuid())
