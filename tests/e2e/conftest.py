"""One hub for most tests, each with people of its own; a second one that is killed."""

import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, Response, expect, sync_playwright

from e2e.full_house import FullHouse
from e2e.house import TINY, House, open_house
from e2e.hub import Hub, docker
from e2e.lab_config import STARTER, prepare_config
from integration.conftest import tiny_image
from integration.engine_proxy import EngineProxy

__all__ = ["tiny_image"]  # a fixture

LIVING = pytest.StashKey[dict[str, Hub]]()
"""Hubs by the fixture that tests get them from."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "late: runs after all tests of the shared hub")
    config.stash[LIVING] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The crash first, what must be waited for after it later, and one hub after the other."""
    items.sort(key=lambda item: ("tests/e2e/" in item.nodeid, _place(item)))


def _place(item: pytest.Item) -> int:
    if "test_hub_crash" in item.nodeid:
        return 0 if item.get_closest_marker("late") is None else 2
    fixtures = _fixtures(item)
    return 1 if "running_hub" in fixtures else 4 if "open_doors" in fixtures else 3


def _fixtures(item: pytest.Item) -> Sequence[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else ()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """End a hub that no test is left for: it and its services look around all the time."""
    yield
    living, items = item.config.stash[LIVING], item.session.items
    wanted = {name for each in items[items.index(item) + 1 :] for name in _fixtures(each)}
    for name in living.keys() - wanted:
        living.pop(name).begin_to_end()


@pytest.fixture(scope="session")
def new_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Hub]]:
    """Starts another installation, with environment variables and settings of its own."""
    assert docker("images", "--quiet", STARTER), "script/bootstrap makes the image"
    hubs: list[Hub] = []
    with ExitStack() as until_the_end:

        def start(furnish: Callable[[Path], None] | None = None, **environment: str) -> Hub:
            state = tmp_path_factory.mktemp("hub")
            proxy = until_the_end.enter_context(EngineProxy(state / "engine.sock"))
            hub = Hub(state, proxy, environment=environment)
            hubs.append(hub)
            for undo in (hub.clean, hub.stop, proxy.clear):
                until_the_end.callback(undo)
            prepare_config(hub.config, hub.prefix)
            if furnish is not None:
                furnish(hub.config)
            hub.start()
            return hub

        yield start
        for hub in hubs:  # each takes a few seconds, all together no longer
            hub.proxy.clear()
            hub.begin_to_end()


@pytest.fixture(scope="session")
def living(pytestconfig: pytest.Config) -> dict[str, Hub]:
    """A hub that is put here ends after the last test that uses the fixture of that name."""
    return pytestconfig.stash[LIVING]


_GIVEN_UP = "ERR_NETWORK_CHANGED"


def _again(visit: Callable[..., Response | None]) -> Callable[..., Response | None]:
    """Where Docker adds a bridge, Chromium gives up connections, those on loopback included."""

    def visited(page: Page, *args: Any, **options: Any) -> Response | None:
        try:
            return visit(page, *args, **options)
        except Error as exc:
            if _GIVEN_UP not in exc.message:
                raise
        page.wait_for_timeout(1_000)  # the page that says so comes later, and would be in the way
        return visit(page, *args, **options)

    return visited


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=30_000)  # milliseconds; the usual five are few beside other tests
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        for visit in (Page.goto, Page.reload):
            patch.setattr(Page, visit.__name__, _again(visit))
        program = shutil.which("chromium-headless-shell") or "/usr/bin/chromium"
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def running_hub(new_hub: Callable[..., Hub], living: dict[str, Hub]) -> Hub:
    living["running_hub"] = new_hub()
    return living["running_hub"]


@pytest.fixture
def hub(running_hub: Hub) -> Iterator[Hub]:
    """The shared hub, healthy before and after each test, without containers after it."""
    yield running_hub
    running_hub.proxy.clear()
    running_hub.empty()


@pytest.fixture(scope="session")
def open_doors(new_hub: Callable[..., Hub], tiny_image: str) -> Iterator[House]:
    """An installation with hub and gateway."""
    assert tiny_image == TINY
    with open_house(new_hub) as house:
        yield house


@pytest.fixture
def house(open_doors: House) -> Iterator[House]:
    """The house with all doors open, without containers after each test."""
    yield open_doors
    open_doors.hub.empty()


@pytest.fixture
def full_house(hub: Hub, tiny_image: str) -> FullHouse:
    assert tiny_image
    house = FullHouse(hub)
    house.fill()
    return house
