"""What an image needs so that containers of it have SSH (docs/ssh.md). Pure.

`hub_config/images/starter/Dockerfile` says the same for the starter image.
"""

PACKAGES = ("libnss-extrausers", "openssh-server", "rsync")
"""Of Debian and Ubuntu: a server that nothing starts, and a lookup of who containers belong to."""


def profile(path: str = "$PATH") -> str:
    """The line of /etc/profile.d/ds01.sh: login shells set PATH anew, this puts it back.

    Args:
        path: What it is where no SSH session says it.
    """
    return f"PATH=${{DS01_PATH:-{path}}}"


DEEDS = (
    "rm -f /etc/ssh/ssh_host_*",
    r"sed -i -E 's/^(passwd|group):.*/\1: extrausers files/' /etc/nsswitch.conf",
    "mkdir -p /var/lib/extrausers",
    "ln -sf /run/ds01/ssh/passwd /run/ds01/ssh/group /var/lib/extrausers/",
)
"""Shell commands, after the packages are installed."""
