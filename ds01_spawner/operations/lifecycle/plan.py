"""What would happen to every container now, and why: one look, and `domain.lifecycle.decide`.

Changes nothing. The service enforces what this returns; `ds01 admin lifecycle` prints it.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from ds01_spawner.domain import labels
from ds01_spawner.domain.activity import Signal, Span, Verdict
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.lifecycle import Decision, Subject, decide
from ds01_spawner.domain.limits import LifecyclePolicy
from ds01_spawner.domain.occupancy import latecomers
from ds01_spawner.domain.work import KeepAlive, PassMark, SentWarning, Track, advanced
from ds01_spawner.operations.allocation.admission import Admission
from ds01_spawner.operations.allocation.situation import Situation
from ds01_spawner.operations.lifecycle.checks import (
    EXPLAINS,
    Check,
    Checks,
    EchoesOf,
    Sources,
    common_troubles,
)
from ds01_spawner.operations.lifecycle.subjects import (
    Memory,
    first_track,
    gpu_demand,
    is_subject,
    subjects,
)
from ds01_spawner.operations.notices.echoes import Echoes
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.ports import Engine, HubClient, HubServer, KeepAliveFiles, PolicySource

NO_END = timedelta(days=36_500)
_SAME_START = timedelta(seconds=2)
_ASKED_ANEW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one look found and what is due.

    Attributes:
        mark: The moment.
        policy: The policy it was made with.
        containers: Every container of the engine.
        servers: What the hub has, by user and server; `None` when it could not be asked.
        decisions: One of each container that this installation is responsible for.
        tracks: What is to be remembered of them.
        keep_alives: Keep-alives that files ask for, new or ended since the last look.
        troubles: What could not be read, by a key that stays the same while it lasts.
        situation: What allocation would decide on; `None` where the GPUs cannot be read.
    """

    mark: PassMark
    policy: Policy
    containers: tuple[Container, ...]
    servers: Mapping[tuple[str, str], HubServer] | None
    decisions: tuple[Decision, ...]
    tracks: tuple[Track, ...] = ()
    keep_alives: tuple[KeepAlive, ...] = ()
    troubles: Mapping[str, str] = field(default_factory=dict)
    situation: Situation | None = None


class Lifecycle:
    """Looks and decides. Remembers the last look, because rates need two.

    Many threads may use it; they look one after the other.
    """

    def __init__(  # noqa: PLR0913 - the ports it stands on
        self,
        *,
        policy: PolicySource,
        engine: Engine,
        admission: Admission,
        checks: Checks,
        keep_alive_files: KeepAliveFiles,
        echoes: Echoes,
        hub: HubClient | None,
    ) -> None:
        self._policy = policy
        self._engine = engine
        self._admission = admission
        self._checks = checks
        self._files = keep_alive_files
        self._echoes = echoes
        self._one_at_a_time = threading.Lock()
        self._hub = hub

    def plan(self, memory: Memory, mark: PassMark, unseen: timedelta = timedelta(0)) -> Plan:
        """What is due now.

        Args:
            memory: What the ledger keeps.
            mark: The moment.
            unseen: Time since the look before that nobody looked at.

        Raises:
            Unavailable: The engine, the ledger or the policy cannot be read: nothing is due.
        """
        with self._one_at_a_time:
            return self._plan(memory, mark, unseen)

    def _plan(self, memory: Memory, mark: PassMark, unseen: timedelta) -> Plan:
        troubles: dict[str, str] = {}
        policy = self._policy.current()
        situation = self._situation(troubles)
        containers = (
            self._engine.containers() if situation is None else situation.snapshot.containers
        )
        sources = self._sources(mark, situation, troubles)
        site = self._admission.rules.site
        ours = [
            each for each in containers if is_subject(each, site.instance, is_main=site.is_main)
        ]
        policies = {each.id: _policies(policy, each) for each in ours}
        self._echoes.keep_only(each.id for each in containers)
        checks = self._checks.all(
            [each for each in ours if each.state.is_live],
            sources,
            lambda container: policies[container.id],
            self._echoes_in(memory),
        )
        troubles |= common_troubles(checks)
        explained = frozenset(signal for key in troubles for signal in EXPLAINS.get(key, ()))
        tracks = self._tracked(ours, memory, policies, checks, mark.wall, unseen, explained)
        if situation is not None:
            tracks = _with_conflicts(tracks, situation, mark.wall)
        kept = self._kept(ours, memory, policies, tracks, mark.wall)
        now_known = replace(
            memory,
            tracks=tuple(tracks.values()),
            keep_alives=_replaced(memory.keep_alives, kept),
        )
        tracked = [each for each in ours if each.id in tracks]
        found = self._subjects(tracked, now_known, policy, situation, checks, mark.wall)
        return Plan(
            mark=mark,
            policy=policy,
            containers=containers,
            servers=sources.servers,
            decisions=tuple(_decided(found, mark.wall, troubles)),
            tracks=tuple(tracks.values()),
            keep_alives=kept,
            troubles=MappingProxyType(troubles),
            situation=situation,
        )

    def again(self, decision: Decision, memory: Memory, mark: PassMark) -> Decision | None:
        """The decision about one container once more, on fresh figures; `None` if it is gone.

        Raises:
            Unavailable: Something needed cannot be read: nothing is decided.
        """
        with self._one_at_a_time:
            return self._again(decision, memory, mark)

    def _again(self, decision: Decision, memory: Memory, mark: PassMark) -> Decision | None:
        known = decision.subject
        container = self._engine.container(known.container.id)
        if container is None:
            return None
        policy = self._policy.current()
        situation = self._situation({})
        policies = _policies(policy, container)
        sources = self._sources(mark, situation, {})
        check = self._checks.again(container, sources, policies, self._echoes_in(memory))
        if check is None or not container.state.is_live:
            return None
        track = advanced(known.track, check.findings, policies, mark.wall)
        if not check.ran_on:  # it is not the run that was idle; its time may be up all the same
            track = replace(track, idle_checks=0, idle_since=None)
        if situation is not None:
            track = _with_conflicts({container.id: track}, situation, mark.wall)[container.id]
        kept = self._kept(
            [container], memory, {container.id: policies}, {container.id: track}, mark.wall
        )
        now_known = replace(
            memory, tracks=(track,), keep_alives=_replaced(memory.keep_alives, kept)
        )
        checks = {container.id: check}
        (subject,) = self._subjects([container], now_known, policy, situation, checks, mark.wall)
        return decide(subject, mark.wall)

    def _subjects(  # noqa: PLR0913, PLR0917 - the facts of one look
        self,
        containers: Sequence[Container],
        memory: Memory,
        policy: Policy,
        situation: Situation | None,
        checks: Mapping[str, Check],
        now: datetime,
    ) -> tuple[Subject, ...]:
        """Everything that decides about these containers, as this look found it."""
        site = self._admission.rules.site
        return subjects(
            containers,
            memory,
            policy,
            exemptions=policy.exemptions,
            instance=site.instance,
            is_main=site.is_main,
            demand=0.0 if situation is None else gpu_demand(situation.occupancy),
            now=now,
            findings={key: check.findings for key, check in checks.items()},
        )

    def _echoes_in(self, memory: Memory) -> EchoesOf:
        given: dict[str, list[SentWarning]] = defaultdict(list)
        for warning in memory.warnings:
            given[warning.container_id].append(warning)

        def echoes_of(container_id: str) -> tuple[Span, ...]:
            return self._echoes.of(container_id, given.get(container_id, ()))

        return echoes_of

    def _situation(self, troubles: dict[str, str]) -> Situation | None:
        """What allocation sees, or `None` when the GPUs cannot be read: they count as busy then."""
        try:
            return self._admission.current()
        except Unavailable as exc:
            troubles["gpus"] = str(exc)
            return None

    def _sources(
        self, mark: PassMark, situation: Situation | None, troubles: dict[str, str]
    ) -> Sources:
        servers = None
        if self._hub is not None:
            try:
                servers = self._hub.servers()
            except Unavailable as exc:
                troubles["hub"] = str(exc)
        return Sources(
            mark=mark,
            inventory=None if situation is None else situation.snapshot.inventory,
            activity={} if situation is None else situation.snapshot.activity,
            servers=servers,
        )

    def _tracked(  # noqa: PLR0913, PLR0917 - the facts of one pass
        self,
        containers: Iterable[Container],
        memory: Memory,
        policies_of: Mapping[str, LifecyclePolicy],
        checks: Mapping[str, Check],
        now: datetime,
        unseen: timedelta,
        explained: frozenset[Signal],
    ) -> dict[str, Track]:
        known = {track.container_id: track for track in memory.tracks}
        tracks: dict[str, Track] = {}
        for container in containers:
            check = checks.get(container.id)
            before = known.get(container.id)
            if check is None:
                track = self._ended(container, before, now)
            else:
                track = self._running(container, before, check)
                if track is not None:
                    policies = policies_of[container.id]
                    track = advanced(track, check.findings, policies, now, unseen)
                    track = _with_unreadable(track, check, now, policies, explained)
            if track is not None and track.container_name != container.name:
                track = replace(track, container_name=container.name)
            if track is not None:
                tracks[container.id] = track
        return tracks

    def _running(self, container: Container, track: Track | None, check: Check) -> Track | None:
        """The track of the present run, looked up when it may be another than the last."""
        compared = all(each.verdict is not Verdict.FIRST_LOOK for each in check.findings)
        if track is not None and track.ended_at is None and check.ran_on and compared:
            return track
        found = self._engine.container(container.id)
        if found is None or not found.state.is_live:
            return None
        started = found.started_at or found.created_at
        if track is None:
            return first_track(found)
        if abs(started - track.run_started_at) < _SAME_START:
            return replace(track, ended_at=None)
        return replace(
            track,
            run_started_at=started,
            idle_checks=0,
            idle_since=None,
            conflict_since=None,
            ended_at=None,
            unreadable=(),
            released=False,
        )

    def _ended(self, container: Container, track: Track | None, now: datetime) -> Track | None:
        if track is not None and track.ended_at is not None:
            return track
        found = container
        if found.finished_at is None:
            looked_up = self._engine.container(container.id)
            if looked_up is None or looked_up.state.is_live:
                return None
            found = looked_up
        track = track or first_track(found)
        ended = found.finished_at or track.ended_at
        return replace(
            track,
            ended_at=min(ended or now, now),
            idle_checks=0,
            idle_since=None,
            conflict_since=None,
        )

    def _kept(
        self,
        containers: Iterable[Container],
        memory: Memory,
        policies_of: Mapping[str, LifecyclePolicy],
        tracks: Mapping[str, Track],
        now: datetime,
    ) -> tuple[KeepAlive, ...]:
        """What `.keep-alive` files ask for that the ledger does not say yet."""
        known = {each.container_id: each for each in memory.keep_alives if each.source == "file"}
        idle = [
            container
            for container in containers
            if container.id in tracks and tracks[container.id].idle_since is not None
        ]
        touched_at = self._files.touched_at(idle)
        found = []
        for container in idle:
            touched = touched_at.get(container.id)
            before = known.get(container.id)
            if touched is None:
                if before is not None and before.until > now:
                    found.append(replace(before, until=now))
                continue
            longest = policies_of[container.id].keep_alive_max
            if before is not None and not _is_asked_anew(before, touched, longest, now):
                continue
            asked = min(touched, now)
            until = asked + (NO_END if longest is None else longest)
            user = tracks[container.id].user
            found.append(KeepAlive(container.id, asked, until, "file", user))
        return tuple(found)


def _decided(
    found: Iterable[Subject], now: datetime, troubles: dict[str, str]
) -> Iterable[Decision]:
    """A decision for each, but for one whose figures cannot be reckoned with: it is left alone."""
    for subject in found:
        try:
            yield decide(subject, now)
        except (ArithmeticError, ValueError) as exc:
            name = subject.container.name
            troubles[name] = f"{name} is left alone; its figures cannot be reckoned with: {exc}."


def _is_asked_anew(
    before: KeepAlive, touched: datetime, longest: timedelta | None, now: datetime
) -> bool:
    """Whether a file was touched again, and long enough after the last time to matter.

    One from the future was touched once, whenever that was.
    """
    if before.until <= before.granted_at or touched > now:
        return touched <= now and touched > before.granted_at
    step = _ASKED_ANEW if longest is None else min(_ASKED_ANEW, longest / 10)
    return touched - before.granted_at >= step


def _policies(policy: Policy, container: Container) -> LifecyclePolicy:
    user = labels.owner_of(container.labels) or ""
    return policy.limits(user, labels.groups_of(container.labels)).policies


def _with_conflicts(
    tracks: Mapping[str, Track], situation: Situation, now: datetime
) -> dict[str, Track]:
    late = latecomers(situation.snapshot.containers, situation.snapshot.inventory)
    changed = {
        key: replace(track, conflict_since=now if key in late else None)
        for key, track in tracks.items()
        if (key in late) != (track.conflict_since is not None)
    }
    return {**tracks, **changed}


def _with_unreadable(
    track: Track,
    check: Check,
    now: datetime,
    policies: LifecyclePolicy,
    explained: frozenset[Signal],
) -> Track:
    """With the signals that cannot be read, but for what a trouble of all of them explains.

    One that was not asked this time is as it was. While a server starts, its silence is no news.
    """
    if now - track.run_started_at < policies.startup_grace:
        return track
    asked = {each.signal for each in check.findings}
    lost = {each.signal for each in check.findings if each.verdict is Verdict.UNREADABLE}
    before = {Signal(each) for each in track.unreadable}
    unreadable = tuple(sorted((before - asked) | (lost - (explained - before))))
    return track if track.unreadable == unreadable else replace(track, unreadable=unreadable)


def _replaced(known: Sequence[KeepAlive], changed: Sequence[KeepAlive]) -> tuple[KeepAlive, ...]:
    keys = {(each.container_id, each.source) for each in changed}
    kept = [each for each in known if (each.container_id, each.source) not in keys]
    return (*kept, *changed)
