"""Commands before an API in memory, and somebody at a terminal."""

import sys
from collections.abc import Callable

import pytest

from ds01_spawner.client import places
from fakes.api_app import FakeApi
from fakes.terminal import Terminal

Types = Callable[[str], Terminal]


@pytest.fixture
def api(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """What commands ask; alice types them, on the server."""
    monkeypatch.setattr(places, "find", places.socket_place)
    return api


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Types:
    """Lets somebody type on a terminal; what they are asked is in what is returned."""

    def typed(text: str) -> Terminal:
        shown = Terminal()
        monkeypatch.setattr(sys, "stdin", Terminal(text))
        monkeypatch.setattr(sys, "stderr", shown)
        return shown

    return typed
