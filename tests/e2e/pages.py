"""Ways through the pages that several tests go."""

import re
from urllib.parse import quote

from playwright.sync_api import Browser, Page

from e2e.hub import Person


def sign_in(page: Page, person: Person) -> None:
    """Log in where the hub asks for it."""
    page.get_by_label("Username").fill(person.name)
    page.get_by_label("Password").fill(person.hub.password)
    page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()


def logged_in(browser: Browser, person: Person) -> Page:
    """A page of the person's own at the spawn form."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(30_000)
    page.goto(f"{person.hub.url}/hub/spawn")
    sign_in(page, person)
    page.wait_for_url("**/hub/spawn**")
    return page


def expect_lab(page: Page, person: Person) -> None:
    lab = f"/user/{quote(person.name)}/lab"
    page.wait_for_url(f"**{lab}**")
    if "/lab/tree/" in page.url:  # the first time begins with a notebook
        page.get_by_role("heading", name="Welcome").wait_for()
        page.goto(f"{person.hub.url}{lab}?reset")
    page.get_by_text("Terminal", exact=True).first.wait_for()
