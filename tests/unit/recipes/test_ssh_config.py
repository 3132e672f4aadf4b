import subprocess
from pathlib import Path

import pytest

from ds01_spawner.recipes.ssh_config import (
    SshClient,
    container_of,
    host_of,
    known_hosts,
    ssh_config,
    with_include,
    without_include,
)

CLIENT = SshClient("/opt/ds01", "alice", "/home/alice/key", "/home/alice/known_hosts")
FILE = "/home/alice/.config/ds01/ssh_config"


def said(config: str, folder: Path, host: str) -> dict[str, str]:
    """What the real client makes of it."""
    file = folder / "config"
    file.write_text(config)
    command = ["ssh", "-G", "-F", str(file), host]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


def test_openssh_understands_it(tmp_path: Path) -> None:
    told = said(ssh_config(CLIENT), tmp_path, "thesis.ds01")
    proxy = "/opt/ds01 ssh-proxy --known-hosts /home/alice/known_hosts '%h'"
    assert told["proxycommand"] == proxy
    assert (told["user"], told["identityfile"]) == ("alice", "/home/alice/key")
    assert told["stricthostkeychecking"] == "true"
    assert told["userknownhostsfile"] == "/home/alice/known_hosts"
    assert (told["forwardagent"], told["identitiesonly"]) == ("no", "yes")
    assert "proxycommand" not in said(ssh_config(CLIENT), tmp_path, "example.org")


def test_odd_paths_are_one_word(tmp_path: Path) -> None:
    odd = SshClient("/opt/my ds01", "alice", "/home/a b/100%/key", "/home/a b/known")
    told = said(ssh_config(odd), tmp_path, "x.ds01")
    assert told["identityfile"].replace("%%", "%") == "/home/a b/100%/key"
    assert told["userknownhostsfile"].strip('"') == "/home/a b/known"
    assert told["proxycommand"].startswith('"/opt/my ds01" ssh-proxy')


def test_names_and_hosts() -> None:
    assert host_of("thesis") == host_of("thesis.ds01") == "thesis.ds01"
    assert container_of("thesis.ds01") == container_of("thesis") == "thesis"


def test_every_container_must_show_the_same_key() -> None:
    assert known_hosts(["ssh-ed25519 AAAA"]) == "*.ds01 ssh-ed25519 AAAA\n"


OWN = ["", "Host a\n    User b\n", "# mine\n\nHost *\n", "Include other\n", "\n\nHost x", "\r\n"]


@pytest.mark.parametrize("config", OWN)
def test_the_line_goes_in_once_at_the_top_and_comes_out_without_a_trace(config: str) -> None:
    changed = with_include(config, FILE)
    assert changed.splitlines()[1] == f"Include {FILE}"
    assert with_include(changed, FILE) == changed
    assert without_include(changed, FILE) == config
    assert without_include(config, FILE) == config


def test_a_line_of_ones_own_counts() -> None:
    own = f'Host a\n\ninclude "{FILE}"\n'
    assert with_include(own, FILE) == own
