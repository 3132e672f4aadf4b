"""JupyterLab as somebody clicks it: notebooks are run, wizards are found and looked at."""

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, TimeoutError, expect  # noqa: A004 - its own

from e2e.axe import serious_faults
from e2e.hub import Person, docker
from e2e.pages import sign_in

SHOTS = os.environ.get("DS01_SHOTS")
"""A folder for pictures of what is seen; without it, none are taken."""

RAN = re.compile(r"\[(\d+|\*)\]")
LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"
OVERFLOWS = """
roots => {
    const scrolls = each => ['auto', 'scroll'].includes(getComputedStyle(each).overflowX);
    const found = [];
    const look = (each, within) => {
        const box = each.getBoundingClientRect();
        if (!box.width || !box.height) return;
        if (box.right > within) found.push(`${each.tagName}.${each.className}: ${box.right}`);
        if (!scrolls(each)) for (const inner of each.children) look(inner, within);
    };
    for (const root of roots) look(root, root.getBoundingClientRect().right + 1);
    return found.slice(0, 5);
}
"""


class Clock:
    """How long things took that somebody waited for."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began: dict[str, float] = {}

    def begin(self, what: str) -> None:
        self._began[what] = time.monotonic()

    def end(self, what: str) -> None:
        self.seconds[what] = time.monotonic() - self._began[what]

    @contextmanager
    def timing(self, what: str) -> Iterator[None]:
        self.begin(what)
        yield
        self.end(what)

    def __str__(self) -> str:
        return ", ".join(f"{what} {seconds:.1f} s" for what, seconds in self.seconds.items())


@dataclass(frozen=True)
class Lab:
    """One page with JupyterLab.

    Attributes:
        page: It.
        person: Whose server.
        clock: What took how long.
    """

    page: Page
    person: Person
    clock: Clock = field(default_factory=Clock)

    @property
    def notebook(self) -> Locator:
        """The notebook that is in front."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook")

    def ready(self, heading: str) -> None:
        """Wait until the notebook with this heading can be run."""
        self.notebook.get_by_role("heading", name=heading, exact=True).first.wait_for()
        panel = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        panel.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()

    def choose(self, *ways: str) -> None:
        """Choose from the menus."""
        menu, *rest = ways
        self.page.get_by_role("menuitem", name=menu, exact=True).first.click()
        for each in rest:
            self.page.locator(".lm-Menu-item:visible").filter(has_text=each).first.click()

    def run_all(self) -> None:
        """Run every cell; again, where the notebook had no kernel yet: then nothing is run."""
        ran = self.notebook.locator(".jp-InputPrompt").filter(has_text=RAN)
        for patience in (5_000, 10_000, 30_000):
            self.choose("Run", "Run All Cells")
            try:
                ran.first.wait_for(timeout=patience)
            except TimeoutError:
                continue
            return
        pytest.fail("no cell was run")

    def come_in(self) -> None:
        """Log in, at the hub."""
        self.page.set_default_timeout(30_000)
        self.page.goto(f"{self.person.hub.url}/hub/home")
        sign_in(self.page, self.person)
        self.page.wait_for_url("**/hub/home**")

    def use_theme(self, theme: str) -> None:
        """Choose a theme from the menus."""
        self.choose("Settings", "Theme", theme)
        light = "true" if theme == LIGHT else "false"
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-light", light)

    def faults(self, wizards: Locator, *, narrow: int) -> list[str]:
        """What hinders somebody, and what stands out of them where the window is so narrow."""
        before = self.page.viewport_size
        assert before is not None
        found = serious_faults(self.page, wizards)
        self.page.set_viewport_size({"width": narrow, "height": before["height"]})
        found += wizards.evaluate_all(OVERFLOWS)
        self.page.set_viewport_size(before)
        return found

    def wizard(self, title: str) -> Locator:
        """The wizard of this heading."""
        heading = self.page.get_by_role("heading", name=title, exact=True, level=3)
        return self.notebook.locator(".ds01", has=heading)

    def put(self, name: str, title: str, *cells: str, server: str = "") -> str:
        """A notebook of one's own in one's home; its path there."""
        put_notebook(self.person, name, title, *cells, server=server)
        return name

    def open(self, path: str, heading: str, *, server: str = "") -> None:
        """Open a notebook by its address; again, where a page that was left too soon held it up."""
        where = f"{server}/lab" if server else "lab"
        user = f"{self.person.hub.url}/user/{quote(self.person.name)}"
        self.page.goto(f"{user}/{where}/tree/{path}?reset")
        try:
            self.notebook.get_by_role("heading", name=heading, exact=True).first.wait_for()
        except TimeoutError:
            self.page.reload()
        self.ready(heading)


def put_notebook(person: Person, name: str, title: str, *cells: str, server: str = "") -> None:
    """Write a notebook with a heading and cells of code into somebody's home."""
    heading = {"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# {title}"}
    code: list[dict[str, Any]] = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {},
            "source": each,
            "outputs": [],
            "execution_count": None,
        }
        for number, each in enumerate(cells)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    book = {
        "cells": [heading, *code],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    program = (
        "import pathlib, sys; pathlib.Path.home().joinpath(sys.argv[1]).write_text(sys.argv[2])"
    )
    docker("exec", person.container(server), "python3", "-c", program, name, json.dumps(book))


def shoot(what: Page | Locator, name: str) -> None:
    """Take a picture, where pictures are wanted."""
    if not SHOTS:
        return
    page = what.page if isinstance(what, Locator) else what
    before = page.viewport_size
    assert before is not None
    if isinstance(what, Locator):
        page.set_viewport_size({"width": before["width"], "height": 2600})
        what.scroll_into_view_if_needed()
    what.screenshot(path=Path(SHOTS) / f"{name}.png")
    page.set_viewport_size(before)
