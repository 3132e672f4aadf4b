import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from ds01_spawner.exporter import __main__ as program
from ds01_spawner.exporter.service import Service
from fakes.exporter_lab import ExporterLab, lively_lab

UNIT = Path(__file__).parents[3] / "config" / "systemd" / "ds01-exporter.service"
BOUND_SECONDS = 10.0


@contextmanager
def served(lab: ExporterLab) -> Iterator[str]:
    service = Service(lab.exporter, "127.0.0.1", 0)
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
    assert (asked.host, asked.port) == ("127.0.0.1", 9484)
    assert asked.job_mapping_dir == Path("/run/jobs")


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
