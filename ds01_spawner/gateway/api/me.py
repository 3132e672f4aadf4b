"""Everything about whoever asks, in one answer: what a first page shows."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from ds01_spawner.client import models as m
from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.domain.limits import Limits
from ds01_spawner.gateway.api import containers, queue
from ds01_spawner.gateway.api.ask import Answer, Api, Ask
from ds01_spawner.gateway.api.history import notice_view, notices_of
from ds01_spawner.gateway.api.policies import explanation_of, groups_of
from ds01_spawner.operations.allocation.situation import Situation

NOTICES_OF = timedelta(days=7)
MOST_NOTICES = 20


class Me:
    """Answers who somebody is."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"getMe": self.me}

    async def me(self, ask: Ask) -> m.Me:
        """Who asks, what they may use, and what they have."""
        url = self._api.hub_url
        return await ask.run(self._api, lambda platform: _me(platform, ask, url))


def _me(platform: Platform, ask: Ask, hub_url: str | None) -> m.Me:
    requester = ask.requester
    user = requester.user
    situation = platform.admission.current(ask.max_age)
    try:
        groups = groups_of(platform, user)  # once: each look-up is a thread of its own
        explanation = explanation_of(platform, user, requester.hub_groups, groups)
        limits = platform.policy.current().limits(user, requester.hub_groups, groups)
    except Forbidden:  # root, and other accounts that are no person's
        explanation, limits = None, None
    seen = containers.read(platform, user, ask.max_age)
    notes = list(seen.notes)
    return m.Me(
        user=user,
        role=requester.role,
        interface=requester.interface,
        explanation=explanation,
        usage=() if limits is None else tuple(_usage(platform, user, limits, situation, notes)),
        containers=seen.containers,
        tickets=tuple(
            each for each in queue.shown(platform, situation).tickets if each.user == user
        ),
        notices=tuple(map(notice_view, notices_of(platform, user, NOTICES_OF)[:MOST_NOTICES])),
        notes=tuple(notes),
        hub_url=hub_url,
    )


def _usage(
    platform: Platform, user: str, limits: Limits, situation: Situation, notes: list[str]
) -> Iterable[m.Usage]:
    held = situation.occupancy.of(user)
    running = len(situation.occupancy.containers_of(user))
    equivalents = sum(use.slot.equivalents for use in held)
    yield _of("max_containers_per_user", running, limits.max_containers_per_user)
    yield _of("max_gpu_slots", len(held), limits.max_gpu_slots)
    yield _of("max_gpu_equivalents", round(equivalents, 4), limits.max_gpu_equivalents)
    with platform.ledger.transaction() as transaction:
        measured = transaction.storage(user)
    yield _of("storage", measured[0].size_bytes if measured else None, limits.storage_bytes)
    try:
        kernel = platform.cgroups.usage(limits.group, user)
    except Unavailable as exc:
        kernel = None
        notes.append(str(exc.told))
    memory, pids = (kernel.memory_bytes, kernel.pids) if kernel else (None, None)
    yield _of("aggregate.memory", memory, limits.aggregate.memory_bytes)
    yield _of("aggregate.pids", pids, limits.aggregate.pids)


def _of(limit: str, used: float | None, allowed: float | None) -> m.Usage:
    return m.Usage(limit=limit, used=used, allowed=allowed)
