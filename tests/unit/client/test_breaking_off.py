"""Streams that one thread waits on are ended by another."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ds01_spawner.client import Client, on_socket
from ds01_spawner.client.problems import Unreachable
from fakes.api_socket import api_socket

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with api_socket(tmp_path) as (_, path, _), on_socket(path) as client:
        yield client


def test_a_thread_that_waits_for_the_next_event_is_woken(client: Client) -> None:
    seen: list[object] = []
    begun = threading.Event()

    def follow() -> None:
        try:
            for each in client.follow_queue():
                seen.append(each)
                begun.set()
        except Unreachable as exc:
            seen.append(exc)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    assert begun.wait(10)
    before = time.monotonic()
    client.break_off()
    thread.join(10)
    assert not thread.is_alive()
    assert time.monotonic() - before < 5
    assert isinstance(seen[-1], Unreachable)


def test_no_stream_begins_after_that_and_questions_are_answered(client: Client) -> None:
    client.break_off()
    with pytest.raises(Unreachable, match="broken off"):
        next(client.follow_queue())
    assert client.me().user == "alice"
