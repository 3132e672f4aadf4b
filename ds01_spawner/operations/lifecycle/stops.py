"""Carries a stop by rule out: after one more look, through the hub or the engine, and recorded.

What is recorded before and after lets the next process carry on wherever this one dies.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from ds01_spawner.domain import labels
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Conflict, Unavailable
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.lifecycle import Countdown, Decision
from ds01_spawner.domain.work import Rule, RuleStop
from ds01_spawner.operations.audit.lines import Audit
from ds01_spawner.operations.audit.troubles import SERVICE
from ds01_spawner.operations.lifecycle.plan import Lifecycle
from ds01_spawner.operations.lifecycle.subjects import Memory
from ds01_spawner.operations.lifecycle.telling import Telling
from ds01_spawner.ports import Clock, Engine, HubClient, HubServer, Ledger

RECHECK_AFTER = timedelta(seconds=5)
"""The last look is at least this old at the next: shares of a CPU need some time to mean much."""

_ACTIONS = {
    Rule.IDLE: "cleanup.idle",
    Rule.RUNTIME: "cleanup.runtime",
    Rule.CONFLICT: "cleanup.conflict",
}
_POLL_SECONDS = 0.5
_HUB_MARGIN = timedelta(seconds=15)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a stop waits.

    Attributes:
        recheck_after: From the look that led to it to the one that confirms it.
        wait: Sleeps so many seconds.
    """

    recheck_after: timedelta = RECHECK_AFTER
    wait: Callable[[float], None] = time.sleep


class Stops:
    """Stops containers by rule. Safe to use from several threads, for different containers."""

    def __init__(  # noqa: PLR0913 - the ports it stands on
        self,
        *,
        clock: Clock,
        ledger: Ledger,
        engine: Engine,
        hub: HubClient | None,
        lifecycle: Lifecycle,
        telling: Telling,
        audit: Audit,
        patience: Patience | None = None,
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._engine = engine
        self._hub = hub
        self._lifecycle = lifecycle
        self._telling = telling
        self._audit = audit
        self._patience = patience or Patience()

    def carry_out(
        self, decision: Decision, servers: Mapping[tuple[str, str], HubServer] | None
    ) -> bool:
        """Stop a container, unless something works in it after all; whether it was stopped.

        Args:
            decision: One with a stop that is due.
            servers: What the hub has, or `None` when it could not be asked.

        Raises:
            Unavailable: Something did not answer; the next pass tries again.
        """
        container = decision.subject.container
        through_hub = container.labels.get(labels.INTERFACE) == Interface.HUB
        server = labels.hub_server_of(container.labels)
        if through_hub and servers is None:
            raise Unavailable(
                f"{container.name} is not stopped while the hub does not answer: the hub would "
                "take it for a crash."
            )
        if through_hub and servers is not None and server in servers and not servers[server].ready:
            raise Unavailable(f"{container.name} is not stopped while the hub is at work on it.")
        confirmed = self._confirmed(decision)
        if confirmed is None or confirmed.stop is None:
            self._spare(decision)
            return False
        stop = self._decided(confirmed, confirmed.stop)
        grace = confirmed.subject.policies.sigterm_grace
        if through_hub and servers is not None and server in servers:
            self._through_hub(container, server, grace)
        else:
            self._engine.stop(container.id, grace)
        self.finish(stop, confirmed.subject.container, confirmed.stop)
        _log.info("%s stopped: %s", container.name, stop.reason)
        return True

    def _decided(self, decision: Decision, countdown: Countdown) -> RuleStop:
        """The record of this stop, made before the deed: what cannot be audited is not done.

        One that was tried before and did not succeed has its record already.
        """
        stop = self._telling.rule_stop(decision, countdown, self._clock.now())
        with self._ledger.transaction() as transaction:
            for known in transaction.rule_stops():
                if (
                    known.container_id == stop.container_id
                    and known.rule is stop.rule
                    and known.done_at is None
                ):
                    return known
            transaction.put_rule_stop(stop)
            self._record("lifecycle.stop", stop, decision.subject.container, countdown)
        return stop

    def finish(
        self, stop: RuleStop, container: Container | None, countdown: Countdown | None = None
    ) -> None:
        """Write down, once, that a stop by rule is done, and tell the owner."""
        with self._ledger.transaction() as transaction:
            known = [
                each
                for each in transaction.rule_stops()
                if each.container_id == stop.container_id and each.done_at is None
            ]
            if not known:
                return
            done = replace(known[0], done_at=self._clock.now())
            transaction.put_rule_stop(done)
            self._telling.stopped(transaction, done)
            self._record(_ACTIONS[stop.rule], done, container, countdown)

    def _record(
        self,
        action: str,
        stop: RuleStop,
        container: Container | None,
        countdown: Countdown | None,
    ) -> None:
        marks = {} if container is None else container.labels
        since = None if countdown is None else labels.format_timestamp(countdown.began_at)
        self._audit.write(
            action,
            user=stop.user,
            resource=stop.container_name,
            interface=SERVICE,
            reason=stop.reason,
            details={
                "id": stop.container_id,
                "slots": marks.get(labels.GPU_SLOTS, ""),
                "rule": stop.key,
                "value": stop.value,
                "origin": stop.origin,
                "since": since,
            },
        )

    def _confirmed(self, decision: Decision) -> Decision | None:
        """The decision on fresh figures; a kernel that became busy in between lives."""
        self._patience.wait(self._patience.recheck_after.total_seconds())
        with self._ledger.transaction() as transaction:
            memory = Memory.read(transaction)
        return self._lifecycle.again(decision, memory, self._clock.mark())

    def _spare(self, decision: Decision) -> None:
        container = decision.subject.container
        _log.info("%s goes on: something works in it after all", container.name)
        self.withdraw(container.id)

    def withdraw(self, container_id: str) -> None:
        """Forget a stop that was decided and is not carried out."""
        with self._ledger.transaction() as transaction:
            transaction.remove_rule_stops(
                [
                    each
                    for each in transaction.rule_stops()
                    if each.container_id == container_id and each.done_at is None
                ]
            )

    def _through_hub(self, container: Container, server: tuple[str, str], grace: timedelta) -> None:
        """Have the hub stop its server, and wait until the container has stopped.

        Raises:
            Unavailable: It has not within the grace and a margin.
        """
        assert self._hub is not None  # noqa: S101 - there are servers, so there is a hub
        try:
            self._hub.stop(*server)
        except Conflict as exc:
            raise Unavailable(f"{container.name} is not stopped yet: {exc}") from exc
        left = (grace + _HUB_MARGIN).total_seconds()
        while left > 0:
            found = self._engine.container(container.id)
            if found is None or not found.state.is_live:
                return
            self._patience.wait(_POLL_SECONDS)
            left -= _POLL_SECONDS
        raise Unavailable(f"The hub was told to stop {container.name}, and it runs still.")
