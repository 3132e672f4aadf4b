import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from contracts.machine_look import MachineLookContract
from ds01_spawner.adapters.machine_look import KernelMachineLook, units_of
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.health import Answer, FileFacts, UnitFacts
from ds01_spawner.ports.health import MachineLook
from fakes.machine_look import ROOMY, FakeMachineLook

SHOWN = """Id=ds01-hub.service
LoadState=loaded
ActiveState=active
UnitFileState=enabled

Id=ds01-exporter.service
LoadState=not-found
ActiveState=inactive
UnitFileState=

Id=docker.service
LoadState=loaded
ActiveState=failed
UnitFileState=disabled
"""


class _Well(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass


@pytest.mark.enable_socket
class TestKernelMachineLook(MachineLookContract):
    @pytest.fixture
    def look(self, tmp_path: Path) -> MachineLook:
        return KernelMachineLook(systemd=tmp_path / "no-systemd")

    @pytest.fixture
    def folder(self, tmp_path: Path) -> str:
        (tmp_path / "secret.env").touch(mode=0o600)
        return str(tmp_path)

    @pytest.fixture
    def url(self) -> Iterator[str]:
        with ThreadingHTTPServer(("127.0.0.1", 0), _Well) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            yield f"http://127.0.0.1:{server.server_port}/-/healthy"
            server.shutdown()
            thread.join(10)


class TestFakeMachineLook(MachineLookContract):
    @pytest.fixture
    def look(self, folder: str, url: str) -> MachineLook:
        return FakeMachineLook(
            disks={folder: ROOMY},
            files={f"{folder}/secret.env": FileFacts(0o600, 0)},
            answers={url: Answer(200)},
        )

    @pytest.fixture
    def folder(self) -> str:
        return "/var/lib/ds01"

    @pytest.fixture
    def url(self) -> str:
        return "http://127.0.0.1:484/-/healthy"


def test_what_systemd_says_is_told_of_installed_services_alone() -> None:
    assert units_of(SHOWN) == {
        "ds01-hub.service": UnitFacts("active", enabled=True),
        "docker.service": UnitFacts("failed", enabled=False),
    }
    assert units_of("") == {}


def test_the_kernel_says_whether_the_clock_is_kept_or_that_it_does_not_know() -> None:
    assert KernelMachineLook().clock_is_kept() in {True, False, None}


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [("exit 1", 1, "does not answer"), ("sleep 60", 0, "does not answer")],
)
def test_a_systemd_that_fails_or_hangs_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: int, words: str
) -> None:
    del code
    program = tmp_path / "systemctl"
    program.write_text(f"#!/bin/sh\nexec {text}\n" if "sleep" in text else f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    monkeypatch.setattr("ds01_spawner.adapters.machine_look._PATH", str(tmp_path))
    monkeypatch.setenv("PATH", os.environ["PATH"])
    with pytest.raises(Unavailable, match=words):
        KernelMachineLook(0.2, systemd=tmp_path).units(["docker.service"])
