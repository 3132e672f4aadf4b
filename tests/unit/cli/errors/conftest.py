"""A keyboard before an API on real sockets."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.api_server import ApiServer, api_server
from fakes.cli_scene import Scene, a_home, scene_in


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """What commands ask."""
    with api_server(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home that each scene begins with a copy of."""
    with pytest.MonkeyPatch.context() as patch:
        return a_home(tmp_path_factory.mktemp("home"), patch)


@pytest.fixture
def scene(
    server: ApiServer,
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Scene:
    """Somebody at a keyboard."""
    return scene_in(tmp_path, template, server, monkeypatch, capfd)
