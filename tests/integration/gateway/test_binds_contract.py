"""The real halves: processes that are a person, and the kernel's mounts."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contracts.folders import BindStageContract, PersonalPathsContract
from ds01_spawner.adapters.personal_paths.mount_table import mount_points
from ds01_spawner.adapters.personal_paths.paths import UnixPaths
from ds01_spawner.adapters.staged_binds import KernelBindStage
from ds01_spawner.domain.person import UnixAccount
from integration.unix_people import ALICE, BOB, own_folder, run_folder, unix_person


@pytest.fixture
def account() -> UnixAccount:
    return unix_person(ALICE)


@pytest.fixture
def folder(account: UnixAccount) -> Iterator[str]:
    with own_folder(account) as made:
        yield str(made)


@pytest.fixture
def closed() -> str:
    return unix_person(BOB).home


@pytest.fixture
def bare() -> str:
    return "/usr/share"


@pytest.fixture
def paths() -> UnixPaths:
    return UnixPaths(lambda: [Path("/var/lib/docker")], Path("/run/ds01/docker.sock"))


class TestUnixPaths(PersonalPathsContract):
    pass


class TestKernelBindStage(BindStageContract):
    @pytest.fixture
    def stage(self) -> Iterator[KernelBindStage]:
        with run_folder() as run:
            yield KernelBindStage(run)

    @pytest.fixture
    def mounted(self) -> Callable[[str], bool]:
        def is_mounted(path: str) -> bool:
            there = path in mount_points()
            assert there == os.path.lexists(path)
            return there

        return is_mounted
