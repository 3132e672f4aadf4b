"""What a computer needs to get into containers: a key, and files for `ssh`."""

import os
import shutil
import stat
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ds01_spawner.client.logins import config_folder
from ds01_spawner.client.whole_files import put_text
from ds01_spawner.domain.errors import DS01Error, InvalidRequest, NotFound, Unavailable
from ds01_spawner.home.folders import IN_A_CONTAINER
from ds01_spawner.recipes import ssh_config as recipe

if TYPE_CHECKING:
    from ds01_spawner.client import Client

_ONLY_MINE = 0o600
_FOLDER_ONLY_MINE = 0o700
_INSTALL = "Install the OpenSSH client (Debian and Ubuntu: apt install openssh-client)."


@dataclass(frozen=True, slots=True)
class Files:
    """Where everything is.

    Attributes:
        config: What `ssh` is told about containers.
        known_hosts: The keys that containers must show.
        identity: The private key that was made for containers.
        own_config: The person's own configuration of `ssh`.
    """

    config: Path
    known_hosts: Path
    identity: Path
    own_config: Path


def files() -> Files:
    """Where everything is, whether it exists or not."""
    folder = config_folder()
    return Files(
        config=folder / "ssh_config",
        known_hosts=folder / "known_hosts",
        identity=folder / "id_ed25519",
        own_config=Path.home() / ".ssh" / "config",
    )


def program(name: str) -> str:
    """The path of a program of OpenSSH.

    Raises:
        NotFound: This computer has none.
    """
    found = shutil.which(name)
    if found is None:
        raise NotFound(f"This computer has no program {name}.", _INSTALL)
    return found


def prepare(client: "Client", identity: Path | None) -> tuple[Files, bool]:
    """Make a key where there is none, add it to one's own, and write what `ssh` reads.

    Args:
        client: Asks the API.
        identity: A private key of one's own to use; by default one that is made for containers.

    Returns:
        Where everything is, and whether the key is new to the API.
    """
    where = files()
    found = client.ssh()  # first: where nobody answers, nothing is made
    key = made_key(where.identity) if identity is None else identity.expanduser().absolute()
    is_new = registered(client, public_line(key))
    text = recipe.ssh_config(
        recipe.SshClient(
            program=str(own_program()),
            user=found.user,
            identity=str(key),
            known_hosts=str(where.known_hosts),
        )
    )
    write(where.known_hosts, recipe.known_hosts(found.host_keys))
    write(where.config, text)
    return where, is_new


def made_key(path: Path) -> Path:
    """A private key without a passphrase, made if it is missing.

    It lies beside the token of `ds01 login`, which is as good as it, and opens containers alone.
    """
    if path.exists() and path.with_suffix(".pub").exists():
        return path
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    public = fresh.with_name(f"{fresh.name}.pub")
    command = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", "ds01", "-f"]
    command.append(str(fresh))
    try:
        path.parent.mkdir(mode=_FOLDER_ONLY_MINE, parents=True, exist_ok=True)
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - its own words
        if done.returncode:
            raise _no_key(path.parent, " ".join(done.stderr.split()) or "ssh-keygen says no more")
        public.replace(path.with_suffix(".pub"))
        fresh.replace(path)
    except OSError as exc:
        raise _no_key(path.parent, exc.strerror or str(exc)) from exc
    finally:
        _forget(fresh, public)
    return path


def _no_key(folder: Path, why: str) -> DS01Error:
    return DS01Error(
        f"No key can be made in {folder}: {why.rstrip('.')}.",
        "Make room; or name a key of your own: ds01 ssh-config --identity FILE",
    )


def _forget(*drafts: Path) -> None:
    for each in drafts:
        with suppress(OSError):
            each.unlink(missing_ok=True)


def public_line(identity: Path) -> str:
    """The public part of a key, as one line.

    Raises:
        InvalidRequest: There is no such key, or no public part beside it.
    """
    path = identity.with_name(f"{identity.name}.pub")
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidRequest(
            f"There is no public key {path}.", "Name the private key whose .pub is beside it."
        ) from exc


def registered(client: "Client", line: str) -> bool:
    """Whether a key had to be added to one's own."""
    wanted = line.split()[:2]
    if any(each.key.split()[:2] == wanted for each in client.ssh_keys().keys):
        return False
    client.add_ssh_key(line)
    return True


def own_program() -> Path:
    """The `ds01` that runs now: editors start it without the PATH of a shell.

    A container shares its home with other machines, on which `ds01` is elsewhere: there it is found
    by its name.
    """
    if os.environ.get(IN_A_CONTAINER):
        return Path("ds01")
    here = Path(sys.argv[0])
    if here.name.startswith("ds01") and here.exists():
        return here.absolute()
    found = shutil.which("ds01")
    return Path(found) if found else Path(sys.executable).with_name("ds01")


def is_included(where: Files) -> bool:
    """Whether one's own `ssh` knows the containers, and so do editors."""
    before = read(where.own_config)
    return recipe.with_include(before, str(where.config)) == before


def include(where: Files) -> None:
    """Let one's own `ssh` read what it needs about containers."""
    before = read(where.own_config)
    write(where.own_config, recipe.with_include(before, str(where.config)))


def leave_out(where: Files) -> bool:
    """Whether one's own configuration had the line; now it has not."""
    before = read(where.own_config)
    after = recipe.without_include(before, str(where.config))
    if after == before:
        return False
    write(where.own_config, after)
    return True


def read(path: Path) -> str:
    """What a file of one's own holds; nothing where there is none."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as exc:
        raise Unavailable(
            f"{path} cannot be read: {exc}.", "It has to be yours, and text in UTF-8."
        ) from exc


def write(path: Path, text: str) -> None:
    """Let a file of one's own hold the text, and be nobody else's; a link stays one."""
    path = Path(os.path.realpath(path))
    try:
        path.parent.mkdir(mode=_FOLDER_ONLY_MINE, parents=True, exist_ok=True)
        put_text(path, text, stat.S_IMODE(path.stat().st_mode) if path.exists() else _ONLY_MINE)
    except OSError as exc:
        raise Unavailable(
            f"{path} cannot be written: {exc.strerror}.",
            f"Make room, or let {path.parent} be yours; then try again.",
        ) from exc
