"""`DS01Spawner`: a JupyterHub server in a container that admission granted.

DockerSpawner gives the configuration that labs know (`cmd`, `environment`, `volumes`, `port`, …).
Engine calls, limits, labels and decisions are the platform's own: DockerSpawner's single-threaded
executor, and its view that an engine error means a gone container, are not used.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from dockerspawner import DockerSpawner
from jupyterhub import orm
from tornado import web
from traitlets import Float, Integer, TraitError, default, validate

from ds01_spawner.composition import Directories, Platform, open_platform
from ds01_spawner.domain import names
from ds01_spawner.domain.container import ContainerSpec, Mount
from ds01_spawner.domain.errors import DS01Error, InvalidRequest, Refused, Unavailable
from ds01_spawner.domain.grant import with_door
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.notice_text import Moment
from ds01_spawner.domain.refusal_facts import facts_of
from ds01_spawner.domain.request import LaunchRequest
from ds01_spawner.spawner.boot_gate import BootGate
from ds01_spawner.spawner.form import Form
from ds01_spawner.spawner.lifetime import stop_json
from ds01_spawner.spawner.options import Options, options_from_form, parse_options
from ds01_spawner.spawner.progress import ProgressEvent, ProgressLog
from ds01_spawner.spawner.readiness import answers
from ds01_spawner.spawner.refusals import as_spawn_exception, cause_of
from ds01_spawner.spawner.server_start import LIVENESS_SECONDS, Door, Patience, ServerStart
from ds01_spawner.spawner.stages import Start, start_of
from ds01_spawner.spawner.threads import Threads

BOOT_SECONDS = 300
PAGE_SECONDS = 2.0
"""A page that is waited for is shown without what takes longer."""

_STOP_RETRY_SECONDS = 2.0
_NEVER = datetime.min  # noqa: DTZ901 - the hub's database has times without a zone

_platform_at = cache(open_platform)
_boot_gate_of = cache(BootGate)
_threads_of = cache(Threads)

_submitted_to: ContextVar["DS01Spawner | None"] = ContextVar("_submitted_to", default=None)
"""The server whose form this request carries. The hub answers a refused start of a named server
with the form of the default one (handlers/pages.py, `SpawnHandler._post`)."""


def _read_form(form: Mapping[str, Sequence[str]], spawner: "DS01Spawner") -> Mapping[str, object]:
    """`user_options` from a submitted form."""
    _submitted_to.set(spawner)
    return options_from_form(form)


def _refused(proposal: Any) -> Any:
    """Refuse a setting of DockerSpawner that is the policy's."""
    if proposal.value:
        raise TraitError(
            f"{proposal.trait.name} has no effect here and would mislead: limits, devices and "
            "security options come from resource-limits.yaml, images from images.yaml. "
            "Remove it."
        )
    return proposal.value


class DS01Spawner(DockerSpawner):
    """Spawns servers under the lab's policy: limits, GPU slots, queue, labels, audit."""

    concurrent_boots = Integer(
        min=1, help="How many servers boot at the same time. Default: the number of cores."
    ).tag(config=True)
    queue_timeout = Float(
        12 * 3600.0, help="Seconds that a start may wait in the GPU queue before it gives up."
    ).tag(config=True)
    stop_patience = Float(
        600.0, help="Seconds that a stop keeps trying while the engine does not answer."
    ).tag(config=True)
    engine_threads = Integer(
        48, min=1, help="How many blocking calls, of all users together, may be under way at once."
    ).tag(config=True)

    _options = Options()
    _refusal: Refused | None = None
    _steps: ProgressLog | None = None
    start_timeout: Any
    _check_pending: bool
    _boot_seconds: Any = None

    @default("concurrent_boots")
    def _concurrent_boots_default(self) -> int:
        return os.cpu_count() or 1

    @default("cmd")
    def _default_cmd(self) -> list[str]:
        return ["jupyterhub-singleuser"]

    @default("start_timeout")
    def _start_timeout_default(self) -> int:
        return BOOT_SECONDS

    @default("use_internal_ip")
    def _default_use_ip(self) -> bool:
        return True

    @default("options_form")
    def _default_options_form(self) -> Callable[["DS01Spawner"], Any]:
        return DS01Spawner.render_form

    @default("options_from_form")
    def _default_options_from_form(self) -> Callable[..., Mapping[str, object]]:
        return _read_form

    @default("apply_user_options")
    def _default_apply_user_options(self) -> Callable[["DS01Spawner", object], None]:
        return DS01Spawner.apply_options

    @default("object_name")
    def _object_name_default(self) -> str:
        return names.container_name(self.container_label, self.user.name)

    @validate(
        "extra_create_kwargs",
        "extra_host_config",
        "links",
        "mounts",
        "network_name",
        "post_start_cmd",
        "remove",
    )
    def _belongs_to_policy(self, proposal: Any) -> Any:
        return _refused(proposal)

    # Named as DockerSpawner's own validators, which would come after one of another name.
    @validate("mem_limit")
    def _mem_limit_str(self, proposal: Any) -> Any:
        return _refused(proposal)

    @validate("cpu_limit")
    def _cast_cpu_limit(self, proposal: Any) -> Any:
        return _refused(proposal)

    @validate("allowed_images")
    def _validate_allowed_images(self, proposal: Any) -> Any:
        return _refused(proposal)

    @property
    def container_label(self) -> str:
        """What the person calls this server's container."""
        return self.name or names.DEFAULT_SERVER

    @property
    def will_resume(self) -> bool:
        """Containers are throw-away: the hub revokes a stopped server's token."""
        return False

    @property
    def platform(self) -> Platform:
        """The platform, shared by all spawners of this hub."""
        return _platform_at(Directories.from_environment(), actor="hub")

    @property
    def threads(self) -> Threads:
        """Where blocking calls run, shared by all spawners of this hub."""
        return _threads_of(self.engine_threads)

    async def render_form(self) -> str:
        """The spawn form: what is free, what this person may have, and why not the rest."""
        asked = _submitted_to.get() or self
        form = Form(
            platform=self.platform,
            user=self.user.name,
            container=asked.container_label,
            hub_groups=self._hub_groups(),
            last=asked.last_options(),
            administrator=self._tells_administrator,
        )
        html: str = await self.threads.run(form.render)
        return html

    def last_options(self) -> Mapping[str, object]:
        """What this server was last started with, or else the server that was started last."""
        own = self.orm_spawner.user_options
        if own:
            return dict(own)
        others = [each for each in self.user.orm_spawners.values() if each.user_options]
        latest = max(others, key=lambda each: each.last_activity or _NEVER, default=None)
        return {} if latest is None else dict(latest.user_options)

    def start_so_far(self) -> Start:
        """The steps of the start that is under way, for the page that waits."""
        told = () if self._steps is None else self._steps.told
        return start_of(told, wants_gpu=self._options.gpu.count > 0)

    def options_from_query(self, query_data: Mapping[str, Sequence[str]]) -> Mapping[str, object]:
        """`user_options` from a link such as `/hub/spawn?opt-gpu=mig&opt-image=starter`."""
        return options_from_form(query_data)

    def apply_options(self, raw: object) -> None:
        """Read `user_options`, wherever they came from; `start` refuses those that are wrong.

        The hub logs a traceback of whatever is raised here.
        """
        self._refusal = None
        try:
            self._options = self._read_options(raw)
        except Refused as exc:
            self._options = Options()
            self._refusal = exc
            self.orm_spawner.user_options = {}  # the hub has stored them, however large
        self._allow_waiting()

    def _read_options(self, raw: object) -> Options:
        if self.name == names.DEFAULT_SERVER:
            raise InvalidRequest(
                f"A server cannot be called {names.DEFAULT_SERVER}: your default server's "
                "container has that name.",
                "Choose another name.",
            )
        names.check_name(self.container_label)
        return parse_options(raw)

    async def progress(self) -> AsyncIterator[ProgressEvent]:
        """Every step of the spawn: limits, queue place, slot, creating, starting."""
        if self._steps is None:  # a listener may come before the start
            self._steps = ProgressLog()
        async for event in self._steps.follow():
            yield event

    async def start(self) -> str:
        """Start the server; its URL. On any failure nothing of it is left."""
        if self._steps is None or self._steps.closed:
            self._steps = ProgressLog()
        steps = self._steps
        try:
            url = await self._started(steps)
        except DS01Error as exc:
            told = exc.told_to(administrator=self._tells_administrator)
            if told is not exc:
                self.log.warning("%s does not start. %s", self._log_name, exc.logged)
            if (facts := facts_of(told)) is not None:
                steps.refuse(str(told), facts)
            refused = isinstance(exc, Refused)
            self._tell_end("refused" if refused else "failed", steps, cause_of(exc))
            raise as_spawn_exception(exc, administrator=self._tells_administrator) from exc
        except asyncio.CancelledError:
            self._tell_end("cancelled", steps, "cancelled")
            raise
        finally:
            steps.close()
        self._tell_end("ready", steps)
        return url

    def _tell_end(self, end: str, steps: ProgressLog, cause: str = "") -> None:
        """Write down how a start ended and how long its steps took; nobody waits for that."""
        took = {stage.value: round(each * 1000) for stage, each in steps.durations().items()}
        event = {
            "user": self.user.name,
            "resource": self.object_name,
            "interface": Interface.HUB.value,
            "outcome": {"ready": "ok", "refused": "refused"}.get(end, "failed"),
            "reason": cause,
        }
        details = {"end": end, "cause": cause, "phases_ms": took}
        audit = self.platform.audit

        def write() -> None:
            with suppress(Unavailable):
                audit.write("server.spawn", **event, details=details)

        self.threads.begin(write)

    async def _started(self, steps: ProgressLog) -> str:
        if self.internal_ssl:
            raise InvalidRequest(
                "JupyterHub's internal_ssl does not reach containers of this platform.",
                "The administrator should turn it off; docs/hub.md says how traffic is protected.",
            )
        request = LaunchRequest(
            user=self.user.name,
            name=self.container_label,
            interface=Interface.HUB,
            image=self._options.image or "",
            gpu=self._options.gpu,
            project=self._options.project,
            hub_groups=self._hub_groups(),
        )
        refusal = self._refusal
        if refusal is not None:
            await self.threads.run(lambda: self.platform.audit.refusal(request, refusal))
            raise refusal
        start = ServerStart(
            platform=self.platform,
            threads=self.threads,
            gate=_boot_gate_of(self.concurrent_boots),
            steps=steps,
        )
        door = Door(dress=self._dress, url=self._url_on, on_created=self._remember)
        patience = Patience(self.queue_timeout, self._boot_seconds or BOOT_SECONDS)
        url = await start.run(request, door, wait=self._options.wait, patience=patience)
        await self._forget_last_stop()
        return url

    async def why_stopped(self, server_name: str) -> Mapping[str, object] | None:
        """Why a rule ended the last run of a server of this person, for the hub's pages.

        Empty when no rule did; `None` when nobody can say so within `PAGE_SECONDS`.
        """
        user = self.user.name
        name = names.container_name(server_name or names.DEFAULT_SERVER, user)

        def look_up() -> Mapping[str, object]:
            stop = self.platform.outlook.last_stop(user, name)
            moment = Moment(self.platform.clock.now(), self.platform.zone)
            return {} if stop is None else stop_json(stop, moment)

        try:
            return await asyncio.wait_for(self.threads.run(look_up), PAGE_SECONDS)
        except (DS01Error, TimeoutError) as exc:
            self.log.warning("Why %s was stopped cannot be told. %s", name, exc)
            return None

    async def _forget_last_stop(self) -> None:
        """It runs: what ended the run before is told no longer."""
        user, name = self.user.name, self.object_name
        try:
            await self.threads.run(lambda: self.platform.outlook.runs_again(user, name))
        except DS01Error as exc:
            self.log.warning("%s runs; its last stop stays on record. %s", self._log_name, exc)

    async def stop(self, now: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 - the hub's
        """Stop the server's container; it keeps GPU and files for the policy's hold.

        The hub forgets a server whose stop fails, so a stop waits for an engine that is stuck.
        """
        deadline = asyncio.get_running_loop().time() + self.stop_patience
        name = self.object_name
        while True:
            try:
                await self.threads.run(
                    lambda: self.platform.servers.stop(name, interface=Interface.HUB)
                )
            except Unavailable as exc:
                if asyncio.get_running_loop().time() > deadline:
                    raise as_spawn_exception(exc, administrator=self._tells_administrator) from exc
                self.log.warning("Stopping %s waits. %s", self._log_name, exc)
                await asyncio.sleep(_STOP_RETRY_SECONDS)
            else:
                break
        self.clear_state()

    async def poll(self) -> int | None:
        """`None` while the server runs, or while nobody can say that it does not."""
        if not self.object_id:
            return 0
        name = self.object_name
        try:
            container = await self.threads.run(lambda: self.platform.engine.container(name))
        except Unavailable as exc:
            self.log.warning("Whether %s runs cannot be told. %s", self._log_name, exc)
            return None
        if container is None or container.id != self.object_id:
            return 0
        return None if container.state.is_live else 1

    async def get_url(self) -> str:
        """The server's URL; after a hub restart, waits for a busy server as long as it runs.

        The hub stops a server that it finds running and that does not answer within
        `http_timeout`: that would end a training which keeps the CPUs busy. Its owner can stop it
        meanwhile.
        """
        url: str = self.server.url
        if not self._check_pending:
            return url
        while not await answers(url):
            if await self.poll() is not None:
                break
            self._check_pending = False  # the hub refuses to stop a server that it still checks
            await asyncio.sleep(LIVENESS_SECONDS)
        return url

    async def rename(self, old_name: str, new_name: str) -> None:
        """A renamed server gives back what its stopped container holds under the old name."""
        if new_name == names.DEFAULT_SERVER:
            raise web.HTTPError(400, f"A server cannot be called {names.DEFAULT_SERVER}.")
        await self.delete_forever()
        label = new_name or names.DEFAULT_SERVER
        self.object_name = names.container_name(label, self.user.name)
        self.log.info("%s was called %r before", self._log_name, old_name)

    async def delete_forever(self) -> None:
        """A server deleted in the hub gives back what its stopped container still holds."""
        name = self.object_name
        try:
            await self.threads.run(
                lambda: self.platform.servers.discard(name, interface=Interface.HUB)
            )
        except DS01Error as exc:
            self.log.warning("%s keeps its container for now. %s", self._log_name, exc)

    def clear_state(self) -> None:
        """Forget the container."""
        super().clear_state()
        self.object_id = ""

    @property
    def _tells_administrator(self) -> bool:
        """Whether what goes wrong is told as administrators are told it.

        What a start ended with is shown to its owner later, and now to whoever asks: both have to
        be one. A service asks for the owner, and tells them by their role again.
        """
        asks = getattr(self.handler, "current_user", None)
        return bool(
            self.user.admin and (asks is None or isinstance(asks, orm.Service) or asks.admin)
        )

    def _allow_waiting(self) -> None:
        """Let the hub wait for queue, download and the others' boots too.

        What is configured as `start_timeout` bounds this server's own boot.
        """
        if self._boot_seconds is None:
            self._boot_seconds = self.start_timeout
        self.start_timeout = self._boot_seconds + int(self.queue_timeout)

    def _hub_groups(self) -> tuple[str, ...]:
        return tuple(group.name for group in self.user.groups)

    def _remember(self, container_id: str) -> None:
        self.object_id = container_id

    def _url_on(self, address: str) -> str:
        return f"http://{address}:{self.port}{self.server.base_url}"

    def _dress(self, spec: ContainerSpec) -> ContainerSpec:
        """What the hub adds: the server's command, environment, port and configured volumes."""
        self.image = spec.image
        configured = tuple(
            Mount(
                kind="bind" if source.startswith("/") else "volume",
                source=source,
                target=str(bind["bind"]),
                read_only="ro" in str(bind.get("mode", "rw")).split(","),
            )
            for source, bind in self.volume_binds.items()
        )
        spec = with_door(
            spec,
            command=(*self.cmd, *self.get_args()),
            environment=self.get_env(),
            ports=(self.port,),
        )
        return replace(spec, mounts=(*spec.mounts, *configured))
