"""A visit as HTML: the whole page, or one section of it."""

from typing import Any

from markupsafe import Markup

from ds01_spawner.client.models import Problem
from ds01_spawner.domain import page_words
from ds01_spawner.domain.errors import DS01Error, NoCapacity, QuotaExceeded
from ds01_spawner.gateway.api.requester import Requester, problem_for
from ds01_spawner.gateway.web.flash import Flash
from ds01_spawner.gateway.web.page import Page, Section, Visit
from ds01_spawner.gateway.web.site import Site


async def page_html(site: Site, page: Page, visit: Visit, xsrf: str, flash: Flash | None) -> str:
    """The whole page."""
    known = context(site, page, visit, xsrf)
    sections = [Markup(await section_html(site, page, each, visit, xsrf)) for each in page.sections]  # noqa: S704 - rendered with autoescape
    template = site.templates.get_template("page.html")
    return template.render(known, sections=sections, flash=flash, live=_has_live(page))


async def section_html(site: Site, page: Page, section: Section, visit: Visit, xsrf: str) -> str:
    """One section; a problem in its place, where what it shows cannot be read."""
    known = context(site, page, visit, xsrf)
    try:
        facts = await section.read(visit)
    except DS01Error as exc:
        template = site.templates.get_template("unread.html")
        return template.render(known, section=section, unread=problem_for(visit.requester, exc))
    if facts is None:
        return site.templates.get_template("empty.html").render(known, section=section)
    template = site.templates.get_template(f"{page.name}/{section.id}.html")
    return template.render({**known, **facts}, section=section)


def error_html(
    site: Site, error: DS01Error, request_id: str, requester: Requester | None = None
) -> str:
    """A page that says what went wrong, to whomever."""
    platform = site.served.api.platform
    return site.templates.get_template("error.html").render(
        site=site,
        user=None if requester is None else requester.user,
        tabs=() if requester is None else _tabs(site, requester),
        page=None,
        xsrf="",
        live=False,
        now=platform.clock.now(),
        problem=problem_for(requester, error, request_id),
    )


def context(site: Site, page: Page, visit: Visit, xsrf: str) -> dict[str, Any]:
    """What every template is given."""
    platform = site.served.api.platform
    return {
        "site": site,
        "page": page,
        "tabs": _tabs(site, visit.requester),
        "user": visit.requester.user,
        "role": visit.requester.role.value,
        "query": visit.query,
        "form": visit.form,
        "answer": visit.answer,
        "problem": None if visit.problem is None else _told(visit.requester, visit.problem),
        "xsrf": xsrf,
        "now": platform.clock.now(),
        "zone": platform.zone,
    }


def _told(requester: Requester, error: DS01Error) -> Problem:
    """A problem, without commands to type where a limit is reached or nothing is free."""
    problem = problem_for(requester, error)
    if isinstance(error, (QuotaExceeded, NoCapacity)):
        return problem.model_copy(update={"detail": page_words.refusal(error), "next_step": ""})
    return problem


def _tabs(site: Site, requester: Requester) -> list[Page]:
    return [each for each in site.pages if requester.may(each.role)]


def _has_live(page: Page) -> bool:
    return any(each.live for each in page.sections)
