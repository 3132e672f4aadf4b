import os
from pathlib import Path

import pytest

from ds01_spawner.adapters.gpu_faults import GpuFaults, found
from ds01_spawner.domain.errors import Unavailable

LOG = [
    "6,1,100,-;NVRM: loading NVIDIA UNIX x86_64 Kernel Module  550.54.15",
    (
        "4,2,200,-;NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, "
        "GPU has fallen off the bus."
    ),
    "4,3,300,-;NVRM: Xid (PCI:0000:3B:00): 79, pid=1234, name=python, again",
    (
        "4,4,400,-;NVRM: Xid (PCI:0000:5e:00.0): 31, pid=4321, name=train, Ch 00000010, "
        "MMU Fault: ENGINE GRAPHICS\n SUBSYSTEM=pci"
    ),
    "4,5,500,-;NVRM: Xid (0000:03:00): 13, Graphics Exception: ESR 0x404490=0x80000002",
    "4,6,600,-;NVRM: Xid (PCI:0001:0000:03:00): 13, nonsense",
    "12,7,700,-;NVRM: Xid (PCI:0000:3b:00): 79, written by a person into /dev/kmsg",
    "4,8,800,-;somebody says NVRM: Xid (PCI:0000:3b:00): 79, in the middle",
    "4,9,900,-;NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus.",
    "not a record",
]


def test_errors_are_found_with_place_and_number() -> None:
    assert list(found(LOG)) == [
        ("0000:3b:00", 79),
        ("0000:3b:00", 79),
        ("0000:5e:00", 31),
        ("0000:03:00", 13),
    ]


def test_what_comes_later_is_added(tmp_path: Path) -> None:
    device = tmp_path / "kmsg"
    os.mkfifo(device)
    writer = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    faults = GpuFaults(device)
    assert faults.counts() == {}
    for record in (LOG[1], LOG[0], LOG[3]):
        os.write(writer, record.encode())
        counts = faults.counts()
    assert counts == {("0000:3b:00", 79): 1, ("0000:5e:00", 31): 1}
    os.close(writer)


def test_a_log_that_is_closed_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="CAP_SYSLOG"):
        GpuFaults(tmp_path / "nothing").counts()


def test_no_flood_of_numbers_is_kept(tmp_path: Path) -> None:
    device = tmp_path / "kmsg"
    os.mkfifo(device)
    writer = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    faults = GpuFaults(device)
    for number in range(5000):
        os.write(writer, f"4,{number},1,-;NVRM: Xid (PCI:0000:3b:00): {number}, x".encode())
        counts = faults.counts()
    assert len(counts) == 4096
    os.close(writer)
