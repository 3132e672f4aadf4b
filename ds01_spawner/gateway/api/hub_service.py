"""The API as JupyterHub's service `ds01`: the hub says who asks."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler, HubOAuthenticated
from tornado.web import Application, HTTPError, RequestHandler

from ds01_spawner.domain.errors import Forbidden, Unavailable
from ds01_spawner.gateway.api.application import application
from ds01_spawner.gateway.api.exec_handler import ExecHandler
from ds01_spawner.gateway.api.execs import ApiExecs
from ds01_spawner.gateway.api.handler import ApiHandler, Authenticate, Served
from ds01_spawner.gateway.api.plain import set_safe_headers
from ds01_spawner.gateway.api.requester import Requester, by_hub
from ds01_spawner.gateway.api.tunnel import Tunnels
from ds01_spawner.gateway.api.tunnel_handler import TunnelHandler
from ds01_spawner.ports.people import LeavingMark

SERVICE = "ds01"
_REMEMBERED = "_cached_hub_user"
"""Where `HubAuth.get_user` keeps its answer, in the handler."""

_PLAIN_PATH = re.compile(r"/[\w./?=&%-]*", re.ASCII)
"""No scheme, host or backslash, which browsers take for a slash."""

_UP = re.compile(r"(?:^|/)(?:\.|%2e){2}(?:/|%2f|$)", re.IGNORECASE)

PING_SECONDS = 30
MOST_MESSAGE_BYTES = 1024**2
CACHE_SECONDS = 60
"""How long a token that was taken back, or a group that was left, still counts.

Not of who was removed with `ds01 admin user remove`: that is seen at once.
"""


Beside = Callable[[HubOAuth, Authenticate], Iterable[Any]]
"""Further handlers of the service, as `Application` takes them, made with what says who asks."""


class HubApiHandler(HubOAuthenticated, ApiHandler):  # type: ignore[misc]
    """Rows of the table behind the hub's proxy; the mixin checks who may use cookies (XSRF)."""


class CallbackHandler(HubOAuthCallbackHandler):  # type: ignore[misc]
    """Where the hub's log-in sends a browser back to."""

    def set_default_headers(self) -> None:
        """As all answers have them."""
        set_safe_headers(self)


class LoginHandler(HubOAuthenticated, RequestHandler):  # type: ignore[misc]
    """Sends a browser through the hub's log-in and back; the API itself only says 401."""

    def set_default_headers(self) -> None:
        """As all answers have them."""
        set_safe_headers(self)

    async def get(self) -> None:
        """Go on to `next`, below the service, once somebody is logged in."""
        if await self.hub_auth.get_user(self, sync=False) is None:
            self.redirect(self.get_login_url())
            return
        _ = self.xsrf_token  # sets the cookie that pages must repeat
        target = self.get_query_argument("next", self.hub_auth.base_url)
        inside = target.startswith(self.hub_auth.base_url) and is_plain(target)
        self.redirect(target if inside else self.hub_auth.base_url)


def is_plain(target: str) -> bool:
    """Whether an address is a path that stays below where it begins."""
    path = target.partition("?")[0]
    return _PLAIN_PATH.fullmatch(target) is not None and _UP.search(path) is None


def hub_application(
    served: Served,
    environment: Mapping[str, str],
    cookie_secret: bytes,
    tunnels: Tunnels | None = None,
    beside: Beside = lambda _auth, _hub: (),
) -> Application:
    """The API as JupyterHub's service.

    Args:
        served: What answers.
        environment: What the hub gives its services, see `hub_auth_from`.
        cookie_secret: Signs cookies; the same after a restart, so that people stay logged in.
        tunnels: Opens tunnels to SSH servers.
        beside: What else the service serves.
    """
    auth = hub_auth_from(environment)
    who = WhoAsks(auth, served.api.platform.leaving_mark)

    class Handler(HubApiHandler):
        hub_auth = auth

    class Callback(CallbackHandler):
        hub_auth = auth

    class Login(LoginHandler):
        hub_auth = auth

    class Tunneling(HubOAuthenticated, TunnelHandler):  # type: ignore[misc]
        hub_auth = auth

    class Executing(HubOAuthenticated, ExecHandler):  # type: ignore[misc]
        hub_auth = auth

    async def hub(handler: RequestHandler) -> Requester | None:
        requester = await who.asks(handler)
        if requester is not None:  # the hub knows nothing of accounts that were closed
            user, api = requester.user, served.api
            await api.threads.run(user, lambda: api.platform.accounts.check_open(user))
        return requester

    tunneling = {"served": served, "authenticate": hub, "tunnels": tunnels or Tunnels(served.api)}

    executing = {"served": served, "authenticate": hub, "execs": ApiExecs(served.api)}

    prefix = auth.base_url.rstrip("/")
    return application(
        served,
        hub,
        f"{prefix}/api",
        handler=Handler,
        more=[
            (f"{prefix}/oauth_callback", Callback),
            (f"{prefix}/login", Login),
            (f"{prefix}/api/ssh/tunnel/([^/]+)", Tunneling, tunneling),
            (f"{prefix}/api/containers/([^/]+)/exec", Executing, executing),
            *beside(auth, hub),
        ],
        settings={
            "cookie_secret": cookie_secret,
            "websocket_ping_interval": PING_SECONDS,
            "websocket_max_message_size": MOST_MESSAGE_BYTES,
        },
    )


def hub_auth_from(environment: Mapping[str, str]) -> HubOAuth:
    """What asks the hub who somebody is.

    From `JUPYTERHUB_API_TOKEN`, `JUPYTERHUB_API_URL`, and where they are not the usual ones
    `JUPYTERHUB_BASE_URL`, `JUPYTERHUB_HOST`, `JUPYTERHUB_SERVICE_PREFIX`.
    """
    base = environment.get("JUPYTERHUB_BASE_URL") or "/"
    prefix = environment.get("JUPYTERHUB_SERVICE_PREFIX") or f"{base}services/{SERVICE}/"
    return HubOAuth(
        api_token=environment["JUPYTERHUB_API_TOKEN"],
        api_url=environment["JUPYTERHUB_API_URL"],
        base_url=prefix,
        hub_host=environment.get("JUPYTERHUB_HOST", ""),
        hub_prefix=f"{base}hub/",
        oauth_client_id=environment.get("JUPYTERHUB_CLIENT_ID") or f"service-{SERVICE}",
        access_scopes={f"access:services!service={SERVICE}"},
        cache_max_age=CACHE_SECONDS,
    )


class WhoAsks:
    """Asks the hub, and forgets what it said when somebody has left it.

    Args:
        auth: Asks, and remembers.
        mark: Tells that somebody has left.
    """

    def __init__(self, auth: HubOAuth, mark: LeavingMark) -> None:
        self._auth = auth
        self._mark = mark
        self._seen = mark.seen()

    async def asks(self, handler: RequestHandler) -> Requester | None:
        """Who asks; `None` where the hub knows nobody of that token or cookie.

        Raises:
            Unavailable: The hub does not say.
            Forbidden: The token is for something else.
        """
        handler.__dict__.pop(_REMEMBERED, None)  # a stream asks again and again
        while True:
            before = self._mark.seen()
            if before != self._seen:
                self._auth.cache.clear()
                self._seen = before
            found = await _by_hub(self._auth, handler)
            if self._mark.seen() == before:
                return found
            # The hub's word is from before, and was remembered after others had forgotten theirs.
            self._auth.cache.clear()
            handler.__dict__.pop(_REMEMBERED, None)


async def _by_hub(auth: HubOAuth, handler: RequestHandler) -> Requester | None:
    try:
        model: dict[str, Any] | None = await auth.get_user(handler, sync=False)
    except HTTPError as exc:
        raise Unavailable(
            "JupyterHub does not say who asks.", "Try again; if it stays so, tell an administrator."
        ) from exc
    if model is None:
        return None
    if not auth.check_scopes(auth.access_scopes, model):
        raise Forbidden(
            "This token is not for this service.",
            f"Make one with the scope access:services!service={SERVICE}.",
        )
    # With a token in the request, what counts is the token's scopes, whatever cookie comes with it.
    return by_hub(model, browser=not auth.get_token(handler, in_cookie=False))
