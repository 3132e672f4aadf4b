"""For administrators: who there is, what a crash left behind, and whether every part answers."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from ds01_spawner.client import models as m
from ds01_spawner.composition import Platform
from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.container_owner import is_made_elsewhere
from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.domain.limits import Limits
from ds01_spawner.gateway.api.ask import Answer, Api, Ask
from ds01_spawner.operations.allocation.gpu_status import containers_elsewhere
from ds01_spawner.operations.allocation.situation import Situation
from ds01_spawner.operations.health.health import Health, health_json
from ds01_spawner.operations.repair.reconcile import Report

LOOK_SECONDS = 5.0
"""Between the two looks that must find what may be at work, or on its way back."""


class Admin:
    """Answers administrators."""

    def __init__(self, api: Api, sleep: Callable[[float], None] = time.sleep) -> None:
        self._api = api
        self._sleep = sleep
        self._lock = threading.Lock()
        self._health: Health | None = None

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"listPeople": self.people, "reconcile": self.reconcile, "getHealth": self.health}

    async def people(self, ask: Ask) -> m.People:
        """One page of everybody, by name."""
        query = ask.asked(m.PageQuery)

        def read(platform: Platform) -> m.People:
            situation = platform.admission.current(ask.max_age)
            every = _names(platform, situation)
            begin = query.cursor or ""
            rest = [user for user in every if user > begin]
            page = rest[: query.limit]
            return m.People(
                people=tuple(_people(platform, situation, page)),
                next=page[-1] if len(rest) > len(page) else None,
            )

        return await ask.run(self._api, read)

    async def reconcile(self, ask: Ask) -> m.Reconciliation:
        """Remove what a crash left behind, or only say what it is."""
        dry_run = ask.asked(m.ReconcileQuery).dry_run

        def repair(platform: Platform) -> m.Reconciliation:
            report = platform.reconciler(self._api.hub).by_hand(
                lambda: self._sleep(LOOK_SECONDS), dry_run=dry_run
            )
            return m.Reconciliation(
                dry_run=dry_run, repaired=tuple(_repaired(report)), notes=report.notes
            )

        return await ask.run(self._api, repair)

    async def health(self, ask: Ask) -> m.Health:
        """How every part is."""
        return await ask.run(self._api, self._look)

    def _look(self, platform: Platform) -> m.Health:
        with self._lock:
            self._health = self._health or platform.health(lambda: self._api.hub, inside=True)
        taken_at = platform.clock.now()
        return m.Health.model_validate(health_json(self._health.look(), taken_at))


def _names(platform: Platform, situation: Situation) -> list[str]:
    own = _own_containers(platform, situation)
    owners = {labels.owner_of(each.labels) for each in own}
    with platform.ledger.transaction() as transaction:
        measured = {each.user for each in transaction.storage()}
    every = {*platform.policy.current().users, *owners, *measured}
    return sorted(user for user in every if user)


def _people(platform: Platform, situation: Situation, page: Iterable[str]) -> Iterable[m.Person]:
    own = _own_containers(platform, situation)
    known = Counter(labels.owner_of(each.labels) for each in own)
    elsewhere = containers_elsewhere(situation.snapshot, platform.instance)
    with platform.ledger.transaction() as transaction:
        measured = {each.user: each.size_bytes for each in transaction.storage()}
    for user in page:
        limits = _limits(platform, user)
        yield m.Person(
            user=user,
            group=limits.group if limits else None,
            containers=known[user],
            running=sum(name not in elsewhere for name in situation.occupancy.containers_of(user)),
            gpu_slots=sum(use.container not in elsewhere for use in situation.occupancy.of(user)),
            storage_bytes=measured.get(user),
            storage_limit_bytes=limits.storage_bytes if limits else None,
        )


def _own_containers(platform: Platform, situation: Situation) -> list[Container]:
    """Those of this installation, and those that name none."""
    instance = platform.instance
    every = situation.snapshot.containers
    return [each for each in every if not is_made_elsewhere(each, instance)]


def _limits(platform: Platform, user: str) -> Limits | None:
    try:
        return platform.admission.limits(user)
    except (Forbidden, Unavailable):
        return None


def _repaired(report: Report) -> Iterable[m.Repaired]:
    for repair in report.repairs:
        yield m.Repaired(what=repair.container.name, action=repair.action, reason=repair.reason)
    for leftover in report.leftovers:
        yield m.Repaired(what=str(leftover), action=leftover.action, reason=leftover.reason)
