from dataclasses import asdict
from pathlib import Path

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.recipes.starter import STARTER
from fakes.api_app import FakeApi


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where alice's files are."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def api(home: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """The API, with what images may be made of."""
    assert home.is_dir()
    api = FakeApi()
    api.options = m.ImageOptions.model_validate(asdict(STARTER))
    monkeypatch.setattr("ds01_cli.frame.session.connect", api.connect)
    return api


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody is there to answer questions."""
    monkeypatch.setattr("ds01_cli.frame.asking.can_ask", lambda: True)
