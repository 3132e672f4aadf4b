"""People with Unix accounts, made for the tests and kept: making them takes a moment."""

import grp
import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ds01_spawner.adapters.accounts import UnixAccounts
from ds01_spawner.adapters.staged_binds import KernelBindStage
from ds01_spawner.domain.person import UnixAccount

ALICE, BOB = "ds01-test-alice", "ds01-test-bob"
CAROL, DORA = "ds01-test-carol", "ds01-test-dora"
SHARED_GROUP = "ds01-test-both"
_FIRST_ID = 47001
OWN_FOLDER = "ds01-test-"
"""So begin the names of folders in people's homes, of tests that may run beside."""


def unix_person(name: str) -> UnixAccount:
    """The account of `ALICE`, `BOB`, `CAROL` or `DORA`, with a home that nobody else may enter."""
    try:
        grp.getgrnam(SHARED_GROUP)
    except KeyError:
        _run("groupadd", "--gid", str(_FIRST_ID - 1), SHARED_GROUP)
    try:
        pwd.getpwnam(name)
    except KeyError:
        number = str(_FIRST_ID + [ALICE, BOB, CAROL, DORA].index(name))
        _run("groupadd", "--gid", number, name)
        _run(
            *("useradd", "--uid", number, "--gid", number, "--groups", SHARED_GROUP),
            *("--create-home", "--shell", "/bin/bash", name),
        )
    account = UnixAccounts().lookup(name)
    assert account is not None
    Path(account.home).chmod(0o700)
    return account


def as_person(account: UnixAccount, script: str) -> str:
    """What a shell script prints, run as that person."""
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        user=account.uid,
        group=account.gid,
        extra_groups=os.getgrouplist(account.name, account.gid),
        cwd=account.home,
        env={"HOME": account.home, "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def own_folder(account: UnixAccount) -> Iterator[Path]:
    """A folder in somebody's home, removed afterwards."""
    folder = Path(account.home) / f"{OWN_FOLDER}{secrets.token_hex(4)}"
    as_person(account, f"mkdir {folder}")
    try:
        yield folder
    finally:
        with suppress(FileNotFoundError):
            shutil.rmtree(folder)


@contextmanager
def run_folder() -> Iterator[Path]:
    """A platform's run folder; afterwards, what is staged there is unmounted.

    Not in pytest's own: those are emptied some day, and what is mounted there is people's.
    """
    folder = Path("/run") / f"ds01-test-{secrets.token_hex(4)}"
    stage = KernelBindStage(folder)
    try:
        yield folder
    finally:
        for key in frozenset(stage.keys()):
            stage.clear(key)
        for each in [each for each in folder.glob("*") if not each.is_dir()]:
            each.unlink()
        for each in (folder / "binds", folder):
            with suppress(FileNotFoundError):
                each.rmdir()
