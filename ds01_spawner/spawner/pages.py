"""What the hub's pages ask: when a person's containers stop, and that one is kept running.

    GET  /hub/ds01/users/NAME/containers
    POST /hub/ds01/users/NAME/containers/CONTAINER/keep-running
    POST /hub/ds01/cancel/NAME[/SERVER]
    GET  /hub/ds01/static/FILE

Who may read (`read:servers`) or start and stop (`servers`) that person's servers may ask: everybody
for themselves, an administrator for all. Anybody else is told that there is no such thing.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.handlers.static import CacheControlStaticFilesHandler
from jupyterhub.scopes import needs_scope
from jupyterhub.utils import url_escape_path, url_path_join
from tornado import web

from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import DS01Error, InvalidRequest, NotFound
from ds01_spawner.domain.notice_text import Moment
from ds01_spawner.domain.units import parse_duration
from ds01_spawner.spawner.lifetime import container_json, forecast_json
from ds01_spawner.spawner.refusals import status_of
from ds01_spawner.spawner.spawner import DS01Spawner

SHARED_FOR = timedelta(seconds=5)
"""Many pages that ask within this time share one reading of engine and ledger."""

CANCEL_SECONDS = 10.0
"""A start that is broken off undoes what it has done; the page waits so long for that."""

_LOOK_SECONDS = 0.1

STATIC = Path(__file__).parent / "static"
"""Scripts of the hub's pages, for whoever asks: there is nothing of anybody's in them."""

T = TypeVar("T")


class _OwnContainers(APIHandler):
    """Reads and writes for one person, in threads; errors are a sentence in JSON."""

    def _spawner_of(self, user_name: str) -> DS01Spawner:
        user = self.find_user(user_name)
        if user is None:
            raise web.HTTPError(404, f"There is nobody called {user_name}.")
        spawner: DS01Spawner = user.spawner
        return spawner

    async def _in_thread(self, spawner: DS01Spawner, call: Callable[[Platform], T]) -> T:
        try:
            return await spawner.threads.run(lambda: call(spawner.platform))
        except DS01Error as exc:
            told = exc.told_to(administrator=bool(self.current_user.admin))
            raise web.HTTPError(status_of(exc), "%s", str(told)) from exc

    def _answer(self, body: dict[str, object]) -> None:
        self.set_header("Cache-Control", "no-store")
        self.finish(body)


class ContainersHandler(_OwnContainers):
    """A person's containers: when each stops, and why those that stopped did."""

    @needs_scope("read:servers")
    async def get(self, user_name: str) -> None:
        """The forecast of one person."""
        spawner = self._spawner_of(user_name)
        user = spawner.user.name

        def read(platform: Platform) -> dict[str, object]:
            forecast = platform.outlook.read(SHARED_FOR).of(user)
            return forecast_json(forecast, Moment(platform.clock.now(), platform.zone))

        self._answer(await self._in_thread(spawner, read))


class KeepRunningHandler(_OwnContainers):
    """Keeps a container running although nobody uses it."""

    @needs_scope("servers")
    async def post(self, user_name: str, container_name: str) -> None:
        """Keep it for `{"for": "6h"}`, or as long as is allowed; the answer is its new outlook."""
        spawner = self._spawner_of(user_name)
        user, by = spawner.user.name, str(self.current_user.name)
        duration = _duration(self._body())

        def keep(platform: Platform) -> dict[str, object]:
            kept = platform.keep_alives.ask(user, container_name, duration, source="page", by=by)
            forecast = platform.outlook.read().of(user)
            moment = Moment(platform.clock.now(), platform.zone)
            for each in forecast.containers:
                if each.container_id == kept.keep_alive.container_id:
                    return container_json(each, moment)
            raise NotFound(f"{kept.name} has just stopped.", "Start it again on the home page.")

        self._answer(await self._in_thread(spawner, keep))

    def _body(self) -> object:
        body: Any = self.get_json_body()
        return {} if body is None else body


def _duration(body: object) -> timedelta | None:
    text = body.get("for") if isinstance(body, dict) else body
    if text is None:
        return None
    try:
        return parse_duration(str(text))
    except ValueError as exc:
        raise web.HTTPError(400, "%s", str(InvalidRequest(f"for: {exc}."))) from exc


class CancelHandler(BaseHandler):
    """Breaks off a start for the page that waits: a form's own button, without JavaScript."""

    @web.authenticated
    @needs_scope("servers")
    async def post(self, user_name: str, server_name: str = "") -> None:
        """Back to the form, or home where it takes long or there is nothing to break off."""
        user = self.find_user(user_name)
        if user is None or server_name not in user.spawners:
            raise web.HTTPError(404, "There is no such server.")
        spawner: DS01Spawner = user.spawners[server_name]
        home = url_path_join(self.hub.base_url, "home")
        if spawner.pending != "spawn":
            self.redirect(home)
            return
        starting = spawner._spawn_future  # noqa: SLF001 - as the hub's own API does it
        if starting is not None:
            starting.cancel()
        deadline = asyncio.get_running_loop().time() + CANCEL_SECONDS
        while (  # noqa: ASYNC110 - the hub tells nobody
            spawner.pending == "spawn" and asyncio.get_running_loop().time() < deadline
        ):
            await asyncio.sleep(_LOOK_SECONDS)
        if not spawner.pending:
            await self.stop_single_user(user, server_name)
        place = ("spawn", user.escaped_name, url_escape_path(server_name))
        self.redirect(home if spawner.pending else url_path_join(self.hub.base_url, *place))


HANDLERS: list[tuple[Any, ...]] = [
    (r"/ds01/users/([^/]+)/containers", ContainersHandler),
    (r"/ds01/users/([^/]+)/containers/([^/]+)/keep-running", KeepRunningHandler),
    (r"/ds01/cancel/([^/]+)", CancelHandler),
    (r"/ds01/cancel/([^/]+)/([^/]+)", CancelHandler),
    (r"/ds01/static/(.*)", CacheControlStaticFilesHandler, {"path": str(STATIC)}),
]
"""For `c.JupyterHub.extra_handlers`."""
