"""Commands against the gateway's own API, on a Unix socket, with a lab of fakes behind it."""

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest

from ds01_cli.frame import printing
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
