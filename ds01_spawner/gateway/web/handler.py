"""Answers browsers: pages, what is done on them, and what goes wrong."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

from jupyterhub.services.auth import HubOAuthenticated
from tornado.web import HTTPError, RedirectHandler

from ds01_spawner.client.problems import kind_of
from ds01_spawner.domain.errors import DS01Error, Forbidden, InvalidRequest, NotFound
from ds01_spawner.gateway.api.handler import Authenticate
from ds01_spawner.gateway.api.plain import PlainHandler, set_safe_headers
from ds01_spawner.gateway.api.requester import Requester
from ds01_spawner.gateway.web import flash
from ds01_spawner.gateway.web.asking import Questions
from ds01_spawner.gateway.web.forms import form_of
from ds01_spawner.gateway.web.page import Action, Beginning, Page, Visit
from ds01_spawner.gateway.web.rendering import error_html, page_html
from ds01_spawner.gateway.web.site import Site
from ds01_spawner.operations.allocation.observe import AT_ONCE


def content_policy(hub_host: str = "") -> str:
    """What a page may fetch and where its forms may lead.

    Args:
        hub_host: The hub's, where it is another: its logo, and the page that waits for a start.
    """
    hub = f" {hub_host}" if hub_host else ""
    return "; ".join(
        (
            *("default-src 'none'", "script-src 'self'", "style-src 'self'"),
            *(f"img-src 'self' data:{hub}", "font-src 'self'", "connect-src 'self'"),
            *(f"form-action 'self'{hub}", "frame-ancestors 'none'", "base-uri 'none'"),
        )
    )


CONTENT_POLICY = content_policy()
_FORM_IS_OLD = Forbidden(
    "This form is too old, or it did not come from this page. Nothing was done.",
    "Load the page again and repeat.",
)


class WebHandler(HubOAuthenticated, PlainHandler):  # type: ignore[misc]
    """Knows who looks, and says what goes wrong as a page."""

    content_policy = CONTENT_POLICY

    def initialize(self, site: Site, authenticate: Authenticate) -> None:
        """Take what the application was made with."""
        self.site = site
        self._authenticate = authenticate
        self.gone = asyncio.Event()

    def on_connection_close(self) -> None:
        """Nobody waits any more."""
        self.gone.set()

    async def requester(self) -> Requester | None:
        """Who asks; `None` where nobody vouches for them, or for what they sent."""
        self.known = await self._authenticate(self)
        return self.known

    def visit(self, requester: Requester, max_age: timedelta = AT_ONCE) -> Visit:
        """One look of theirs, at what was read no longer ago than `max_age`."""
        agent = self.request.headers.get("User-Agent", "")
        ask = Questions(
            self.site.served,
            requester,
            self.request_id,
            gone=self.gone,
            agent=agent,
            max_age=max_age,
        )
        zone = self.site.served.api.platform.zone
        return Visit(requester, ask, self._query(), zone, self.site.utilisation)

    def form_token(self) -> str:
        """What forms must repeat (`_xsrf`)."""
        token: bytes | str = self.xsrf_token
        return token.decode() if isinstance(token, bytes) else token

    def problem(self, error: DS01Error) -> None:
        """Answer with `error`, as a page."""
        found = error_html(self.site, error, self.request_id, self.known)
        self._finish_html(found, error)

    def _finish_html(self, html: str, error: DS01Error | None = None) -> None:
        if error is not None:
            self.set_status(kind_of(error).status)
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.finish(html)

    def _query(self) -> dict[str, str]:
        try:
            return {
                name: _once(name, [value.decode() for value in values])
                for name, values in self.request.query_arguments.items()
                if name != "_xsrf" and values != [b""]
            }
        except UnicodeDecodeError:
            raise InvalidRequest("The address is not UTF-8.") from None


class PageHandler(WebHandler):
    """One page of the table."""

    def initialize(self, site: Site, authenticate: Authenticate, page: Page) -> None:  # type: ignore[override]
        """Take what the application was made with."""
        super().initialize(site, authenticate)
        self._page = page

    async def get(self) -> None:
        """Show the page."""
        requester = await self.requester()
        if requester is None:
            self.redirect(self.get_login_url())
            return
        check_role(requester, self._page)
        said = flash.take(self, self.site.prefix, requester.user)
        visit = self.visit(requester)
        self._finish_html(
            await page_html(self.site, self._page, visit, self.form_token(), said), visit.problem
        )

    async def post(self) -> None:
        """Do what a form says, and go on to the page; where it is refused, show page and reason."""
        form = form_of(self.request.headers.get("Content-Type", ""), self.body)
        # Where the check of `_xsrf` looks for it: the body was not read by tornado.
        self.request.arguments["_xsrf"] = [form.pop("_xsrf", "").encode()]
        requester = await self.requester()
        if requester is None:
            self._check_form()
            self.redirect(self.get_login_url(), status=303)
            return
        check_role(requester, self._page)
        action = _action(self._page, form.get("do", ""))
        await self._do(action, requester, form)

    async def _do(self, action: Action, requester: Requester, form: dict[str, str]) -> None:
        visit = self.visit(requester)
        if action.beginning is not None:
            await self._begin(action.operation, action.beginning, visit, form)
            return
        answer, problem = None, None
        try:
            answer = await visit.ask(
                action.operation,
                visit.ask.answer_of(action.operation),
                parts={name: form.get(name, "") for name in action.parts},
                query={name: form[name] for name in action.query if form.get(name)},
                body={name: form[name] for name in action.body if form.get(name)},
            )
        except DS01Error as exc:
            problem = exc
        if answer is not None and action.said is not None:
            flash.keep(self, self.site.prefix, requester.user, action.said(answer, form))
            self.redirect(self._back(), status=303)
            return
        await self._show(replace(visit, form=form, answer=answer, problem=problem))

    async def _begin(
        self, operation: str, beginning: Beginning, visit: Visit, form: dict[str, str]
    ) -> None:
        try:
            await visit.ask.begin(operation, beginning.asks(form), beginning.goes_on)
        except DS01Error as exc:
            await self._show(replace(visit, form=form, problem=exc))
            return
        place = beginning.leads(self.site.hub_prefix, visit.requester.user, form)
        self.redirect(place, status=303)

    async def _show(self, shown: Visit) -> None:
        html = await page_html(self.site, self._page, shown, self.form_token(), None)
        self._finish_html(html, shown.problem)

    def _back(self) -> str:
        """The same page, with the same parameters."""
        query = "&".join(f"{quote(name)}={quote(text)}" for name, text in self._query().items())
        return f"{self.site.prefix}{self._page.path}{'?' * bool(query)}{query}"

    def _check_form(self) -> None:
        try:
            self.check_xsrf_cookie()
        except HTTPError:
            raise _FORM_IS_OLD from None


class ToPagesHandler(RedirectHandler):
    """The service's address without the slash at its end."""

    def set_default_headers(self) -> None:
        """As all answers have them."""
        set_safe_headers(self)


class MissingHandler(WebHandler):
    """What is no page."""

    async def prepare(self) -> None:  # type: ignore[override]
        """It is not there, whoever asks; they are shown what is there for them."""
        super().prepare()
        with suppress(DS01Error):  # who cannot be named now is told the same
            await self.requester()
        raise NotFound("There is no such page.", "Go on from one of these:")


def check_role(requester: Requester, page: Page) -> None:
    """Return when somebody may look at a page.

    Raises:
        Forbidden: It is not for their role.
    """
    if not requester.may(page.role):
        raise Forbidden(
            f"The page {page.label} is for lab managers and administrators.",
            "Ask an administrator if you should see it.",
        )


def _action(page: Page, name: str) -> Action:
    found = next((each for each in page.actions if each.name == name), None)
    if found is None:
        raise InvalidRequest("The form does not say what to do.", "Load the page again and repeat.")
    return found


def _once(name: str, values: list[str]) -> str:
    if len(values) != 1:
        raise InvalidRequest(f"{name[:80]} is given {len(values)} times.", "Give it once.")
    return values[0]
