import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ds01_cli.main import run
from ds01_spawner.adapters.event_file import EventFile
from ds01_spawner.domain.event import Event

EVENT = Event(
    ts=datetime(2026, 1, 31, 12, 0, tzinfo=UTC),
    user="alice",
    action="container.start",
    resource="thesis._.alice",
    actor="ds01-hub",
    interface="hub",
)


@dataclass(frozen=True)
class Outcome:
    code: int
    output: str
    error: str

    @property
    def resources(self) -> list[str]:
        return [json.loads(line)["resource"] for line in self.output.splitlines()]


class Program:
    """Runs `ds01 events` on a log of its own."""

    def __init__(self, path: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.path = path
        self._capture = capture
        self.log = EventFile(path)

    def __call__(self, *options: str) -> Outcome:
        code = run(["events", "--file", str(self.path), *options])
        captured = self._capture.readouterr()
        return Outcome(code, captured.out, captured.err)

    def write(self, *events: Event) -> None:
        for event in events:
            self.log.append(event)


@pytest.fixture
def program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Program:
    return Program(tmp_path / "events.jsonl", capsys)


def test_a_line_for_people_says_who_did_what(program: Program) -> None:
    program.write(replace(EVENT, outcome="failed", reason="The engine does not answer."))

    (line,) = program().output.splitlines()
    assert line.split() == [
        "2026-01-31",
        "12:00:00Z",
        "alice",
        "container.start",
        "failed",
        "thesis._.alice",
        "(hub",
        "by",
        "ds01-hub)",
        "The",
        "engine",
        "does",
        "not",
        "answer.",
    ]


def test_json_is_the_log_itself(program: Program) -> None:
    program.write(EVENT, replace(EVENT, user=None))

    assert program("--json").output == program.path.read_text()


def test_rotated_files_come_first(program: Program) -> None:
    program.write(*(replace(EVENT, ts=EVENT.ts + week * timedelta(7)) for week in range(3)))

    moments = [json.loads(line)["ts"] for line in program("--json").output.splitlines()]
    assert len(moments) == 3
    assert moments == sorted(moments)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--user", "alice"], ["a", "c"]),
        (["--action", "cleanup.*"], ["b", "c"]),
        (["--action", "cleanup.idle"], ["b"]),
        (["--action", "cleanup"], []),
        (["--user", "alice", "--action", "cleanup.*"], ["c"]),
        (["--since", "2026-01-31"], ["b", "c"]),
        (["--since", "2026-01-31T12:00:00Z"], ["b", "c"]),
        (["--since", "2026-01-31T13:30:00+01:00"], ["c"]),
        (["--until", "2026-01-30"], ["a"]),
        (["--until", "2026-01-31"], ["a", "b", "c"]),
        (["--until", "2026-01-31T12:00:00Z"], ["a"]),
        (["--since", "2026-01-31", "--until", "2026-01-31T12:30:00"], ["b"]),
        (["--since", "36500d"], ["a", "b", "c"]),
        (["--since", "1s"], []),
    ],
    ids=" ".join,
)
def test_only_what_is_asked_for(
    program: Program, options: Sequence[str], expected: list[str]
) -> None:
    program.write(
        replace(EVENT, ts=EVENT.ts - timedelta(days=1), resource="a"),
        replace(EVENT, user="bob", action="cleanup.idle", resource="b"),
        replace(EVENT, ts=EVENT.ts + timedelta(hours=1), action="cleanup.runtime", resource="c"),
    )

    assert program("--json", *options).resources == expected


def test_broken_lines_are_counted_and_left_out(program: Program) -> None:
    program.write(EVENT)
    with program.path.open("a") as file:
        file.write("not json\n[]\n")
    program.write(EVENT)

    outcome = program("--json")
    assert outcome.code == 0
    assert len(outcome.resources) == 2
    assert outcome.error == "2 lines are broken and left out.\n"


def test_what_people_typed_cannot_steer_the_terminal(program: Program) -> None:
    program.write(replace(EVENT, resource="\x1b[2J\r\u202eevil"))

    (line,) = program().output.splitlines()
    assert r"\x1b[2J\r\u202eevil" in line


def test_no_log_is_said(program: Program) -> None:
    outcome = program()

    assert outcome.code == 5
    assert f"There is no event log at {program.path}." in outcome.error


def test_a_log_that_cannot_be_read_is_said(program: Program) -> None:
    program.path.mkdir()

    outcome = program()
    assert outcome.code == 1
    assert "cannot be read" in outcome.error


def test_a_wrong_moment_is_a_usage_error(program: Program) -> None:
    outcome = program("--since", "yesterday")

    assert outcome.code == 2
    assert "'yesterday' is neither a duration (2h, 7d)" in outcome.error


def test_the_log_of_this_installation_is_the_default(
    program: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program.write(EVENT)
    monkeypatch.setenv("DS01_STATE_DIR", str(program.path.parent))

    assert run(["events", "--json"]) == 0
    assert capsys.readouterr().out == program.path.read_text()


def lines_of(process: subprocess.Popen[str]) -> queue.Queue[str]:
    arrived: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in process.stdout or ():
            arrived.put(line)

    threading.Thread(target=read, daemon=True).start()
    return arrived


def resources_of(lines: queue.Queue[str], count: int) -> list[str]:
    return [json.loads(lines.get(timeout=20))["resource"] for _ in range(count)]


def test_follow_shows_the_last_ten_and_what_comes_through_a_rotation(program: Program) -> None:
    program.write(*(replace(EVENT, resource=str(number)) for number in range(15)))
    # A shell that runs the tests in the background has taught them to ignore it.
    attentive = ["env", "--default-signal=INT"]
    command = [*attentive, sys.executable, "-m", "ds01_cli.main", "events"]
    process = subprocess.Popen(
        [*command, "--follow", "--json", "--file", str(program.path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        lines = lines_of(process)
        shown = resources_of(lines, 10)
        program.write(replace(EVENT, resource="new"))
        program.write(replace(EVENT, ts=EVENT.ts + timedelta(7), resource="rotated"))
        later = resources_of(lines, 2)
        process.send_signal(signal.SIGINT)
        code = process.wait(20)
    finally:
        process.kill()
        process.wait()

    assert shown == [str(number) for number in range(5, 15)]
    assert later == ["new", "rotated"]
    assert code == 130


def test_a_reader_that_has_seen_enough_is_no_error(program: Program) -> None:
    program.write(*(replace(EVENT, reason="x" * 1000) for _ in range(200)))
    command = f"{sys.executable} -m ds01_cli.main events --file {program.path} --json | head -1"
    began = time.monotonic()
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)

    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 20
