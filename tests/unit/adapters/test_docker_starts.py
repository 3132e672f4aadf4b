import json
from typing import cast
from urllib.parse import parse_qs, urlsplit

from ds01_spawner.adapters.docker_engine.connection import Call, Connection
from ds01_spawner.adapters.docker_engine.starts import ContainerStarts


class _Connection:
    """Answers what the test says, and remembers what it was asked."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, str]] = []
        self.seconds: list[float | None] = []

    def beginning(self, call: Call, most: int) -> bytes:
        assert most == 1
        query = parse_qs(urlsplit(call.path).query)
        self.asked.append({name: value for name, (value,) in query.items()})
        self.seconds.append(call.seconds)
        return self.answers.pop(0)


def test_waits_for_the_start_of_a_container_from_where_it_left_off() -> None:
    connection = _Connection(b"", b"{")
    moments = iter([100.0, 110.0, 130.0, 131.0, 140.0])
    starts = ContainerStarts(cast("Connection", connection), lambda: next(moments))
    assert not starts.wait(20)
    assert starts.wait(20)
    first, second = connection.asked
    assert (float(first["since"]), float(first["until"])) == (100, 130)
    assert (float(second["since"]), float(second["until"])) == (130, 151)
    assert json.loads(first["filters"]) == {"type": ["container"], "event": ["start"]}
    assert all(seconds is not None and seconds > 20 for seconds in connection.seconds)
