from datetime import UTC, datetime, timedelta

from ds01_spawner.domain.event import Event
from ds01_spawner.operations.audit.bounded_log import LEFT_OUT, BoundedLog
from fakes.event_log import FakeEventLog

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(second: float, by: str | None = "alice", action: str = "container.exec") -> Event:
    details: dict[str, object] = {} if by is None else {"by": by}
    moment = NOW + timedelta(seconds=second)
    return Event(moment, by, action, "web", "gateway", "docker", details=details)


def test_a_flood_is_counted_and_told_of_once_a_minute() -> None:
    log = FakeEventLog()
    bounded = BoundedLog(log, burst=10, per_second=1)
    for number in range(6000):
        bounded.append(event(number / 50))

    written, told = log.of("container.exec"), log.of(LEFT_OUT)

    assert len(written) == 10 + 119
    assert len(told) == 2
    bounded.append(event(600))
    counts = [each.details["count"] for each in log.of(LEFT_OUT)]
    assert sum(int(str(count)) for count in counts) == 6000 - len(written)
    assert log.of(LEFT_OUT)[0].user == "alice"


def test_others_and_the_platforms_own_events_are_all_written() -> None:
    log = FakeEventLog()
    bounded = BoundedLog(log, burst=1, per_second=0.001)
    for _ in range(50):
        bounded.append(event(0))
        bounded.append(event(0, by=None, action="lifecycle.stop"))
        bounded.append(event(0, action="gpu.allocate"))
    bounded.append(event(0, by="bob"))

    assert len(log.of("lifecycle.stop")) == 50
    assert len(log.of("gpu.allocate")) == 50
    assert [each.user for each in log.of("container.exec")] == ["alice", "bob"]
