"""The lab's pages on a lab of fakes, and browsers of people whom a stub of the hub knows."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.netutil import bind_sockets
from tornado.web import create_signed_value

from ds01_spawner.gateway.api.application import http_server
from ds01_spawner.gateway.web.application import lab_application, site_of
from ds01_spawner.gateway.web.site import Site
from fakes.api_lab import ENOUGH, ApiLab
from fakes.builder import FakeBuilder
from stubs.hub_users import hub_users, model

SECRET = "secret" * 8
PREFIX = "/services/ds01/"
PEOPLE = {
    "alice": model(),
    "bob": model("bob"),
    "mia": model("mia", groups=["ds01-manager"]),
    "boss": model("boss", admin=True),
}
"""By token, which is also the name: students, a manager, an administrator."""

LIVE_SECONDS = 0.05


@dataclass(frozen=True)
class Shown:
    """An answer."""

    status: int
    html: str
    headers: Mapping[str, str]


@dataclass
class Browser:
    """A browser with cookies; it follows no redirect by itself.

    Attributes:
        url: Of the server.
        cookies: By name.
    """

    url: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, page: str = "", headers: Mapping[str, str] | None = None) -> Shown:
        """A page, by its path below the service."""
        return await self._fetch("GET", page, None, headers or {})

    async def send(self, page: str, do: str, *, xsrf: str | None = None, **fields: str) -> Shown:
        """Press a button of a form; `xsrf` is the token that was given with the last page."""
        token = self.cookies.get("_xsrf", "") if xsrf is None else xsrf
        body = urlencode({"_xsrf": token, "do": do, **fields}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return await self._fetch("POST", page, body, kind)

    async def hear(self, page: str, seconds: float = 10.0) -> str:
        """What a stream says at first: up to its first word that it is fresh."""
        heard, enough = list[str](), asyncio.Event()

        def take(chunk: bytes) -> None:
            heard.append(chunk.decode())
            if "event: fresh" in heard[-1]:
                enough.set()

        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        client = AsyncHTTPClient(force_instance=True)
        request = HTTPRequest(
            f"{self.url}{PREFIX}{page}",
            headers={"Cookie": cookies, "Sec-Fetch-Mode": "cors"},
            streaming_callback=take,
            request_timeout=seconds,
        )
        asking = asyncio.ensure_future(client.fetch(request, raise_error=False))
        waiting = asyncio.ensure_future(enough.wait())
        both: set[asyncio.Future[Any]] = {asking, waiting}
        try:
            await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            client.close()
            for each in both:
                each.cancel()
        return "".join(heard)

    async def _fetch(
        self, method: str, page: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Shown:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer: HTTPResponse = await AsyncHTTPClient().fetch(
            f"{self.url}{PREFIX}{page}",
            method=method,
            headers={"Cookie": cookies, "Sec-Fetch-Mode": "navigate", **headers},
            body=body,
            raise_error=False,
            follow_redirects=False,
        )
        self._keep(answer.headers.get_list("Set-Cookie"))
        return Shown(answer.code, answer.body.decode(), dict(answer.headers))

    def _keep(self, lines: list[str]) -> None:
        for line in lines:
            for name, morsel in SimpleCookie(line).items():
                if morsel.value:
                    self.cookies[name] = morsel.value
                else:
                    self.cookies.pop(name, None)


@dataclass
class WebLab:
    """The fakes, and the pages that stand on them.

    Attributes:
        api: The fakes.
        url: Of the server.
        site: The pages.
        tokens: What the hub says of each token.
    """

    api: ApiLab
    url: str
    site: Site
    tokens: dict[str, Mapping[str, Any]]

    def browser(self, user: str = "alice") -> Browser:
        """Of somebody who is logged in; of nobody, for an empty name."""
        if not user:
            return Browser(self.url)
        value = create_signed_value(SECRET, "service-ds01", user)
        return Browser(self.url, {"service-ds01": value.decode(), "jupyterhub-session-id": "s"})


@asynccontextmanager
async def web_lab(
    folder: Path, *, people: Mapping[str, Mapping[str, Any]] | None = None, port: int = 0
) -> AsyncIterator[WebLab]:
    """A lab whose pages are served on loopback."""
    builder = FakeBuilder()
    builder.may_end.set()
    lab = ApiLab(folder, ENOUGH, builder)
    tokens: dict[str, Mapping[str, Any]] = {**PEOPLE, **(people or {})}
    with hub_users(tokens) as hub:
        environment = {"JUPYTERHUB_API_TOKEN": "of-the-service", "JUPYTERHUB_API_URL": hub}
        site = site_of(lab.served, environment)
        server = http_server(
            lab_application(site, environment, SECRET.encode(), every_seconds=LIVE_SECONDS)
        )
        (listener,) = bind_sockets(port, "127.0.0.1")
        server.add_socket(listener)
        try:
            yield WebLab(lab, f"http://127.0.0.1:{listener.getsockname()[1]}", site, tokens)
        finally:
            server.stop()
            await server.close_all_connections()
            lab.api.threads.close()


def text_of(html: str) -> str:
    """What a page says, without its marks."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)).strip()


def section(html: str, name: str) -> str:
    """One section of a page."""
    found = re.search(rf'<section id="{name}".*?</section>', html, re.DOTALL)
    assert found, f"there is no section {name}"
    return found[0]


def form_of_button(html: str, do: str) -> dict[str, str] | None:
    """What the first form with that button sends, without what every form does."""
    for form in re.findall(r"<form.*?</form>", html, re.DOTALL):
        if f'value="{do}"' in form:
            hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
            return {name: unescape(value) for name, value in hidden if name != "_xsrf"}
    return None
