"""Where commands are typed, and what they ask: the gateway's own API, or one in memory."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC
from pathlib import Path

import pytest

from ds01_cli.frame import asking, printing, session
from ds01_spawner.client import models as m
from ds01_spawner.recipes.starter import STARTER
from fakes.api_app import FakeApi
from fakes.api_house import House
from fakes.api_socket import api_socket


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    """A lab; alice types the commands, and reads its clock in UTC."""
    with api_socket(tmp_path) as (lab, path, peer):
        monkeypatch.setenv("DS01_GATEWAY_SOCKET", str(path))
        monkeypatch.setattr(printing, "now", lab.lab.clock.now)
        monkeypatch.setattr(printing, "here", lambda: UTC)
        yield House(lab, peer)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where alice's files are, and where she is."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def api(home: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """An API in memory, with what images may be made of; alice asks."""
    assert home.is_dir()
    found = FakeApi()
    found.options = m.ImageOptions.model_validate(asdict(STARTER))
    monkeypatch.setattr(session, "connect", found.connect)
    return found


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is there to answer questions."""
    monkeypatch.setattr(asking, "can_ask", lambda: True)
