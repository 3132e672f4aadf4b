import os
from pathlib import Path

import pytest

from ds01_spawner.adapters.block_device import disk_of


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    """Where the kernel names the device that `tmp_path` lies on."""
    device = tmp_path.stat().st_dev
    entry = tmp_path / "sys/dev/block" / f"{os.major(device)}:{os.minor(device)}"
    entry.parent.mkdir(parents=True)
    return entry


def block_device(tmp_path: Path, place: str, *, partition: bool = False) -> Path:
    device = tmp_path / "sys/devices" / place
    device.mkdir(parents=True)
    if partition:
        (device / "partition").write_text("1\n")
    return device


def test_a_whole_disk_is_itself(tmp_path: Path, entry: Path) -> None:
    entry.symlink_to(block_device(tmp_path, "pci/block/vda"))
    assert disk_of(tmp_path, tmp_path) == "/dev/vda"


@pytest.mark.parametrize(
    ("place", "disk"),
    [("block/sda/sda3", "/dev/sda"), ("block/nvme0n1/nvme0n1p2", "/dev/nvme0n1")],
)
def test_a_partition_is_followed_to_its_disk(
    tmp_path: Path, entry: Path, place: str, disk: str
) -> None:
    entry.symlink_to(block_device(tmp_path, place, partition=True))
    assert disk_of(tmp_path, tmp_path) == disk


def test_a_logical_volume_is_a_device_of_its_own(tmp_path: Path, entry: Path) -> None:
    entry.symlink_to(block_device(tmp_path, "virtual/block/dm-0"))
    assert disk_of(tmp_path, tmp_path) == "/dev/dm-0"


def test_a_name_with_a_slash_is_spelt_as_under_dev(tmp_path: Path, entry: Path) -> None:
    entry.symlink_to(block_device(tmp_path, "block/cciss!c0d0"))
    assert disk_of(tmp_path, tmp_path) == "/dev/cciss/c0d0"


def test_a_file_system_without_a_disk_has_none(tmp_path: Path) -> None:
    assert disk_of(tmp_path, tmp_path) is None


def test_a_folder_that_is_not_there_has_none(tmp_path: Path, entry: Path) -> None:
    entry.symlink_to(block_device(tmp_path, "block/vda"))
    assert disk_of(tmp_path / "gone", tmp_path) is None


def test_a_file_in_a_folder_is_on_the_folders_disk(tmp_path: Path, entry: Path) -> None:
    entry.symlink_to(block_device(tmp_path, "block/vda"))
    file = tmp_path / "file"
    file.touch()
    assert disk_of(file, tmp_path) == "/dev/vda"
