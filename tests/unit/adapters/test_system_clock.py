import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ds01_spawner.adapters.system_clock import SystemClock
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.work import passed
from ds01_spawner.ports import Clock
from fakes.clock import FakeClock


def test_a_mark_is_this_moment_on_both_clocks() -> None:
    before = datetime.now(UTC), time.clock_gettime(time.CLOCK_BOOTTIME)
    mark = SystemClock().mark()
    after = datetime.now(UTC), time.clock_gettime(time.CLOCK_BOOTTIME)
    assert before[0] <= mark.wall <= after[0]
    assert before[1] <= mark.uptime_seconds <= after[1]
    assert mark.wall.tzinfo is UTC


def test_every_process_of_one_boot_reads_the_same_boot_id() -> None:
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert SystemClock().mark().boot_id == SystemClock().mark().boot_id == boot_id != ""


def test_a_boot_id_that_cannot_be_read_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="boot_id cannot be read"):
        SystemClock(tmp_path / "boot_id").mark()


@pytest.mark.parametrize("clock", [SystemClock(), FakeClock()], ids=["system", "fake"])
def test_between_two_marks_nothing_jumps_by_itself(clock: Clock) -> None:
    first, second = clock.mark(), clock.mark()
    assert first.boot_id == second.boot_id
    assert first.wall <= second.wall
    assert first.uptime_seconds <= second.uptime_seconds
    assert passed(first, second).jump == timedelta(0)


def test_the_fake_clock_advances_on_both_clocks() -> None:
    clock = FakeClock()
    before = clock.mark()
    clock.advance(timedelta(hours=2))
    after = clock.mark()
    assert after.wall - before.wall == timedelta(hours=2)
    assert after.uptime_seconds - before.uptime_seconds == 7200
    assert passed(before, after).jump == timedelta(0)


@pytest.mark.parametrize("hours", [-1, 1])
def test_the_fake_clock_jumps_on_the_wall_alone(hours: int) -> None:
    clock = FakeClock()
    before = clock.mark()
    clock.jump(timedelta(hours=hours))
    assert clock.mark().uptime_seconds == before.uptime_seconds == clock.monotonic()
    assert clock.now() == before.wall + timedelta(hours=hours)
    assert passed(before, clock.mark()).jump == timedelta(hours=hours)


def test_the_fake_clock_reboots() -> None:
    clock = FakeClock()
    before = clock.mark()
    clock.reboot(took=timedelta(minutes=3))
    after = clock.mark()
    assert after.boot_id != before.boot_id
    assert after.uptime_seconds < before.uptime_seconds
    assert after.wall - before.wall == timedelta(minutes=3)
    assert passed(before, after).jump == timedelta(0)
