"""People's containers: what lies ahead of them, starting, stopping, keeping, giving back."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import timedelta

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.composition import Platform
from ds01_spawner.domain import labels, names
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.errors import Conflict, DS01Error, InvalidRequest, NotFound
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.notice_text import Moment
from ds01_spawner.domain.units import parse_duration
from ds01_spawner.domain.work import RuleStop
from ds01_spawner.gateway.api.ask import Answer, Api, Ask
from ds01_spawner.gateway.api.hub_servers import HubServers
from ds01_spawner.gateway.api.own_containers import (
    again_of,
    container_named,
    is_older,
    proven,
    runs_of,
)
from ds01_spawner.gateway.api.requester import subject_of
from ds01_spawner.operations.allocation.observe import AT_ONCE
from ds01_spawner.operations.lifecycle.outlook import ContainerOutlook, Forecast
from ds01_spawner.operations.lifecycle.outlook_text import (
    container_facts,
    name_of_stop,
    sentences,
    stop_facts,
    stop_sentence,
)

INTERFACE = Interface.API.value


class Containers:
    """Answers about containers."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._servers = HubServers(api.hub)

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {
            "listContainers": self.every,
            "getContainer": self.one,
            "startContainer": self.start,
            "stopContainer": self.stop,
            "restartContainer": self.restart,
            "retireContainer": self.retire,
            "removeContainer": self.remove,
            "extendContainer": self.extend,
        }

    async def every(self, ask: Ask) -> m.Containers:
        """One's own; somebody's, or everybody's, for managers."""
        query = ask.asked(m.ContainersQuery)
        whose = None if query.all else subject_of(ask.requester, query.user, Role.MANAGER)
        if query.all and not ask.requester.may(Role.MANAGER):
            whose = ask.requester.user
        return await ask.run(self._api, lambda platform: read(platform, whose, ask.max_age))

    async def one(self, ask: Ask) -> m.Container:
        """One container."""
        user = subject_of(ask.requester, ask.asked(m.OwnerQuery).user, Role.MANAGER)
        return await ask.run(
            self._api,
            lambda platform: view(platform, container_named(platform, user, ask.parts["name"])),
        )

    async def start(self, ask: Ask) -> m.Container:
        """Start it, if it does not run: through the hub, where it is the hub's."""
        user = subject_of(ask.requester, ask.asked(m.OwnerQuery).user, Role.ADMIN)

        def start(platform: Platform) -> m.Container:
            found = container_named(platform, user, ask.parts["name"])
            container = proven(platform, found)
            if labels.origin_of(container.labels) is not Interface.HUB:
                platform.starts.start(container.id, user)
            elif not container.state.is_live:
                self._servers.start(container)
            return view(platform, again_of(platform, container) or found)

        return await ask.run(self._api, start)

    async def stop(self, ask: Ask) -> m.Container:
        """Stop it; one that has stopped stays so."""
        user = subject_of(ask.requester, ask.asked(m.OwnerQuery).user, Role.ADMIN)

        def stop(platform: Platform) -> m.Container:
            found = container_named(platform, user, ask.parts["name"])
            container = proven(platform, found)
            self._stop(platform, container)
            again = again_of(platform, container)
            if again is None:
                raise NotFound(f"{found.name} has been removed.", "Your home folder stays.")
            return view(platform, again)

        return await ask.run(self._api, stop)

    async def retire(self, ask: Ask) -> m.Removed:
        """Stop it and remove it: its slot is free at once."""
        user = subject_of(ask.requester, ask.asked(m.OwnerQuery).user, Role.ADMIN)

        def retire(platform: Platform) -> m.Removed:
            found = container_named(platform, user, ask.parts["name"])
            return self._gone(platform, found, proven(platform, found))

        return await ask.run(self._api, retire)

    async def remove(self, ask: Ask) -> m.Removed:
        """Remove a stopped one; `force` also stops it, as `retire` does."""
        query = ask.asked(m.RemoveQuery)
        user = subject_of(ask.requester, query.user, Role.ADMIN)

        def remove(platform: Platform) -> m.Removed:
            found = container_named(platform, user, ask.parts["name"])
            container = proven(platform, found)
            if container.state.is_live and not query.force:
                raise Conflict(
                    f"{found.name} is {container.state.value}.",
                    "Stop it first, or have it stopped and removed at once (force).",
                )
            return self._gone(platform, found, container)

        return await ask.run(self._api, remove)

    async def restart(self, ask: Ask) -> m.Container:
        """Stop it, if it runs, and start it: through the hub, where it is the hub's."""
        user = subject_of(ask.requester, ask.asked(m.OwnerQuery).user, Role.ADMIN)

        def restart(platform: Platform) -> m.Container:
            found = container_named(platform, user, ask.parts["name"])
            container = proven(platform, found)
            if labels.origin_of(container.labels) is Interface.HUB:
                self._stop(platform, container)
                self._servers.start(container)
            else:
                if container.state.is_live:  # no hold: it does not go, whatever the policy says
                    grace = platform.admission.limits(user).policies.sigterm_grace
                    platform.engine.stop(container.id, grace)
                    _record(platform, "container.stop", container)
                platform.starts.start(container.id, user)
            return view(platform, again_of(platform, container) or found)

        return await ask.run(self._api, restart)

    async def extend(self, ask: Ask) -> m.Extended:
        """Keep it running although nobody uses it."""
        requester = ask.requester
        user = subject_of(requester, ask.asked(m.OwnerQuery).user, Role.ADMIN)
        duration = _duration(ask.sent(m.ExtendRequest).duration)

        def extend(platform: Platform) -> m.Extended:
            kept = platform.keep_alives.ask(
                user, ask.parts["name"], duration, source=INTERFACE, by=requester.user
            )
            return m.Extended(
                name=kept.name,
                until=kept.until,
                shortened=kept.shortened,
                ends_anyway=None if kept.ends_anyway is None else kept.ends_anyway.words,
            )

        return await ask.run(self._api, extend)

    def _gone(self, platform: Platform, found: ContainerOutlook, container: Container) -> m.Removed:
        """It is stopped and removed."""
        self._stop(platform, container)
        _remove(platform, container)
        left = platform.engine.container(container.id)
        if left is not None:
            raise Conflict(
                f"{found.name} has not been removed: it is {left.state.value}.",
                "Try again in a moment.",
            )
        return m.Removed(name=found.name)

    def _stop(self, platform: Platform, container: Container) -> None:
        if not container.state.is_live:
            return
        if labels.origin_of(container.labels) is Interface.HUB:
            self._servers.stop(container, lambda: runs_of(platform, container.id))
            return
        if is_older(container):
            limits = platform.admission.limits(labels.owner_of(container.labels) or "")
            platform.engine.stop(container.id, limits.policies.sigterm_grace)
            _record(platform, "container.stop", container)
            return
        platform.servers.stop(container.name, interface=INTERFACE)


def read(platform: Platform, user: str | None, max_age: timedelta = AT_ONCE) -> m.Containers:
    """The containers of one person, or of everybody.

    Raises:
        Unavailable: Engine, ledger or policy cannot be read.
    """
    forecast = platform.outlook.read(max_age)
    return shown_of(platform, forecast if user is None else forecast.of(user))


def shown_of(platform: Platform, forecast: Forecast) -> m.Containers:
    """A forecast as it is sent."""
    sessions = _sessions(platform, {each.container_id for each in forecast.containers})
    return m.Containers(
        taken_at=forecast.taken_at,
        containers=tuple(
            view(platform, each, sessions.get(each.container_id, 0)) for each in forecast.containers
        ),
        gone=tuple(
            m.Gone(
                name=name_of_stop(each),
                user=each.user,
                container=each.container_name,
                stopped_by=m.StoppedByRule.model_validate(stop_facts(each)),
            )
            for each in forecast.gone
        ),
        notes=forecast.notes,
    )


def view(platform: Platform, found: ContainerOutlook, sessions: int | None = None) -> m.Container:
    """A container as it is sent; its SSH sessions are counted where nobody did."""
    if sessions is None:
        sessions = _sessions(platform, {found.container_id}).get(found.container_id, 0)
    moment = Moment(platform.clock.now(), platform.zone)
    is_server = found.interface is Interface.HUB
    facts = {
        **container_facts(found),
        "image": found.image,
        "project": found.project,
        "created_at": found.created_at,
        "gpu_profiles": found.gpu_profiles,
        "server": _server_name(found.name) if is_server else None,
        "sentences": _told(found, found.stopped_by, moment),
        "ssh_sessions": sessions,
    }
    return m.Container.model_validate(facts)


def _sessions(platform: Platform, wanted: AbstractSet[str]) -> Mapping[str, int]:
    """SSH sessions of these containers; nobody is refused a list where they cannot be told."""
    try:
        containers = [each for each in platform.engine.containers() if each.id in wanted]
        return platform.usage.ssh_sessions(containers)
    except DS01Error:
        return {}


def _told(found: ContainerOutlook, stop: RuleStop | None, moment: Moment) -> list[str]:
    before = [] if stop is None else [stop_sentence(stop, moment)]
    return [*before, *sentences(found, moment)]


def _server_name(name: str) -> str:
    return "" if name == names.DEFAULT_SERVER else name


def _remove(platform: Platform, container: Container) -> None:
    if not is_older(container):
        platform.servers.discard(container.name, interface=INTERFACE)
        return
    platform.engine.remove(container.id)
    _record(platform, "container.remove", container)


def _record(platform: Platform, action: str, container: Container) -> None:
    platform.audit.write(
        action,
        user=labels.owner_of(container.labels),
        resource=container.name,
        interface=INTERFACE,
        details={"id": container.id},
    )


def _duration(text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as exc:
        raise InvalidRequest(f"duration: {exc}.") from exc
