"""One hub for most tests, each with people of its own; a second one that is killed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from e2e.full_house import FullHouse
from e2e.house import TINY, House, open_house
from e2e.hub import Hub, docker
from e2e.lab_config import STARTER, prepare_config
from integration.conftest import tiny_image
from integration.engine_proxy import EngineProxy

__all__ = ["tiny_image"]  # a fixture


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "late: runs after all other end-to-end tests")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The crash first, and last what must be waited for after it."""
    items.sort(
        key=lambda item: (
            "tests/e2e/" in item.nodeid,
            item.get_closest_marker("late") is not None,
            "test_hub_crash" not in item.nodeid,
        )
    )


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
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=30_000)  # milliseconds; the usual five are few beside other tests
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def running_hub(new_hub: Callable[..., Hub]) -> Hub:
    return new_hub()


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
