import errno
import json
import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from ds01_spawner.adapters import gpu_faults
from ds01_spawner.adapters.gpu_faults import GpuFaults, found
from ds01_spawner.domain.card_health import FaultCount
from ds01_spawner.domain.errors import Unavailable
from fakes.clock import EPOCH, UPTIME, FakeClock

BEFORE = round((UPTIME - timedelta(days=2)) / timedelta(microseconds=1))
"""Two days ago, as the log says it."""

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
    "4,10;NVRM: Xid (PCI:0000:3b:00): 79, without its time",
    "not a record",
]


class Log:
    """The kernel's: who opens it reads what is in it, from its beginning."""

    def __init__(self, folder: Path) -> None:
        self.device = folder / "kmsg"
        self.written: list[str] = []
        os.mkfifo(self.device)
        self._writer = os.open(self.device, os.O_RDWR | os.O_NONBLOCK)

    def add(self, sequence: int, xid: int, microseconds: int = BEFORE) -> None:
        """The driver writes a line."""
        line = f"4,{sequence},{microseconds},-;NVRM: Xid (PCI:0000:3b:00): {xid}, x"
        self.written.append(line)

    def read_by(self, faults: GpuFaults) -> Mapping[tuple[str, int], FaultCount]:
        """What it counts; the lines come one by one, as from the kernel."""
        for line in self.written:
            os.write(self._writer, line.encode())
            counts = faults.counts()
        return counts

    def close(self) -> None:
        """Nobody writes any more."""
        os.close(self._writer)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path)
    yield made
    made.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "metrics" / "xids.json"


def test_errors_are_found_with_place_and_number() -> None:
    assert [each.key for each in found(LOG)] == [
        ("0000:3b:00", 79),
        ("0000:3b:00", 79),
        ("0000:5e:00", 31),
        ("0000:03:00", 13),
    ]
    assert [each.sequence for each in found(LOG)] == [2, 3, 4, 5]


def test_what_was_there_is_as_old_as_the_log_says(log: Log, clock: FakeClock, file: Path) -> None:
    log.add(1, 79)
    counts = log.read_by(GpuFaults(clock, file, log.device))
    assert counts == {("0000:3b:00", 79): FaultCount(1, EPOCH - timedelta(days=2))}


def test_what_comes_later_is_added_and_is_not_older_than_the_last_look(
    log: Log, clock: FakeClock, file: Path
) -> None:
    faults = GpuFaults(clock, file, log.device)
    assert faults.counts() == {}
    clock.advance(timedelta(seconds=15))
    log.add(1, 31)  # its clock went another way
    log.add(2, 31)
    assert log.read_by(faults)["0000:3b:00", 31].last_at == EPOCH + timedelta(seconds=15)
    assert faults.counts()["0000:3b:00", 31].count == 2


def test_a_new_process_goes_on_from_what_was_counted(
    log: Log, clock: FakeClock, file: Path
) -> None:
    log.add(1, 79)
    log.add(2, 79)
    before = log.read_by(GpuFaults(clock, file, log.device))
    clock.advance(timedelta(days=1))
    assert log.read_by(GpuFaults(clock, file, log.device)) == before  # the same lines again
    log.written.clear()  # the ring went on
    log.add(900, 79)
    again = log.read_by(GpuFaults(clock, file, log.device))
    assert again["0000:3b:00", 79].count == 3


def test_another_boot_numbers_its_lines_anew(log: Log, clock: FakeClock, file: Path) -> None:
    log.add(800, 79)
    log.read_by(GpuFaults(clock, file, log.device))
    clock.reboot()
    log.written.clear()
    log.add(3, 119, microseconds=19_000_000)
    counts = log.read_by(GpuFaults(clock, file, log.device))
    assert counts["0000:3b:00", 79].count == 1
    assert counts["0000:3b:00", 119] == FaultCount(1, clock.now() - timedelta(seconds=1))


NEGATIVE = '{"boot_id": "a", "sequence": 1, "faults": [["0000:3b:00", 79, -5, 0]]}'


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"boot_id": 1}', '{"faults": [[1]]}', "\0", "[" * 100_000, NEGATIVE]
)
def test_a_broken_file_is_counted_anew(
    log: Log, clock: FakeClock, file: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.mkdir()
    file.write_text(text)
    log.add(1, 79)
    assert log.read_by(GpuFaults(clock, file, log.device))["0000:3b:00", 79].count == 1
    assert "counted anew" in caplog.text
    assert json.loads(file.read_text())["sequence"] == 1


def test_a_folder_that_takes_no_file_hides_no_error(
    log: Log, clock: FakeClock, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.parent.write_text("in the way")
    log.add(1, 79)
    log.add(2, 79)
    faults = GpuFaults(clock, file, log.device)
    assert log.read_by(faults)["0000:3b:00", 79].count == 2
    assert caplog.text.count("are not kept") == 1
    file.parent.unlink()
    faults.counts()  # it is kept as soon as it can be
    assert json.loads(file.read_text())["sequence"] == 2


def test_nothing_new_is_not_written_again(log: Log, clock: FakeClock, file: Path) -> None:
    faults = GpuFaults(clock, file, log.device)
    faults.counts()
    assert not file.exists()
    log.add(1, 79)
    log.read_by(faults)
    stamp = file.stat().st_ino
    faults.counts()
    assert file.stat().st_ino == stamp
    assert [each.name for each in file.parent.iterdir()] == [file.name]


def test_a_log_that_is_closed_is_unavailable(tmp_path: Path, clock: FakeClock, file: Path) -> None:
    with pytest.raises(Unavailable, match="CAP_SYSLOG"):
        GpuFaults(clock, file, tmp_path / "nothing").counts()


def test_a_log_that_fails_is_opened_again(
    log: Log, clock: FakeClock, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = GpuFaults(clock, file, log.device)
    log.add(1, 79)
    log.read_by(faults)

    def fails(*_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(os, "read", fails)
        with pytest.raises(Unavailable, match="Input/output error"):
            faults.counts()
    assert log.read_by(faults)["0000:3b:00", 79].count == 1  # from its beginning, and not twice


def test_no_flood_of_numbers_is_kept(
    log: Log, clock: FakeClock, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5000):
        log.add(number, number)
    monkeypatch.setattr(gpu_faults, "records", lambda _: log.written)
    assert len(GpuFaults(clock, file, log.device).counts()) == 4096
    assert len(GpuFaults(clock, file, log.device).counts()) == 4096
