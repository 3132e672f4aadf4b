from pathlib import Path
from typing import Any

import pytest

from ds01_spawner.adapters.docker_engine.snapshots import layers_of_mount, snapshot_layers
from ds01_spawner.domain.errors import Unavailable

# What Docker 28.5 with containerd-snapshotter says, and ctr 2.1.
INSPECTED: dict[str, Any] = {"Id": "ab" * 32, "GraphDriver": {"Data": None, "Name": "overlayfs"}}
SAID: dict[str, Any] = {
    "Driver": "overlayfs",
    "Containerd": {
        "Address": "/run/containerd/containerd.sock",
        "Namespaces": {"Containers": "moby", "Plugins": "plugins.moby"},
    },
}
SNAPSHOTS = "/var/lib/docker/containerd/daemon/io.containerd.snapshotter.v1.overlayfs/snapshots"
MOUNT = (
    f"mount -t overlay overlay / -o workdir={SNAPSHOTS}/319/work,upperdir={SNAPSHOTS}/319/fs,"
    f"lowerdir={SNAPSHOTS}/318/fs:{SNAPSHOTS}/14/fs,index=off\n"
)
LAYERS = tuple(Path(SNAPSHOTS) / each / "fs" for each in ("319", "318", "14"))


def ctr(folder: Path, script: str) -> str:
    """Where a program `ctr` is that does this."""
    program = folder / "ctr"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(folder)


def test_containerd_says_the_layers_topmost_first(tmp_path: Path) -> None:
    places = ctr(tmp_path, f'echo "$@" > {tmp_path}/asked; echo "{MOUNT.strip()}"')

    assert snapshot_layers(INSPECTED, SAID, places=places) == LAYERS
    assert (tmp_path / "asked").read_text().split() == [
        *("--address", "/run/containerd/containerd.sock", "--namespace", "moby"),
        *("snapshots", "--snapshotter", "overlayfs", "mounts", "/", "ab" * 32),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mount -t bind /snapshots/1/fs / -o rw,rbind\n",
        "mount -t overlay overlay / -o workdir=/w,upperdir=/u\n",
        f"mount -t bind /x / -o rw\n{MOUNT}",
    ],
)
def test_what_is_no_overlay_has_no_layers(text: str) -> None:
    assert layers_of_mount(text) == ()


@pytest.mark.parametrize(
    "script", ["exit 1", "echo mount -t zfs pool/1 / -o rw", f"echo '{MOUNT}'; exit 2"]
)
def test_nothing_starts_where_containerd_does_not_say_it(tmp_path: Path, script: str) -> None:
    with pytest.raises(Unavailable, match="storage driver overlayfs"):
        snapshot_layers(INSPECTED, SAID, places=ctr(tmp_path, script))


def test_nothing_starts_without_containerds_program(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="storage driver overlayfs"):
        snapshot_layers(INSPECTED, SAID, places=str(tmp_path))


@pytest.mark.parametrize(
    ("driver", "said"),
    [({"Name": "btrfs", "Data": None}, SAID), (None, SAID), (INSPECTED["GraphDriver"], {})],
)
def test_nothing_starts_on_other_storage_or_on_an_engine_that_does_not_name_containerd(
    tmp_path: Path, driver: object, said: dict[str, Any]
) -> None:
    with pytest.raises(Unavailable, match="storage driver"):
        snapshot_layers(
            {"Id": "x", "GraphDriver": driver}, said, places=ctr(tmp_path, f"echo '{MOUNT}'")
        )
