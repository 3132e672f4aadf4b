from dataclasses import replace
from datetime import timedelta

from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.exporter.cpu_book import CpuBook, booked
from ds01_spawner.exporter.facts import WorkFacts
from ds01_spawner.ports.usage import ContainerUsage
from fakes.clock import EPOCH

OLD = Container(
    "old", "run._.alice", ContainerState.RUNNING, {"ds01.user": "alice"}, EPOCH - timedelta(days=1)
)
MINUTE = timedelta(minutes=1)


def used(**seconds: float) -> dict[str, ContainerUsage]:
    return {
        key: ContainerUsage(cpu_seconds=each, memory_bytes=100) for key, each in seconds.items()
    }


def made(key: str, minutes: int) -> Container:
    return replace(OLD, id=key, created_at=EPOCH + minutes * MINUTE)


class Book:
    """One reading after the other, a minute apart."""

    def __init__(self) -> None:
        self.book, self.now = CpuBook(), EPOCH

    def read(self, *containers: Container, **seconds: float) -> WorkFacts:
        self.book, found = booked(self.book, containers, used(**seconds), self.now)
        self.now += MINUTE
        return found


def test_what_was_spent_before_the_exporter_began_counts_for_nothing() -> None:
    book = Book()
    assert book.read(OLD, old=5000.0).cpu_seconds == {"alice": 0.0}
    assert book.read(OLD, old=5030.0).cpu_seconds == {"alice": 30.0}


def test_a_container_that_goes_takes_nothing_with_it() -> None:
    book = Book()
    book.read(OLD, old=0.0)
    book.read(OLD, old=10.0)
    assert book.read().cpu_seconds == {"alice": 10.0}
    assert book.read(made("new", 3), new=4.0).cpu_seconds == {"alice": 14.0}


def test_one_that_was_made_in_the_second_of_the_last_look_counts_in_full() -> None:
    book = Book()
    book.now += timedelta(milliseconds=900)
    book.read(OLD, old=0.0)
    truncated = made("new", 0)
    assert book.read(OLD, truncated, old=0.0, new=3.0).cpu_seconds == {"alice": 3.0}


def test_one_that_could_not_be_read_before_counts_from_now_on() -> None:
    book = Book()
    book.read(OLD)
    assert book.read(OLD, old=5000.0).cpu_seconds == {"alice": 0.0}
    assert book.read(OLD, old=5001.0).cpu_seconds == {"alice": 1.0}


def test_a_gap_in_reading_loses_nothing() -> None:
    book = Book()
    book.read(OLD, old=10.0)
    found = book.read(OLD)
    assert (found.unread, found.memory_bytes) == (1, {})
    assert book.read(OLD, old=25.0).cpu_seconds == {"alice": 15.0}


def test_a_restart_begins_anew_and_takes_nothing_away() -> None:
    book = Book()
    book.read(OLD, old=100.0)
    book.read(OLD, old=130.0)
    assert book.read(OLD, old=2.0).cpu_seconds == {"alice": 32.0}


def test_memory_of_several_is_added_up_and_strangers_count_for_nobody() -> None:
    stranger = replace(OLD, id="stranger", labels={})
    ended = replace(OLD, id="ended", state=ContainerState.EXITED)
    found = Book().read(OLD, made("b", 0), stranger, ended, old=1, b=1, stranger=1, ended=1)
    assert found.memory_bytes == {"alice": 200}
    assert found.unread == 0


def test_nothing_at_all_is_told_from_nobody_there() -> None:
    assert Book().read().anything
    assert not Book().read(OLD).anything
