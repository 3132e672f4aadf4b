"""The audit log and notices: what concerns oneself, or everything for managers."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from ds01_spawner.adapters.event_search import Expired, search_events
from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.composition import Platform
from ds01_spawner.domain import notice
from ds01_spawner.domain.errors import InvalidRequest, Unavailable
from ds01_spawner.domain.labels import format_timestamp, parse_timestamp
from ds01_spawner.gateway.api.ask import Answer, Api, Ask
from ds01_spawner.gateway.api.requester import Requester, subject_of

NOTICES_SHOWN = timedelta(days=90)


class History:
    """Answers about what happened."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"listEvents": self.events, "listNotices": self.notices}

    async def events(self, ask: Ask) -> m.Events:
        """One page of the log, the newest first."""
        query = ask.asked(m.EventsQuery)
        wanted = _Wanted(ask.requester, query)

        def read(platform: Platform) -> m.Events:
            try:
                page = search_events(
                    platform.directories.events,
                    wanted,
                    limit=query.limit,
                    cursor=query.cursor,
                    holding=wanted.user,
                )
            except Expired as exc:
                raise InvalidRequest(f"{exc}.", "Begin again without a cursor.") from exc
            except (OSError, EOFError) as exc:
                raise Unavailable(
                    "The event log cannot be read.", "Tell an administrator."
                ) from exc
            return m.Events(events=tuple(map(_event, page.found)), next=page.following)

        return await ask.run(self._api, read)

    async def notices(self, ask: Ask) -> m.Notices:
        """One page of notices, the newest first."""
        query = ask.asked(m.NoticesQuery)
        user = subject_of(ask.requester, query.user, Role.MANAGER)

        def read(platform: Platform) -> m.Notices:
            found = notices_of(platform, user, NOTICES_SHOWN)
            if query.cursor is not None:
                found = [each for each in found if _key(each) < query.cursor]
            page = found[: query.limit]
            more = len(found) > len(page)
            return m.Notices(
                notices=tuple(map(notice_view, page)), next=_key(page[-1]) if more else None
            )

        return await ask.run(self._api, read)


class _Wanted:
    """Whether an event is asked for, and may be seen.

    Attributes:
        user: Whose alone; `None` for everybody's.
    """

    def __init__(self, requester: Requester, query: m.EventsQuery) -> None:
        self._query = query
        self.user = query.user if requester.may(Role.MANAGER) else requester.user

    def __call__(self, fields: Mapping[str, object]) -> bool:
        """Whether it is."""
        query = self._query
        if self.user is not None and fields.get("user") != self.user:
            return False
        if query.action is not None and not fnmatchcase(str(fields.get("action")), query.action):
            return False
        moment = parse_timestamp(str(fields.get("ts")))
        if moment is None:
            return False
        return not (
            (query.since is not None and moment < query.since)
            or (query.until is not None and moment >= query.until)
        )


def notices_of(platform: Platform, user: str, age: timedelta) -> list[notice.Notice]:
    """What somebody was told, the newest first.

    Raises:
        Unavailable: The ledger cannot be read.
    """
    with platform.ledger.transaction() as transaction:
        every = transaction.notices_since(platform.clock.now() - age)
    return sorted((each for each in every if each.user == user), key=_key, reverse=True)


def notice_view(each: notice.Notice) -> m.Notice:
    """A notice as it is sent."""
    return m.Notice(
        id=each.id,
        user=each.user,
        kind=each.kind.value,
        created_at=each.created_at,
        title=each.title,
        text=each.text,
        name=each.name,
        rule=each.rule,
        value=each.value,
        origin=each.origin,
        deadline=each.deadline,
        keep_until=each.keep_until,
    )


def _key(each: notice.Notice) -> str:
    return f"{format_timestamp(each.created_at)} {each.id}"


def _event(fields: Mapping[str, Any]) -> m.AuditEvent:
    details = fields.get("details")
    return m.AuditEvent(
        ts=_moment(fields.get("ts")),
        user=None if fields.get("user") is None else str(fields["user"]),
        action=str(fields.get("action", "")),
        resource=str(fields.get("resource", "")),
        actor=str(fields.get("actor", "")),
        interface=str(fields.get("interface", "")),
        outcome=str(fields.get("outcome", "")),
        reason=str(fields.get("reason", "")),
        details=details if isinstance(details, dict) else {},
    )


def _moment(text: object) -> datetime:
    moment = parse_timestamp(str(text))
    assert moment is not None  # noqa: S101 - others are not wanted
    return moment
