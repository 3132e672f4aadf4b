"""The API, typed: what it answers are models, what it refuses are the platform's own errors."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from typing import TypeVar
from urllib.parse import quote

import httpx

from ds01_spawner.client import models as m
from ds01_spawner.client.asking import DEED_SECONDS, Asking, M
from ds01_spawner.client.docker_stream import on_socket
from ds01_spawner.client.joining import followed
from ds01_spawner.client.models.base import MOST_ON_A_PAGE
from ds01_spawner.client.streams import Session, Wanted
from ds01_spawner.client.web_stream import behind_hub
from ds01_spawner.domain.errors import InvalidRequest, Unavailable
from ds01_spawner.domain.names import DEFAULT_SERVER
from ds01_spawner.domain.units import format_duration

W = TypeVar("W", bound=m.Wire)


class Client(Asking):
    """Speaks to one API; safe to share between threads. Close it, or use it in a `with`.

    Args:
        http: Knows where the API is and who asks; see `places`.
        socket: The Unix socket that it is on; `None` behind a hub.
        sleep: Holds back a question that came too soon, for some seconds.
    """

    def __init__(
        self,
        http: httpx.Client,
        *,
        socket: str | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        super().__init__(http, sleep)
        self._socket = socket

    def me(self) -> m.Me:
        """Who asks, what they may use, and what they have."""
        return self._get("/me", m.Me)

    def notices(self, user: str | None = None) -> Iterator[m.Notice]:
        """What somebody was told, the newest first; pages are fetched as they are needed."""
        for page in self._pages("/notices", m.Notices, user=user):
            yield from page.notices

    def containers(self, *, user: str | None = None, everybody: bool = False) -> m.Containers:
        """One's own; somebody's, or everybody's, for managers."""
        return self._get("/containers", m.Containers, user=user, all=everybody or None)

    def container(self, name: str, *, user: str | None = None) -> m.Container:
        """One container."""
        return self._get(_of(name), m.Container, user=user)

    def create(
        self,
        wanted: m.CreateRequest,
        *,
        on_place: Callable[[m.Place], None] | None = None,
        on_step: Callable[[m.Step], None] | None = None,
    ) -> m.Container:
        """Make a container, after a wait for a GPU if need be.

        When this is broken off (Ctrl-C, an exception of a callback), nothing of it is left.

        Args:
            wanted: The container.
            on_place: Called with the place in the queue, whenever it changes.
            on_step: Called when something that takes a while begins.
        """
        end = self._made("/containers", wanted, m.Container, on_place, on_step)
        if end is None:
            raise Unavailable("The gateway broke off before the container was made.", "Try again.")
        return end

    def _made(
        self,
        path: str,
        wanted: m.Wire,
        model: type[M],
        on_place: Callable[[m.Place], object] | None,
        on_step: Callable[[m.Step], object] | None,
    ) -> M | None:
        """What is made after places and steps; `None` where the stream ends before it."""
        models: dict[str, type[m.Wire]] = {"place": m.Place, "step": m.Step, "end": model}
        events = self._events(path, models, body=wanted, silence_seconds=DEED_SECONDS)
        with closing(events):
            for event in events:
                if isinstance(event, model):
                    return event
                if isinstance(event, m.Place) and on_place is not None:
                    on_place(event)
                if isinstance(event, m.Step) and on_step is not None:
                    on_step(event)
        return None

    def plan(self, wanted: m.CreateRequest) -> m.Plan:
        """What `create` would come to now; nothing is made."""
        return self._post("/containers/plan", m.Plan, wanted)

    def start(self, name: str, *, user: str | None = None, key: str | None = None) -> m.Container:
        """Start a stopped container."""
        return self._post(f"{_of(name)}/start", m.Container, key=key, user=user)

    def stop(self, name: str, *, user: str | None = None, key: str | None = None) -> m.Container:
        """Stop a container; it keeps its GPU for a while."""
        return self._post(f"{_of(name)}/stop", m.Container, key=key, user=user)

    def restart(self, name: str, *, user: str | None = None, key: str | None = None) -> m.Container:
        """Stop a container and start it again."""
        return self._post(f"{_of(name)}/restart", m.Container, key=key, user=user)

    def pause(self, name: str, *, user: str | None = None, key: str | None = None) -> m.Container:
        """Hold every process of a container still."""
        return self._post(f"{_of(name)}/pause", m.Container, key=key, user=user)

    def unpause(self, name: str, *, user: str | None = None, key: str | None = None) -> m.Container:
        """Let a paused container go on."""
        return self._post(f"{_of(name)}/unpause", m.Container, key=key, user=user)

    def remove(
        self, name: str, *, force: bool = False, user: str | None = None, key: str | None = None
    ) -> m.Removed:
        """Remove a stopped container; with `force`, a running one is stopped first."""
        return self._delete(_of(name), m.Removed, key=key, force=force or None, user=user)

    def stats(
        self, name: str | None = None, *, user: str | None = None, everybody: bool = False
    ) -> m.Stats:
        """What one's containers use, or one of them; somebody's, or everybody's, for managers."""
        return self._get("/containers/stats", m.Stats, name=name, user=user, all=everybody or None)

    def follow_stats(
        self, name: str | None = None, *, user: str | None = None, everybody: bool = False
    ) -> Iterator[m.Stats]:
        """The same, every 2 s."""
        path, models = "/containers/stats/events", {"stats": m.Stats}
        yield from self._events(path, models, name=name, user=user, all=everybody or None)

    def exec(  # noqa: PLR0913 - what a command is run with
        self,
        name: str,
        command: Sequence[str],
        *,
        tty: bool = False,
        size: tuple[int, int] | None = None,
        environment: Mapping[str, str] | None = None,
        workdir: str | None = None,
        user: str | None = None,
    ) -> Session:
        """Run a command in a running container; the session with it, to be used in a `with`.

        Args:
            name: The container.
            command: The program and its arguments.
            tty: Whether it gets a terminal.
            size: Rows and columns of that.
            environment: Variables beside the container's own.
            workdir: Where it begins; `None` for where the container does.
            user: Whose container, for administrators on the server's socket.
        """
        if not command:
            raise InvalidRequest("No command is given.", "Give one after the container's name.")
        known = size if size is not None and min(size) > 0 else None
        wanted = Wanted(tuple(command), tty, known, dict(environment or {}), workdir)
        if self._socket is None:
            return behind_hub(self._http, name, wanted)
        return on_socket(self._http, self._socket, self.container(name, user=user).id, wanted)

    def retire(self, name: str, *, user: str | None = None, key: str | None = None) -> m.Removed:
        """Stop a container and remove it: its GPU is free at once."""
        return self._post(f"{_of(name)}/retire", m.Removed, key=key, user=user)

    def extend(
        self,
        name: str,
        duration: timedelta | None = None,
        *,
        user: str | None = None,
        key: str | None = None,
    ) -> m.Extended:
        """Keep a container running although nobody uses it, as long as is allowed or shorter."""
        text = None if duration is None else format_duration(duration)
        body = m.ExtendRequest(duration=text)
        return self._post(f"{_of(name)}/extend", m.Extended, body, key=key, user=user)

    def logs(self, name: str, lines: int = 200, *, user: str | None = None) -> m.Logs:
        """The last lines of a container's output."""
        return self._get(f"{_of(name)}/logs", m.Logs, lines=lines, user=user)

    def follow_logs(
        self, name: str, lines: int = 200, *, user: str | None = None
    ) -> Iterator[m.LogText | m.LogEnd]:
        """The last lines of a container's output, then what it says, and how it ends."""
        models: dict[str, type[m.LogText | m.LogEnd]] = {"log": m.LogText, "end": m.LogEnd}
        for event in self._events(f"{_of(name)}/logs/events", models, lines=lines, user=user):
            if not isinstance(event, m.LogText) or event.text:
                yield event

    def servers(self) -> m.Servers:
        """One's JupyterLab servers in the hub, running or not."""
        return self._get("/servers", m.Servers)

    def server_options(self) -> m.ServerOptions:
        """What one may start a server with, now."""
        return self._get("/servers/options", m.ServerOptions)

    def start_server(
        self,
        wanted: m.ServerRequest,
        *,
        on_place: Callable[[m.Place], None] | None = None,
        on_step: Callable[[m.Step], None] | None = None,
    ) -> m.Server:
        """Have the hub start a server, after a wait for a GPU if need be.

        When this is broken off, the start goes on; `stop_server` ends it. When the connection
        breaks, it is joined again.

        Args:
            wanted: The server.
            on_place: Called with the place in the queue, whenever it changes.
            on_step: Called when something that takes a while begins.
        """
        news: list[m.Wire] = []

        def heard(tell: Callable[[W], None] | None) -> Callable[[W], None]:
            def told(event: W) -> None:
                news.append(event)
                if tell is not None:
                    tell(event)

            return told

        def ask() -> m.Server | None:
            return self._made("/servers", wanted, m.Server, heard(on_place), heard(on_step))

        def look() -> m.Server | None:
            found = self.servers().servers
            return next((each for each in found if each.name == wanted.name), None)

        def may_join() -> bool:
            begun = bool(news) and not self._lines.is_cut
            news.clear()
            return begun

        return followed(ask, look, may_join, self._sleep)

    def stop_server(self, name: str = "") -> m.Server:
        """Have the hub stop a server, or break off its start; without a name, the unnamed one."""
        return self._delete(f"/servers/{quote(name or DEFAULT_SERVER, safe='')}", m.Server)

    def gpus(self) -> m.Gpus:
        """Every GPU slot."""
        return self._get("/gpus", m.Gpus)

    def gpu_processes(self) -> m.GpuProcesses:
        """Processes on GPU slots: everybody's for managers, else one's own."""
        return self._get("/gpus/processes", m.GpuProcesses)

    def workloads(self, *, unmanaged: bool = False) -> m.Workloads:
        """What runs: everybody's for managers, else one's own."""
        return self._get("/workloads", m.Workloads, unmanaged=unmanaged or None)

    def usage(
        self,
        *,
        by: str | None = None,
        period: str = "week",
        since: str | None = None,
        until: str | None = None,
        user: str | None = None,
    ) -> m.UsageReport:
        """What was used of the GPUs; one's own, everybody's for managers.

        Args:
            by: What the rows are: `user`, `group` or `project`.
            period: `week`, `month`, `year` or `all`.
            since: RFC 3339, instead of the period's begin.
            until: RFC 3339, instead of now.
            user: Somebody else's; for managers.
        """
        asked = {"by": by, "period": period, "since": since, "until": until, "user": user}
        return self._get("/usage", m.UsageReport, **asked)

    def usage_series(
        self,
        *,
        period: str = "week",
        step: str | None = None,
        since: str | None = None,
        until: str | None = None,
        user: str | None = None,
    ) -> m.UsageSeries:
        """The same day by day, for graphs; in longer periods by week or month.

        Args:
            period: `week`, `month`, `year` or `all`.
            step: `day`, `week` or `month`.
            since: RFC 3339, instead of the period's begin.
            until: RFC 3339, instead of now.
            user: Somebody else's; for managers.
        """
        asked = {"period": period, "step": step, "since": since, "until": until, "user": user}
        return self._get("/usage/series", m.UsageSeries, **asked)

    def queue(self, user: str | None = None) -> m.Queue:
        """One's own places in the queue; all of them for managers."""
        return self._get("/queue", m.Queue, user=user)

    def follow_queue(self) -> Iterator[m.Queue]:
        """One's own places in the queue, now and whenever one changes."""
        yield from self._events("/queue/events", {"queue": m.Queue})

    def leave_queue(self, ticket: str) -> m.Removed:
        """Give a place in the queue up."""
        return self._delete(f"/queue/{quote(ticket, safe='')}", m.Removed)

    def images(self) -> m.Images:
        """What one may start."""
        return self._get("/images", m.Images)

    def image(self, name: str) -> m.ImageDetail:
        """One image that one may start: by its name in the catalogue, or one of one's own."""
        return self._get(f"/images/{quote(name, safe='')}", m.ImageDetail)

    def image_options(self) -> m.ImageOptions:
        """What images may be made of here."""
        return self._get("/images/options", m.ImageOptions)

    def prune_images(self, *, unused: bool = False, dry_run: bool = False) -> m.Pruned:
        """Delete images of one's own that have no name and that no container needs.

        Args:
            unused: Those with a name that no container uses, too.
            dry_run: Only say which.
        """
        return self._post("/images/prune", m.Pruned, unused=unused or None, dry_run=dry_run or None)

    def delete_image(self, name: str) -> m.Removed:
        """Delete an image of one's own."""
        return self._delete(f"/images/{quote(name, safe='')}", m.Removed)

    def build(self, wanted: m.BuildRequest, *, key: str | None = None) -> m.Build:
        """Begin to build an image; `follow_build` says how it goes on."""
        return self._post("/images/builds", m.Build, wanted, key=key)

    def builds(self) -> m.BuildList:
        """One's builds, the newest first."""
        return self._get("/images/builds", m.BuildList)

    def follow_build(self, build: str) -> Iterator[m.BuildLog | m.Build]:
        """Parts of its log as they come, and last the build as it ended."""
        path = f"/images/builds/{quote(build, safe='')}/events"
        models: dict[str, type[m.BuildLog | m.Build]] = {"log": m.BuildLog, "end": m.Build}
        yield from self._events(path, models)

    def cancel_build(self, build: str) -> m.Build:
        """End a build."""
        return self._delete(f"/images/builds/{quote(build, safe='')}", m.Build)

    def events(
        self,
        *,
        user: str | None = None,
        action: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> Iterator[m.AuditEvent]:
        """The audit log, the newest first; pages are fetched as they are needed.

        Args:
            user: Whom they concern; for managers.
            action: Such as `cleanup.*`.
            since: RFC 3339.
            until: RFC 3339.
        """
        asked = {"user": user, "action": action, "since": since, "until": until}
        for page in self._pages("/events", m.Events, limit=MOST_ON_A_PAGE, **asked):
            yield from page.events

    def explain_policy(self, user: str | None = None) -> m.PolicyExplanation:
        """Limits, and what says so."""
        return self._get("/policy/explain", m.PolicyExplanation, user=user)

    def preview_policy(self, text: str) -> m.Preview:
        """Who an edited policy file would change, and how."""
        return self._post("/policy/preview", m.Preview, m.PreviewRequest(text=text))

    def ssh_keys(self) -> m.SshKeys:
        """One's SSH keys."""
        return self._get("/ssh-keys", m.SshKeys)

    def add_ssh_key(self, line: str, *, key: str | None = None) -> m.SshKey:
        """Add an SSH key: one line of a `.pub` file."""
        return self._post("/ssh-keys", m.SshKey, m.SshKeyRequest(key=line), key=key)

    def remove_ssh_key(self, id_or_fingerprint: str) -> m.Removed:
        """Remove an SSH key."""
        return self._delete(f"/ssh-keys/{quote(id_or_fingerprint, safe='')}", m.Removed)

    def ssh(self) -> m.SshIdentity:
        """Who one is in one's containers, and by which key they are known."""
        return self._get("/ssh", m.SshIdentity)

    def ssh_access(self, name: str) -> m.SshAccess:
        """Make a container ready for an SSH connection; may start it."""
        return self._post(f"{_of(name)}/ssh", m.SshAccess)

    def people(self) -> Iterator[m.Person]:
        """Everybody the platform knows, by name; pages are fetched as they are needed."""
        for page in self._pages("/admin/people", m.People):
            yield from page.people

    def reconcile(self, *, dry_run: bool = False) -> m.Reconciliation:
        """Remove what a crash left behind."""
        return self._post("/admin/reconcile", m.Reconciliation, dry_run=dry_run)

    def health(self) -> m.Health:
        """Whether every part answers."""
        return self._get("/admin/health", m.Health)


def _of(name: str) -> str:
    return f"/containers/{quote(name, safe='')}"
