"""Files of the OpenSSH client: how it gets to containers, and which keys they must show. Pure."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import quote

SUFFIX = ".ds01"
"""Ends the host names of containers: `thesis.ds01`."""

_MARK = "# Containers of DS01: ds01 ssh-config --remove takes these two lines out again."
_INCLUDE = re.compile(r"\s*include\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SshClient:
    """What the client is told.

    Attributes:
        program: The `ds01` program, with its folder.
        user: The name to log in with.
        identity: The private key.
        known_hosts: The file with the keys that containers must show.
    """

    program: str
    user: str
    identity: str
    known_hosts: str


def host_of(name: str) -> str:
    """The host name of a container."""
    return name if name.endswith(SUFFIX) else f"{name}{SUFFIX}"


def container_of(host: str) -> str:
    """The container of a host name, or of what somebody typed in its place."""
    return host.removesuffix(SUFFIX)


def ssh_config(client: SshClient) -> str:
    """The file for all containers; it stays right when containers come and go."""
    return (
        f"# Made by ds01 ssh-config, and made anew by it: changes are lost.\n{host_block(client)}"
    )


def to_copy(user: str) -> str:
    """Lines for the file `~/.ssh/config` of a computer with Linux or macOS that has `ds01`.

    Args:
        user: The name to log in with.
    """
    return host_block(SshClient("ds01", user, "~/.ssh/id_ed25519", "~/.ssh/ds01_known_hosts"))


def editor_link(host: str, folder: str, scheme: str = "vscode") -> str:
    """An address that opens a folder of a container in an editor."""
    return f"{scheme}://vscode-remote/ssh-remote+{host}{quote(folder)}"


def host_block(client: SshClient) -> str:
    """What `ssh` is told about all containers."""
    program, known = _word(client.program), _word(client.known_hosts)
    # A shell reads the line, and the host is what somebody typed; cmd.exe knows no such quotes.
    host = "%h" if os.name == "nt" else "'%h'"
    proxy = f"{program} ssh-proxy --known-hosts {known} {host}"
    return f"""\
Host *{SUFFIX}
    ProxyCommand {proxy}
    User {client.user}
    IdentityFile {_word(client.identity)}
    IdentitiesOnly yes
    UserKnownHostsFile {_word(client.known_hosts)}
    GlobalKnownHostsFile none
    HostKeyAlgorithms ssh-ed25519
    StrictHostKeyChecking yes
    UpdateHostKeys no
    CheckHostIP no
    ForwardAgent no
    ForwardX11 no
    ServerAliveInterval 30
    ServerAliveCountMax 4
"""


def known_hosts(keys: Sequence[str]) -> str:
    """The file that says which keys containers must show."""
    return "".join(f"*{SUFFIX} {key}\n" for key in keys)


def with_include(config: str, file: str) -> str:
    """The person's own configuration, with `file` included; unchanged where it is already.

    At the top: below a `Host` it would count for that host alone.
    """
    if any(_includes(line, file) for line in config.splitlines()):
        return config
    return f"{_MARK}\nInclude {_word(file)}\n{'' if not config else chr(10)}{config}"


def without_include(config: str, file: str) -> str:
    """The person's own configuration as it was before `with_include`."""
    lines = config.splitlines(keepends=True)
    kept: list[str] = []
    gap = False
    for line in lines:
        if line.strip() == _MARK:
            continue
        if _includes(line, file):
            gap = True
            continue
        if not (gap and not line.strip()):
            kept.append(line)
        gap = False
    return "".join(kept)


def _includes(line: str, file: str) -> bool:
    begin = _INCLUDE.match(line)
    return begin is not None and line[begin.end() :].strip().strip('"') == file


def _word(path: str) -> str:
    """A path as one word, whatever is in it; `%` begins something else there."""
    text = str(PurePath(path)).replace("%", "%%")
    return f'"{text}"' if re.search(r"[^\w@%+=:,./~-]", text) else text
