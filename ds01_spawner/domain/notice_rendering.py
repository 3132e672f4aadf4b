"""Notices as programs read them, and as a terminal shows them. Pure."""

import json
import textwrap
from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo

from ds01_spawner.domain.labels import format_timestamp
from ds01_spawner.domain.notice import Notice
from ds01_spawner.domain.notice_text import STOPS_IN
from ds01_spawner.domain.wording import clean, date_and_time

FORMAT_VERSION = 1

_WIDTH = 72
_LONGEST_LINE = 2000


def notices_json(notices: Iterable[Notice]) -> str:
    """What JupyterLab's extension and other programs read (docs/notices.md)."""
    shown = [
        {
            "id": notice.id,
            "kind": str(notice.kind),
            "title": headline(notice),
            "text": notice.text,
            "created_at": format_timestamp(notice.created_at),
            "deadline": _time(notice.deadline),
            "keep_until": _time(notice.keep_until),
        }
        for notice in notices
    ]
    return json.dumps({"version": FORMAT_VERSION, "notices": shown}, indent=1) + "\n"


def headline(notice: Notice) -> str:
    """The title where the time left is shown beside it, as of now and in the reader's zone."""
    subject, announced, _ = notice.title.partition(STOPS_IN)
    return f"{subject} stops soon." if announced and notice.deadline is not None else notice.title


def banner(notices: Sequence[Notice], zone: tzinfo) -> str:
    """What a terminal shows: each notice under the time it was given; empty without any."""
    if not notices:
        return ""
    parts = [line for notice in notices for line in (_head(notice, zone), "", *_body(notice), "")]
    return "\n".join([*parts, "━" * _WIDTH, ""])


def _head(notice: Notice, zone: tzinfo) -> str:
    return f"━━ DS01 · {date_and_time(notice.created_at, zone)} ".ljust(_WIDTH, "━")


def _body(notice: Notice) -> list[str]:
    return [
        wrapped
        for line in notice.text.split("\n")
        for wrapped in _wrapped(clean(line, _LONGEST_LINE))
    ]


def _wrapped(line: str) -> list[str]:
    indent = " " * (len(line) - len(line.lstrip(" -")))
    return textwrap.wrap(
        line, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [""]


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_timestamp(moment)
