import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from ds01_spawner.exporter import __main__ as program
from ds01_spawner.exporter.entry import Admission, Entry, TokenEntry, open_to_all
from ds01_spawner.exporter.service import MOST_UNHEARD, Service
from fakes.exporter_lab import ExporterLab, lively_lab

UNIT = Path(__file__).parents[3] / "config" / "systemd" / "ds01-exporter.service"
BOUND_SECONDS = 10.0
TOKEN = "0123456789abcdef" * 4


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "exporter.token"
    path.write_text(f"{TOKEN}\n")
    return path


@contextmanager
def served(lab: ExporterLab, entry: Entry = open_to_all) -> Iterator[str]:
    service = Service(lab.exporter, entry, "127.0.0.1", 0)
    ready = threading.Event()
    running = threading.Thread(target=service.run, args=(ready.set,))
    running.start()
    assert ready.wait(BOUND_SECONDS)
    try:
        yield f"http://127.0.0.1:{service.port}"
    finally:
        service.end()
        running.join(BOUND_SECONDS)
    assert not running.is_alive()


@pytest.mark.enable_socket
def test_answers_prometheus_in_the_format_that_it_asks_for() -> None:
    with served(lively_lab()) as url:
        plain = httpx.get(f"{url}/metrics")
        assert plain.status_code == 200
        assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert "\nds01_collector_up" in plain.text
        asked = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
        open_metrics = httpx.get(f"{url}/metrics", headers=asked)
        assert open_metrics.headers["Content-Type"].startswith("application/openmetrics-text")
        assert open_metrics.text.endswith("# EOF\n")


@pytest.mark.enable_socket
def test_says_that_it_is_there_without_reading_anything() -> None:
    lab = lively_lab()
    lab.lab.engine.stuck = lab.lab.probe.stuck = True
    with served(lab) as url:
        calls = len(lab.lab.engine.calls)
        healthy = httpx.get(f"{url}/-/healthy")
        assert (healthy.status_code, healthy.text) == (200, "OK\n")
        assert len(lab.lab.engine.calls) == calls
        assert httpx.get(f"{url}/").text.endswith("/metrics\n")
        assert httpx.get(f"{url}/etc/passwd").status_code == 404
        assert httpx.post(f"{url}/metrics").status_code == 405


def test_the_environment_says_where_it_listens_and_options_win() -> None:
    asked = program._asked(
        ["--port", "1234"],
        {"DS01_EXPORTER_PORT": "99", "DS01_EXPORTER_HOST": "::1"},
    )
    assert (asked.host, asked.port, asked.job_mapping_dir, asked.once) == ("::1", 1234, None, False)
    asked = program._asked([], {"DS01_EXPORTER_JOB_MAPPING_DIR": "/run/jobs"})
    assert (asked.host, asked.port) == ("127.0.0.1", 484)
    assert not asked.open
    assert asked.job_mapping_dir == Path("/run/jobs")


@pytest.mark.enable_socket
def test_only_who_has_the_token_is_told_whose_what_is(token_file: Path) -> None:
    lab = lively_lab()
    with served(lab, TokenEntry(token_file)) as url:
        calls = len(lab.lab.engine.calls)
        for said in ("", "Bearer", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer \u00fc"):
            headers = {b"Authorization": said.encode("latin-1")} if said else {}
            refused = httpx.get(f"{url}/metrics", headers=headers)
            assert refused.status_code == 401, said
            assert refused.headers["WWW-Authenticate"] == "Bearer"
            assert "alice" not in refused.text
        assert len(lab.lab.engine.calls) == calls
        told = httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert (told.status_code, "alice" in told.text) == (200, True)
        assert httpx.get(f"{url}/-/healthy").status_code == 200


def test_nobody_is_let_in_without_a_token(token_file: Path) -> None:
    entry = TokenEntry(token_file)
    assert entry(f"bearer {TOKEN}") is Admission.GIVEN
    token_file.write_text("short\n")
    assert entry("Bearer short") is Admission.CLOSED
    token_file.unlink()
    assert entry("Bearer ") is entry("") is Admission.CLOSED
    token_file.write_text("another-token-of-more-than-32-letters")
    assert entry(f"Bearer {TOKEN}") is Admission.WRONG
    assert entry("Bearer another-token-of-more-than-32-letters") is Admission.GIVEN


def listening() -> set[threading.Thread]:
    """Threads that hear what somebody asks."""
    return {each for each in threading.enumerate() if "process_request" in each.name}


@pytest.mark.enable_socket
def test_those_who_connect_and_say_nothing_keep_nobody_out() -> None:
    others = listening()
    with served(lively_lab()) as url:
        port = int(url.rpartition(":")[2])
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(MOST_UNHEARD * 3)]
        try:
            assert httpx.get(f"{url}/-/healthy").status_code == 200
            silent[0].settimeout(BOUND_SECONDS)
            assert silent[0].recv(1) == b""
            latest = time.monotonic() + BOUND_SECONDS
            while len(listening() - others) >= MOST_UNHEARD * 2:
                assert time.monotonic() < latest
                time.sleep(0.01)
        finally:
            for each in silent:
                each.close()


def test_the_token_is_asked_for_unless_the_administrator_says_otherwise(
    token_file: Path, tmp_path: Path
) -> None:
    built_in = tmp_path / "none"
    entry = program._entry(program._asked([], {}), built_in)
    assert entry(f"Bearer {TOKEN}") is Admission.CLOSED
    named = program._asked([], {"DS01_EXPORTER_TOKEN_FILE": os.fspath(token_file)})
    assert program._entry(named, built_in)(f"Bearer {TOKEN}") is Admission.GIVEN
    for said in ("no", "", "0"):
        assert not program._asked([], {"DS01_EXPORTER_OPEN": said}).open
    assert program._entry(program._asked([], {"DS01_EXPORTER_OPEN": "yes"}), built_in)("") is (
        Admission.GIVEN
    )


@pytest.mark.parametrize("port", ["x", "-1", "70000"])
def test_a_port_that_is_none_ends_the_program(
    port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        program._asked([], {"DS01_EXPORTER_PORT": port})
    assert "no port" in capsys.readouterr().err


def test_its_unit_leaves_open_what_it_reads() -> None:
    settings = dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE))
    assert settings["ExecStart"].endswith("python -m ds01_spawner.exporter")
    assert {"CAP_SYSLOG", "CAP_SYS_PTRACE"} <= set(settings["CapabilityBoundingSet"].split())
    assert settings["ProtectKernelLogs"] == settings["PrivateDevices"] == "no"
    assert settings["StateDirectory"] == "ds01"


def test_its_port_is_one_that_only_root_can_take_and_its_folder_closed() -> None:
    settings = dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE))
    assert program.DEFAULT_PORT < 1024
    assert "CAP_NET_BIND_SERVICE" in settings["CapabilityBoundingSet"].split()
    assert settings["RuntimeDirectoryMode"] == "0750"
