"""The API and the pages as JupyterHub's service `ds01`."""

from collections.abc import Iterable, Mapping
from typing import Any

from jupyterhub.services.auth import HubOAuth
from tornado.web import Application

from ds01_spawner.gateway.api.handler import Authenticate, Served
from ds01_spawner.gateway.api.hub_service import hub_application, hub_auth_from
from ds01_spawner.gateway.api.tunnel import Tunnels
from ds01_spawner.gateway.web.downloads import HistoryFileHandler
from ds01_spawner.gateway.web.handler import (
    MissingHandler,
    PageHandler,
    ToPagesHandler,
    content_policy,
)
from ds01_spawner.gateway.web.live import EVERY_SECONDS, LiveHandler
from ds01_spawner.gateway.web.site import OWN, Site
from ds01_spawner.gateway.web.static_files import HUB, HubFileHandler, OwnFileHandler


def site_of(served: Served, environment: Mapping[str, str]) -> Site:
    """The pages of a service that the hub gives this environment."""
    auth = hub_auth_from(environment)
    return Site(served, prefix=auth.base_url, hub_prefix=f"{auth.hub_host}{auth.hub_prefix}")


def lab_application(
    site: Site,
    environment: Mapping[str, str],
    cookie_secret: bytes,
    tunnels: Tunnels | None = None,
    *,
    every_seconds: float = EVERY_SECONDS,
) -> Application:
    """The whole service.

    Args:
        site: The pages.
        environment: What the hub gives its services.
        cookie_secret: Signs cookies; the same after a restart.
        tunnels: Opens tunnels to SSH servers.
        every_seconds: How often live sections are rendered.
    """

    def beside(auth: HubOAuth, hub: Authenticate) -> Iterable[Any]:
        return _handlers(site, auth, hub, every_seconds)

    return hub_application(site.served, environment, cookie_secret, tunnels, beside)


def _handlers(
    site: Site, auth: HubOAuth, authenticate: Authenticate, every_seconds: float
) -> Iterable[Any]:
    policy = content_policy(auth.hub_host)

    class OfPage(PageHandler):
        hub_auth, content_policy = auth, policy

    class Live(LiveHandler):
        hub_auth, content_policy = auth, policy

    class HistoryFile(HistoryFileHandler):
        hub_auth, content_policy = auth, policy

    class Missing(MissingHandler):
        hub_auth, content_policy = auth, policy

    prefix = site.prefix
    known = {"site": site, "authenticate": authenticate}
    for page in site.pages:
        of_page = {**known, "page": page}
        yield f"{prefix}{page.path}", OfPage, of_page
        yield f"{prefix}live/{page.name}", Live, {**of_page, "every_seconds": every_seconds}
    yield f"{prefix}history\\.csv", HistoryFile, known
    yield prefix.rstrip("/"), ToPagesHandler, {"url": prefix, "permanent": False}
    yield f"{prefix}static/hub/(.*)", HubFileHandler, {"path": str(HUB)}
    yield f"{prefix}static/(.*)", OwnFileHandler, {"path": str(OWN)}
    yield f"{prefix}(?!api/).*", Missing, known
