import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from ds01_spawner.adapters.event_file import EventFile
from ds01_spawner.adapters.event_tail import EventTail
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.event import Event
from fakes.clock import EPOCH
from fakes.event_log import FakeEventLog

WANTED = frozenset({"container.start", "container.exit"})


def event(number: int, action: str = "container.start", day: int = 0) -> Event:
    at = EPOCH + timedelta(days=day, seconds=number)
    return Event(at, "alice", action, f"c{number}", "hub", "hub", details={"id": str(number)})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


@pytest.fixture
def log(path: Path) -> EventFile:
    return EventFile(path)


def new(tail: EventTail, place: str) -> tuple[list[str], str]:
    events, following = tail.read(place, WANTED)
    return [each.resource for each in events], following


def test_reading_begins_with_what_is_written_next(path: Path, log: EventFile) -> None:
    tail = EventTail(path)
    log.append(event(0))
    found, place = new(tail, "")
    assert found == []
    log.append(event(1))
    log.append(event(2, "gpu.queue"))
    log.append(event(3, "container.exit"))
    found, place = new(tail, place)
    assert found == ["c1", "c3"]
    assert new(tail, place) == ([], place)


def test_a_log_that_is_not_there_yet_is_read_from_its_begin(path: Path, log: EventFile) -> None:
    tail = EventTail(path)
    found, place = new(tail, "")
    assert found == []
    assert new(tail, place) == ([], place)
    log.append(event(0))
    assert new(tail, place)[0] == ["c0"]


def test_a_log_that_began_and_was_rotated_before_it_was_read_is_read_from_its_begin(
    path: Path, log: EventFile
) -> None:
    tail = EventTail(path)
    _, place = new(tail, "")
    for week in range(3):
        log.append(event(week, day=7 * week))
    assert path.with_name("events.jsonl.2").exists(), "it was rotated twice"
    found, place = new(tail, place)
    assert found == ["c0", "c1", "c2"]
    assert new(tail, place) == ([], place)


def test_what_was_rotated_away_before_the_first_reading_is_not_told(
    path: Path, log: EventFile
) -> None:
    log.append(event(0))
    path.rename(path.with_name("events.jsonl.1"))
    tail = EventTail(path)
    found, place = new(tail, "")
    assert found == []
    log.append(event(1))
    assert new(tail, place)[0] == ["c1"]


def test_an_event_is_read_back_as_it_was_written(path: Path, log: EventFile) -> None:
    fake = FakeEventLog()
    log.append(event(0))
    fake.append(event(0))
    reader = EventTail(path)
    places = reader.read("", WANTED)[1], fake.read("", WANTED)[1]
    log.append(event(1))
    fake.append(event(1))
    assert list(reader.read(places[0], WANTED)[0]) == [event(1)]
    assert list(fake.read(places[1], WANTED)[0]) == [event(1)]


def test_a_line_that_is_being_written_is_read_when_it_is_whole(path: Path, log: EventFile) -> None:
    log.append(event(0))
    tail = EventTail(path)
    with path.open("ab") as file:
        file.write(b'{"ts":"2026-01-31T')
    _, place = new(tail, "")
    whole = json.dumps({"ts": "2026-01-31T12:00:00Z", "resource": "late"})[:-1]
    with path.open("r+b") as file:
        file.seek(-len(b'{"ts":"2026-01-31T'), 2)
        file.write(f'{whole},"action":"container.start"}}\n'.encode())
    assert new(tail, place)[0] == ["late"]


def test_it_goes_on_through_rotations(path: Path, log: EventFile) -> None:
    log.append(event(0))
    tail = EventTail(path)
    _, place = new(tail, "")
    for number, day in ((1, 0), (2, 7), (3, 14), (4, 15)):
        log.append(event(number, day=day))
    assert path.with_name("events.jsonl.2").exists()
    found, place = new(tail, place)
    assert found == ["c1", "c2", "c3", "c4"]
    assert new(tail, place)[0] == []


@pytest.mark.parametrize(
    "lose",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
    ],
    ids=["cut short", "removed"],
)
def test_what_is_lost_is_not_told_and_what_comes_is(
    path: Path, log: EventFile, lose: Callable[[Path], object]
) -> None:
    log.append(event(0))
    log.append(event(1))
    tail = EventTail(path)
    _, place = new(tail, "")
    lose(path)
    log.append(event(2))
    assert new(tail, place)[0] == ["c2"]


@pytest.mark.parametrize(
    "line",
    [
        '"action":"container.start" and then nothing',
        '["action":"container.start"]',
        '{"action":"container.start","ts":"yesterday"}',
        '{"action":"container.start","details":' + "[" * 200_000,
        '{"action":"container.start","details":{"n":' + "9" * 5000 + "}}",
    ],
    ids=lambda line: line[:50],
)
def test_a_broken_line_is_left_out(path: Path, log: EventFile, line: str) -> None:
    log.append(event(0))
    tail = EventTail(path)
    _, place = new(tail, "")
    with path.open("a") as file:
        file.write(f"{line}\n")
    log.append(event(1))
    assert new(tail, place)[0] == ["c1"]


def test_a_log_that_cannot_be_read_is_unavailable(tmp_path: Path) -> None:
    folder = tmp_path / "events.jsonl"
    folder.mkdir()
    with pytest.raises(Unavailable, match="cannot be read"):
        EventTail(folder).read("", WANTED)


def test_every_action_is_told_and_lines_that_are_none_are_counted(
    path: Path, log: EventFile
) -> None:
    log.append(event(0))
    tail = EventTail(path)
    _, place = tail.read("", None)
    log.append(event(1, "gpu.queue"))
    with path.open("a") as file:
        file.write("not an event\n")
    log.append(event(2, "made.up"))
    events, place = tail.read(place, None)
    assert [each.action for each in events] == ["gpu.queue", "made.up"]
    assert tail.unreadable_lines == 1
    assert tail.read(place, None)[0] == []
    assert tail.unreadable_lines == 1
