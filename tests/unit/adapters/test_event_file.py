import gzip
import json
import multiprocessing
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.adapters.event_file import EventFile
from ds01_spawner.adapters.event_history import follow_events, read_events
from ds01_spawner.adapters.event_line import MAX_LINE_BYTES, event_line
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.event import Event

SATURDAY = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
EVENT = Event(
    ts=SATURDAY,
    user="alice",
    action="gpu.allocate",
    resource="0:1",
    actor="hub",
    interface="hub",
    details={"equivalents": 0.4286},
)


def fields_of(event: Event) -> dict[str, Any]:
    return dict(json.loads(event_line(event)))


def details_of(details: Mapping[str, object]) -> Any:
    return fields_of(replace(EVENT, details=details))["details"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "events.jsonl"


def numbers(lines: Iterable[Any]) -> list[int]:
    return [line.fields["details"]["n"] for line in lines]


class TestLine:
    def test_has_every_field(self) -> None:
        assert fields_of(EVENT) == {
            "ts": "2026-01-31T12:00:00.000000Z",
            "user": "alice",
            "action": "gpu.allocate",
            "resource": "0:1",
            "actor": "hub",
            "interface": "hub",
            "outcome": "ok",
            "reason": "",
            "details": {"equivalents": 0.4286},
        }

    @pytest.mark.parametrize(
        "key",
        [
            *("token", "api_token", "apiToken", "JUPYTERHUB_API_TOKEN", "password", "Passwd"),
            *("client_secret", "Authorization", "ssh_private_key", "api-key", "cookie"),
        ],
    )
    def test_a_value_called_a_secret_is_removed(self, key: str) -> None:
        assert details_of({"env": [{key: "hunter2"}]}) == {"env": [{key: "[removed]"}]}

    @pytest.mark.parametrize("key", ["key", "keys", "keyboard", "compass", "monkey"])
    def test_an_innocent_key_is_kept(self, key: str) -> None:
        assert details_of({key: "groups.student.memory"}) == {key: "groups.student.memory"}

    @pytest.mark.parametrize(
        "text",
        [
            "Authorization: Bearer hunter2hunter2",
            "token hunter2hunter2",
            "https://alice:hunter2hunter2@registry/x",
            "run --env PASSWORD=hunter2hunter2",
            'body {"api_key": "hunter2hunter2"}',
            "-----BEGIN PRIVATE KEY-----\nhunter2hunter2\n-----END PRIVATE KEY-----",
        ],
    )
    def test_a_secret_within_a_text_is_removed(self, text: str) -> None:
        line = event_line(replace(EVENT, reason=text, resource=text, details={"text": [text]}))

        assert b"hunter2" not in line
        assert line.count(b"[removed]") == 3

    @pytest.mark.parametrize(
        "key", ["my_db_password", "x-" * 100 + "token", "é" * 50 + "secret", "--api-key", "apikey"]
    )
    @pytest.mark.parametrize("form", ["{}=hunter2", "{} : 'hunter2'", '"{}": "hunter2"'])
    def test_whatever_stands_before_its_name_a_secret_is_removed(self, key: str, form: str) -> None:
        text = form.format(key)

        assert details_of({"text": text})["text"] == text.replace("hunter2", "[removed]")

    @pytest.mark.parametrize(
        "part",
        [
            *("-a", "a", "_", " ", "token", "token ", "secret =", "api_key", "password'", "Aa"),
            *("bearer  ", "://", "://a:", "://a:b", "-----BEGIN ", "-----END A", "-----BEGIN"),
            "-----BEGIN PRIVATE KEY-----",
        ],
    )
    @pytest.mark.parametrize("begin", ["", "secret", "bearer", "://a:", "-----BEGIN "])
    def test_a_long_text_made_to_be_slow_is_not(self, begin: str, part: str) -> None:
        text = begin + part * (100_000 // len(part))
        event = replace(EVENT, reason=f"password=hunter2 {text}")
        began = time.thread_time()
        line = event_line(event)
        seconds = time.thread_time() - began

        assert seconds < 0.05
        assert b"hunter2" not in line

    def test_no_half_of_a_secret_is_left_where_a_long_text_is_cut(self) -> None:
        key = "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----"
        shortened = "".join(key.format("x" * 1000) for _ in range(14))
        for length in range(15_000, 16_100):
            text = f"{shortened}{' ' * (length - len(shortened))}https://a:hunter2@registry"
            assert "hunter" not in details_of({"text": text})["text"]

    def test_what_is_no_json_is_written_as_text(self) -> None:
        found = details_of({"path": Path("/x"), "when": SATURDAY, "set": {1}, "nan": float("nan")})

        assert found == {
            "path": "/x",
            "when": "2026-01-31 12:00:00+00:00",
            "set": [1],
            "nan": "nan",
        }

    @given(st.text(), st.recursive(st.none() | st.text() | st.floats(), st.lists, max_leaves=30))
    def test_whatever_is_in_it_is_one_line_of_bounded_length(self, text: str, value: Any) -> None:
        line = event_line(replace(EVENT, user=text, reason=text * 100, details={text: value}))

        assert line.count(b"\n") == 1
        assert len(line) <= MAX_LINE_BYTES
        assert json.loads(line)["action"] == "gpu.allocate"

    def test_a_lone_surrogate_is_written_as_its_escape(self) -> None:
        assert fields_of(replace(EVENT, resource="a\udc80"))["resource"] == "a\udc80"

    def test_too_many_details_are_left_out_and_said(self) -> None:
        found = details_of({str(number): "x" * 1000 for number in range(100)})

        assert found["left_out_bytes"] > 100_000


class TestAppend:
    def test_makes_the_file_for_its_owner_and_group(self, path: Path) -> None:
        EventFile(path).append(EVENT)

        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        assert path.read_bytes() == event_line(EVENT)

    def test_a_line_cut_short_by_somebody_stays_alone(self, path: Path) -> None:
        path.parent.mkdir()
        path.write_bytes(b'{"ts":"2026-01-31T11')
        EventFile(path).append(EVENT)

        broken, whole = read_events(path)
        assert broken.fields is None
        assert whole.fields is not None

    def test_goes_on_after_logrotate_has_renamed_the_file(self, path: Path) -> None:
        log = EventFile(path)
        log.append(replace(EVENT, details={"n": 0}))
        path.replace(path.with_name("events.jsonl.1"))
        log.append(replace(EVENT, details={"n": 1}))

        assert numbers(read_events(path)) == [0, 1]

    def test_goes_on_after_logrotate_has_truncated_the_file(self, path: Path) -> None:
        log = EventFile(path)
        log.append(EVENT)
        path.with_name("events.jsonl.1").write_bytes(path.read_bytes())
        os.truncate(path, 0)
        log.append(EVENT)

        assert path.read_bytes() == event_line(EVENT)

    def test_a_full_disk_is_said_and_leaves_no_half_line(self, path: Path) -> None:
        EventFile(path).append(EVENT)
        size = path.stat().st_size
        program = (
            "import resource, signal, sys; from pathlib import Path\n"
            "from ds01_spawner.adapters.event_file import EventFile\n"
            "from ds01_spawner.domain.errors import Unavailable\n"
            "sys.path.insert(0, sys.argv[2]); from test_event_file import EVENT\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size + 10}, {size + 10}))\n"
            "try:\n    EventFile(Path(sys.argv[1])).append(EVENT)\n"
            "except Unavailable as exc:\n    print(exc)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(path), str(Path(__file__).parent)],
            capture_output=True,
            text=True,
            check=True,
        )

        assert "cannot be written: No space left on device" in done.stdout
        assert path.stat().st_size == size

    def test_a_folder_that_cannot_be_made_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")

        with pytest.raises(Unavailable, match="cannot be written"):
            EventFile(tmp_path / "file" / "events.jsonl").append(EVENT)

    def test_a_link_in_its_place_is_not_followed(self, path: Path, tmp_path: Path) -> None:
        path.parent.mkdir()
        path.symlink_to(tmp_path / "elsewhere")

        with pytest.raises(Unavailable):
            EventFile(path).append(EVENT)
        assert not (tmp_path / "elsewhere").exists()

    def test_a_writer_that_hangs_does_not_hang_the_others(self, path: Path) -> None:
        log = EventFile(path, lock_seconds=0.05)
        log.append(EVENT)
        with log._lock(), pytest.raises(Unavailable, match="another process holds its lock"):
            log.append(EVENT)


class TestRotation:
    def test_a_new_week_begins_a_new_file(self, path: Path) -> None:
        log = EventFile(path)
        log.append(replace(EVENT, details={"n": 0}))
        log.append(replace(EVENT, ts=SATURDAY + timedelta(days=1), details={"n": 1}))
        log.append(replace(EVENT, ts=SATURDAY + timedelta(days=2), details={"n": 2}))

        assert len(path.with_name("events.jsonl.1").read_bytes().splitlines()) == 2
        assert numbers(read_events(path)) == [0, 1, 2]

    def test_four_older_files_are_kept(self, path: Path) -> None:
        log = EventFile(path)
        for week in range(8):
            log.append(replace(EVENT, ts=SATURDAY + week * WEEK, details={"n": week}))

        names = sorted(other.name for other in path.parent.glob("events.*"))
        assert names == ["events.jsonl", *(f"events.jsonl.{number}" for number in range(1, 5))]
        assert numbers(read_events(path)) == [3, 4, 5, 6, 7]

    def test_an_earlier_moment_rotates_nothing(self, path: Path) -> None:
        log = EventFile(path)
        log.append(EVENT)
        log.append(replace(EVENT, ts=SATURDAY - WEEK))

        assert not path.with_name("events.jsonl.1").exists()

    def test_a_file_that_logrotate_takes_in_the_moment_of_rotation_loses_nothing(
        self, path: Path
    ) -> None:
        class TakenMeanwhile(EventFile):
            def _first_moment(self) -> datetime | None:
                began = super()._first_moment()
                path.replace(path.with_name("events.jsonl-20260131"))
                return began

        EventFile(path).append(replace(EVENT, details={"n": 0}))
        TakenMeanwhile(path).append(replace(EVENT, ts=SATURDAY + WEEK, details={"n": 1}))

        assert numbers(read_events(path)) == [0, 1]

    def test_compressed_and_dated_files_are_read_in_order(self, path: Path) -> None:
        log = EventFile(path)
        for week, name in enumerate(["events.jsonl-20260131", "events.jsonl.1.gz", None]):
            log.append(replace(EVENT, ts=SATURDAY + week * WEEK, details={"n": week}))
            if name is not None:
                data = path.read_bytes()
                path.unlink()
                path.with_name(name).write_bytes(
                    gzip.compress(data) if name.endswith("gz") else data
                )

        assert numbers(read_events(path)) == [0, 1, 2]


def write_many(path: Path, writer: int, count: int) -> None:
    log = EventFile(path)
    for number in range(count):
        moment = SATURDAY + timedelta(days=3 * number // 50)
        log.append(replace(EVENT, ts=moment, details={"n": writer * 10_000 + number}))


class TestManyProcesses:
    def test_no_line_is_lost_doubled_or_mixed_while_files_rotate(self, path: Path) -> None:
        # 4 x 400 lines over 24 days: three or four rotations, all within the files that are kept.
        context = multiprocessing.get_context("spawn")
        writers = [context.Process(target=write_many, args=(path, n, 400)) for n in range(4)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join(60)
            assert writer.exitcode == 0

        found = numbers(read_events(path))
        assert sorted(found) == sorted(w * 10_000 + n for w in range(4) for n in range(400))
        assert path.with_name("events.jsonl.3").exists()

    def test_no_line_is_lost_while_logrotate_renames(self, path: Path) -> None:
        context = multiprocessing.get_context("spawn")
        writer = context.Process(target=write_many, args=(path, 0, 100))
        writer.start()
        names = [path.with_name(f"events.jsonl-{number}") for number in range(20)]
        for name in names:
            while not path.exists() and writer.is_alive():
                pass
            with suppress(FileNotFoundError):  # the writer has just rotated it, or has ended
                path.replace(name)
        writer.join(60)

        assert sorted(numbers(read_events(path))) == list(range(100))


class TestFollow:
    def test_gives_every_line_once_through_rotation_and_truncation(self, path: Path) -> None:
        log = EventFile(path)
        steps = iter(range(1, 6))

        def caught_up() -> bool:
            number = next(steps, None)
            if number is None:
                return False
            if number == 4:
                os.truncate(path, 0)
                return True
            log.append(replace(EVENT, ts=SATURDAY + number * WEEK, details={"n": number}))
            return True

        log.append(replace(EVENT, details={"n": 0}))
        followed = follow_events(path, caught_up=caught_up, poll_seconds=0)

        assert numbers(followed) == [0, 1, 2, 3, 5]

    def test_waits_for_a_log_that_does_not_exist_yet(self, path: Path) -> None:
        steps = iter([True, True, False])

        def caught_up() -> bool:
            if not path.exists():
                EventFile(path).append(replace(EVENT, details={"n": 7}))
            return next(steps)

        assert numbers(follow_events(path, caught_up=caught_up, poll_seconds=0)) == [7]

    def test_half_a_line_is_not_given_before_it_is_whole(self, path: Path) -> None:
        path.parent.mkdir()
        line = event_line(replace(EVENT, details={"n": 1}))
        path.write_bytes(line[:20])
        steps = iter([True, False])

        def caught_up() -> bool:
            path.write_bytes(line)
            return next(steps)

        assert numbers(follow_events(path, caught_up=caught_up, poll_seconds=0)) == [1]
