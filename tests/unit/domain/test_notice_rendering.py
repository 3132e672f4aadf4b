import json
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from ds01_spawner.domain.notice import Notice, NoticeKind
from ds01_spawner.domain.notice_rendering import banner, notices_json
from fakes.clock import EPOCH

BERLIN = ZoneInfo("Europe/Berlin")
NOTICE = Notice(
    id="n1",
    user="alice",
    kind=NoticeKind.FIRST_WARNING,
    created_at=EPOCH,
    title="Your server “山田” stops in 24 minutes, at 13:24.",
    text=(
        "Your server “山田” stops in 24 minutes, at 13:24.\n\n"
        "To keep it running:\n"
        "  - press a button that has a very long name, on a page that has a longer one, twice\n"
        "  - type: touch ~/.keep-alive.thesis-run"
    ),
    deadline=EPOCH + timedelta(minutes=24),
    keep_until=EPOCH + timedelta(days=1, microseconds=5),
)


def test_programs_read_every_field_that_they_need() -> None:
    assert json.loads(notices_json([NOTICE, replace(NOTICE, deadline=None, keep_until=None)])) == {
        "version": 1,
        "notices": [
            {
                "id": "n1",
                "kind": "warning",
                "title": "Your server “山田” stops soon.",
                "text": NOTICE.text,
                "created_at": "2026-01-31T12:00:00.000000Z",
                "deadline": "2026-01-31T12:24:00.000000Z",
                "keep_until": "2026-02-01T12:00:00.000005Z",
            },
            {
                "id": "n1",
                "kind": "warning",
                "title": "Your server “山田” stops in 24 minutes, at 13:24.",
                "text": NOTICE.text,
                "created_at": "2026-01-31T12:00:00.000000Z",
                "deadline": None,
                "keep_until": None,
            },
        ],
    }


def test_without_notices_programs_read_an_empty_list_and_a_terminal_shows_nothing() -> None:
    assert json.loads(notices_json([])) == {"version": 1, "notices": []}
    assert banner([], BERLIN) == ""


def test_a_terminal_shows_when_it_was_said_and_what() -> None:
    assert banner([NOTICE], BERLIN) == (
        "━━ DS01 · Saturday 31 January, 13:00 ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━\n"
        "\n"
        "Your server “山田” stops in 24 minutes, at 13:24.\n"
        "\n"
        "To keep it running:\n"
        "  - press a button that has a very long name, on a page that has a\n"
        "    longer one, twice\n"
        "  - type: touch ~/.keep-alive.thesis-run\n"
        "\n"
        "━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━\n"
    )


def test_several_notices_each_have_a_head() -> None:
    later = replace(NOTICE, created_at=EPOCH + timedelta(hours=1))
    shown = banner([NOTICE, later], BERLIN)
    assert [line[:38] for line in shown.splitlines() if "DS01" in line] == [
        "━━ DS01 · Saturday 31 January, 13:00 ━",
        "━━ DS01 · Saturday 31 January, 14:00 ━",
    ]


def test_a_terminal_is_not_controlled_by_a_text() -> None:
    shown = banner([replace(NOTICE, text="a\x1b[2J\r\x07b\u2028c\nd")], BERLIN)
    assert "\na�[2J��b�c\nd\n" in shown
