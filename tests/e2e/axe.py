"""axe-core in a page: what hinders people who use it otherwise than we do."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, Locator, Page, Request, expect

KEPT = Path(__file__).parents[2] / ".cache/npm/axe.min.js"
SERIOUS = {"serious", "critical"}
NARROW = 320
_LOOK = """
where => axe.run(where, {resultTypes: ["violations"]}).then(found => found.violations)
"""
"""All that axe finds to be in order is several times as much to hand over."""

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@cache
def script() -> str:
    """axe-core, as `vendor.json` beside this file says."""
    assert KEPT.exists(), f"{KEPT} is missing; script/bootstrap --test fetches it"
    return KEPT.read_text()


def serious_faults(page: Page, parts: Locator | None = None) -> list[str]:
    """What axe finds on a page, or on parts of it, in a line each."""
    if not page.evaluate("'axe' in window"):
        # Not a script tag: the page's content policy would refuse it, as it should.
        page.evaluate(script())
    found: list[dict[str, Any]] = (
        page.evaluate(f"({_LOOK})(document)")
        if parts is None
        else parts.evaluate_all(f"parts => ({_LOOK})({{include: parts}})")
    )
    return [
        f"{each['id']}: {each['help']}: {node['html'][:200]}: {node.get('failureSummary', '')}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"]
    ]


def hindrances(page: Page, *, widths: Iterable[int] = (1280,)) -> list[str]:
    """What axe finds on a page as it stands, light and dark, and where it is wider than 320 pixels.

    The page is not asked for again: it may be one that was posted, or that waits.
    """
    found, before = [], page.viewport_size
    for width, scheme in product(widths, SCHEMES):
        page.set_viewport_size({"width": width, "height": 900})
        # Without transitions: colours would be measured halfway.
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        expect(page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        found += [f"{width}, {scheme}: {fault}" for fault in serious_faults(page)]
    page.set_viewport_size({"width": NARROW, "height": 900})
    too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if too_wide > 0:
        found.append(f"{too_wide} pixels too wide for {NARROW}")
    page.emulate_media(color_scheme="light")
    if before is not None:
        page.set_viewport_size(before)
    return found


@contextmanager
def nothing_leaves(browsing: BrowserContext, home: str) -> Iterator[None]:
    """Every request of a browser goes to `home`, where the hub is."""
    origin = urlsplit(home)[:2]
    away: list[str] = []

    def note(request: Request) -> None:
        scheme, host, *_ = urlsplit(request.url)
        if scheme not in {"data", "blob", "about"} and (scheme, host) != origin:
            away.append(request.url)

    browsing.on("request", note)
    try:
        yield
    finally:
        browsing.remove_listener("request", note)
    assert away == []
