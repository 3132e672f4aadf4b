from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ds01_spawner.domain.exemption import Exemption
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.lifecycle import Countdown
from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.domain.notice_text import (
    About,
    Limit,
    Moment,
    reason,
    stop_notice,
    stop_reason,
    storage_notice,
    warning_notice,
)
from ds01_spawner.domain.storage import Folder, StorageUse
from ds01_spawner.domain.timeouts import Bound
from ds01_spawner.domain.work import KeepAlive, Level, Rule

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NOW = datetime(2026, 1, 31, 14, 11, tzinfo=UTC)
STOP = NOW + 24 * MINUTE
MOMENT = Moment(NOW, UTC)
SERVER = About("alice", "c1", "jupyter._.alice", "jupyter", Interface.HUB)
NAMED = About("alice", "c2", "thesis._.alice", "thesis", Interface.HUB)
CONTAINER = About("alice", "c3", "thesis-run._.alice", "thesis-run", Interface.CLI)
IDLE_LIMIT = Limit("idle_timeout", "2h", "group student, resource-limits.yaml line 31")
TIME_LIMIT = Limit("max_runtime", "24h", "defaults, resource-limits.yaml line 9")
CONFLICT_LIMIT = Limit("policies.slot_conflict", "stop", "defaults, resource-limits.yaml line 12")
IDLE = Countdown(
    rule=Rule.IDLE,
    bound=Bound(2 * HOUR, "idle_timeout"),
    began_at=NOW - 2 * HOUR,
    deadline=STOP,
    valid_from=NOW - 2 * HOUR,
    lead=5 * MINUTE,
)
RUNTIME = Countdown(
    rule=Rule.RUNTIME,
    bound=Bound(24 * HOUR, "max_runtime"),
    began_at=STOP - 24 * HOUR,
    deadline=STOP,
    valid_from=STOP - 24 * HOUR,
    lead=5 * MINUTE,
)
CONFLICT = Countdown(
    rule=Rule.CONFLICT,
    bound=Bound(None, "policies.slot_conflict"),
    began_at=NOW,
    deadline=STOP,
    valid_from=NOW,
    lead=5 * MINUTE,
)


def stopped(about: About, countdown: Countdown, limit: Limit) -> Notice:
    why = stop_reason(about, countdown, MOMENT)
    return stop_notice(about, countdown.rule, why, limit, MOMENT)


def test_an_idle_server_is_told_how_to_go_on() -> None:
    notice = warning_notice(
        SERVER,
        replace(IDLE, high_demand=True),
        Level.FIRST,
        IDLE_LIMIT,
        MOMENT,
        stops_at=STOP,
        keep_until=STOP + 24 * HOUR,
    )
    assert notice.text == (
        "Your server stops in 24 minutes, at 14:35.\n"
        "\n"
        "Nothing has run on it since 12:11. GPUs are in demand, so this comes sooner than usual.\n"
        "\n"
        "Use it, and it goes on: run a cell, or type in a terminal.\n"
        "\n"
        "To keep it running without using it, until 14:35 tomorrow at most:\n"
        "  - press “Keep it running” in JupyterLab or on the hub's home page\n"
        "  - type in a terminal: touch ~/.keep-alive.jupyter\n"
        "  - for everything that you run, type in a terminal: touch ~/.keep-alive\n"
        "\n"
        "When it stops, your home folder stays. What is in memory goes, and so does what you "
        "installed or saved outside your home folder.\n"
        "\n"
        "Rule: idle_timeout = 2h (group student, resource-limits.yaml line 31)."
    )
    assert notice == replace(
        notice,
        user="alice",
        kind=NoticeKind.FIRST_WARNING,
        created_at=NOW,
        title="Your server stops in 24 minutes, at 14:35.",
        container_id="c1",
        container_name="jupyter._.alice",
        name="jupyter",
        rule="idle_timeout",
        value="2h",
        origin="group student, resource-limits.yaml line 31",
        deadline=STOP,
        keep_until=STOP + 24 * HOUR,
    )


def test_an_idle_container_that_was_kept_long_enough_must_be_used() -> None:
    kept = KeepAlive("c3", NOW - 30 * HOUR, STOP, "file", "alice")
    notice = warning_notice(
        CONTAINER,
        replace(IDLE, kept=kept, high_demand=True),
        Level.FINAL,
        IDLE_LIMIT,
        MOMENT,
        stops_at=STOP,
        checkpoint_signal="SIGUSR1",
    )
    assert notice.text == (
        "Your container thesis-run stops in 24 minutes, at 14:35. This is the last warning.\n"
        "\n"
        "You asked to keep it running without use, and that ends at 14:35.\n"
        "\n"
        "Use it, and it goes on: run something in it. Without use it cannot be kept running any "
        "longer. Programs that handle SIGUSR1 are sent it now, so that they can save their work.\n"
        "\n"
        "When it stops, your home folder stays. What is in memory goes at once, and files outside "
        "your home folder go when the container is removed later.\n"
        "\n"
        "Rule: idle_timeout = 2h (group student, resource-limits.yaml line 31)."
    )
    assert notice.kind == NoticeKind.FINAL_WARNING
    assert notice.title == "Your container thesis-run stops in 24 minutes, at 14:35."
    assert notice.keep_until is None


def test_a_server_whose_time_ends_is_told_to_save() -> None:
    notice = warning_notice(
        NAMED,
        RUNTIME,
        Level.FIRST,
        TIME_LIMIT,
        MOMENT,
        stops_at=STOP,
        keep_until=STOP + HOUR,
        checkpoint_signal="SIGUSR1",
    )
    assert notice.text == (
        "Your server “thesis” stops in 24 minutes, at 14:35.\n"
        "\n"
        "Its time of 24 hours is up then: it was first started at 14:35 yesterday.\n"
        "\n"
        "Save your work before then. It cannot be extended here: if you need longer, ask the "
        "administrator.\n"
        "\n"
        "When it stops, your home folder stays. What is in memory goes, and so does what you "
        "installed or saved outside your home folder.\n"
        "\n"
        "Rule: max_runtime = 24h (defaults, resource-limits.yaml line 9)."
    )
    assert notice.keep_until is None


def test_a_container_on_somebody_elses_gpu_is_told_to_start_again() -> None:
    notice = warning_notice(CONTAINER, CONFLICT, Level.FINAL, CONFLICT_LIMIT, MOMENT, stops_at=STOP)
    assert notice.text == (
        "Your container thesis-run stops in 24 minutes, at 14:35. This is the last warning.\n"
        "\n"
        "Two containers share its GPU, and the other had it first.\n"
        "\n"
        "Save your work before then, and start again: you are given another GPU if one is free.\n"
        "\n"
        "When it stops, your home folder stays. What is in memory goes at once, and files outside "
        "your home folder go when the container is removed later.\n"
        "\n"
        "Rule: policies.slot_conflict = stop (defaults, resource-limits.yaml line 12)."
    )


def test_a_server_that_was_stopped_says_why_and_what_is_left() -> None:
    notice = stopped(SERVER, IDLE, IDLE_LIMIT)
    assert notice.text == (
        "Your server was stopped at 14:11.\n"
        "\n"
        "Nothing has run on it since 12:11.\n"
        "\n"
        "Your home folder is as you left it. What was in memory is gone, and so is what you "
        "installed or saved outside your home folder. You can start it again on the hub's home "
        "page.\n"
        "\n"
        "Rule: idle_timeout = 2h (group student, resource-limits.yaml line 31)."
    )
    assert (notice.kind, notice.title) == ("stopped", "Your server was stopped at 14:11.")
    assert (notice.deadline, notice.keep_until) == (None, None)


def test_a_container_whose_time_was_up_says_whom_to_ask() -> None:
    assert stopped(CONTAINER, RUNTIME, TIME_LIMIT).text == (
        "Your container thesis-run was stopped at 14:11.\n"
        "\n"
        "Its time of 24 hours is up: it was first started at 14:35 yesterday.\n"
        "\n"
        "Your home folder is as you left it. What was in memory is gone, and files outside your "
        "home folder go when the container is removed. You can start it again when you need it. If "
        "you need longer, ask the administrator.\n"
        "\n"
        "Rule: max_runtime = 24h (defaults, resource-limits.yaml line 9)."
    )


USE = StorageUse(
    "alice",
    int(82.4 * 1024**3),
    NOW,
    "scan",
    largest=(Folder("projects/\x1b[2Jdata", 60 * 1024**3), Folder(".cache", 700 * 1024**2)),
)
STORAGE_LIMIT = Limit("storage", "100g", "defaults, resource-limits.yaml line 5")


def test_a_home_that_fills_up_names_the_largest_folders() -> None:
    notice = storage_notice(USE, 100 * 1024**3, STORAGE_LIMIT, MOMENT)
    assert notice.text == (
        "Your storage fills up: 82.4 GB of 100 GB are in use (82 %).\n"
        "\n"
        "When 100 GB are reached, no new server or container starts. Delete what you no longer "
        "need, or move it elsewhere.\n"
        "\n"
        "Your largest folders:\n"
        "     60 GB  projects/�[2Jdata\n"
        "    700 MB  .cache\n"
        "\n"
        "Rule: storage = 100g (defaults, resource-limits.yaml line 5)."
    )
    assert (notice.user, notice.kind, notice.container_id) == ("alice", NoticeKind.STORAGE, "")


def test_a_full_home_says_what_no_longer_works() -> None:
    use = replace(USE, size_bytes=104 * 1024**3, largest=())
    assert storage_notice(use, 100 * 1024**3, STORAGE_LIMIT, MOMENT).text == (
        "Your storage is full: 104 GB of 100 GB are in use.\n"
        "\n"
        "No new server or container starts until there is room. What runs goes on. Delete what you "
        "no longer need, or move it elsewhere.\n"
        "\n"
        "Rule: storage = 100g (defaults, resource-limits.yaml line 5)."
    )


def test_a_time_of_seconds_is_said_in_seconds() -> None:
    short = replace(RUNTIME, bound=Bound(timedelta(seconds=35), "max_runtime"))
    assert reason(SERVER, short, MOMENT).startswith("Its time of 35 seconds is up then")


def test_an_exemption_that_ends_is_the_reason() -> None:
    exemption = Exemption("alice", None, frozenset({Rule.RUNTIME}), STOP, "paper", "x.yaml:3")
    lifted = replace(RUNTIME, exemption=exemption)
    assert reason(SERVER, lifted, MOMENT) == "The exemption that it had ends at 14:35."
    later = Moment(STOP + MINUTE, UTC)
    assert reason(SERVER, lifted, later) == "The exemption that it had ended at 14:35."


def test_time_that_is_up_already_is_not_said_to_come() -> None:
    later = Moment(STOP + MINUTE, UTC)
    notice = warning_notice(
        SERVER, RUNTIME, Level.FIRST, TIME_LIMIT, later, stops_at=STOP + 6 * MINUTE
    )
    assert "Its time of 24 hours is up: it was" in notice.text
    assert notice.title == "Your server stops in 5 minutes, at 14:41."


def test_no_notice_tells_of_a_command_that_containers_do_not_have() -> None:
    notice = warning_notice(
        SERVER, IDLE, Level.FIRST, IDLE_LIMIT, MOMENT, stops_at=STOP, keep_until=STOP + HOUR
    )
    assert "ds01 " not in notice.text


def test_a_file_cannot_be_named_after_what_has_a_slash() -> None:
    about = replace(CONTAINER, name="a/../../b")
    notice = warning_notice(
        about, IDLE, Level.FIRST, IDLE_LIMIT, MOMENT, stops_at=STOP, keep_until=STOP + HOUR
    )
    assert ".keep-alive." not in notice.text


def test_who_has_an_entry_of_their_own_reads_of_it_as_theirs_and_the_record_names_them() -> None:
    limit = Limit("idle_timeout", "2h", "user alice, resource-limits.yaml line 40")
    notices = [
        warning_notice(SERVER, IDLE, Level.FIRST, limit, MOMENT, stops_at=STOP),
        stopped(SERVER, IDLE, limit),
        storage_notice(USE, 100 * 1024**3, limit, MOMENT),
    ]
    for notice in notices:
        assert notice.text.endswith("= 2h (your own entry, resource-limits.yaml line 40).")
        assert notice.origin == limit.origin
    for reader in ("bob", "alic", ""):
        assert limit.read_by(reader) == limit


@pytest.mark.parametrize("countdown", [IDLE, RUNTIME, CONFLICT], ids=lambda each: each.rule)
def test_somebody_from_the_hub_reads_no_word_of_docker(countdown: Countdown) -> None:
    warning = warning_notice(
        SERVER,
        countdown,
        Level.FINAL,
        IDLE_LIMIT,
        MOMENT,
        stops_at=STOP,
        keep_until=STOP + HOUR,
        checkpoint_signal="SIGUSR1",
    )
    stop = stopped(SERVER, countdown, IDLE_LIMIT)
    for word in ("container", "docker", "image", "SIGTERM"):
        assert word not in f"{warning.text}\n{stop.text}".lower()


def test_a_name_may_be_anything_and_controls_nothing() -> None:
    about = replace(CONTAINER, name="a\x1b]0;pwn\x07\n\u202eb; rm -rf ~ 'x'")
    limit = Limit("idle_timeout", "2h\n", "group a\x1b[2J, x.yaml line 1")
    notice = warning_notice(
        about, IDLE, Level.FIRST, limit, MOMENT, stops_at=STOP, keep_until=STOP + HOUR
    )
    shown = f"{notice.title}{notice.text}{notice.value}{notice.origin}"
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(shown)
    assert notice.title.splitlines() == [notice.title]
    assert "touch ~/.keep-alive." not in notice.text
    assert "touch ~/.keep-alive\n" in notice.text
    plain = replace(CONTAINER, name="my 'run'; x")
    offered = warning_notice(
        plain, IDLE, Level.FIRST, limit, MOMENT, stops_at=STOP, keep_until=STOP + HOUR
    )
    assert "touch ~/.keep-alive.'my '\"'\"'run'\"'\"'; x'\n" in offered.text


def test_a_container_without_a_name_is_called_as_the_engine_calls_it() -> None:
    assert replace(CONTAINER, name="").phrase == "your container thesis-run"
    assert replace(SERVER, name="").phrase == "your server"


def test_every_notice_has_an_id_of_its_own_and_the_same_one_again() -> None:
    def warned(about: About, level: Level, moment: Moment) -> str:
        return warning_notice(about, IDLE, level, IDLE_LIMIT, moment, stops_at=STOP).id

    later = Moment(NOW + MINUTE, UTC)
    ids = [
        warned(about, level, moment)
        for about in (SERVER, CONTAINER)
        for level in Level
        for moment in (MOMENT, later)
    ]
    assert len(set(ids)) == len(ids) == 8
    assert warned(SERVER, Level.FIRST, MOMENT) == ids[0]
