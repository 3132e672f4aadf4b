import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests

from monitoring import files
from monitoring.files import ROOT
from monitoring.processes import (
    LOOPBACK,
    TOKEN,
    WITH_TOKEN,
    RunningPrometheus,
    eventually,
    prometheus,
    running,
)

LAB = ROOT / "tests" / "stubs" / "lab_exporter.py"
QUESTIONS = tuple(files.questions({"server": "gpu-server", "user": "alice"}))
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
WITHOUT_HUB = {"health: Answers of the hub"}


@pytest.fixture(scope="module")
def lab() -> Iterator[int]:
    """The port of an exporter whose lab has a row of every metric, and more at each scrape."""
    with running(sys.executable, LAB, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the exporter as it is installed, on this machine's engine and simulated GPUs."""
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(ROOT / "config", folder / "config")
    (folder / "state").mkdir()
    (folder / "config" / "exporter.token").write_text(f"{TOKEN}\n", encoding="utf-8")
    environment = os.environ | {
        "DS01_CONFIG_DIR": str(folder / "config"),
        "DS01_STATE_DIR": str(folder / "state"),
        "DS01_EXPORTER_PORT": "0",
    }
    command = (sys.executable, "-m", "ds01_spawner.exporter")
    with running(*command, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "http://" in line)
        port = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", said)
        assert port, said
        yield int(port[1])


@pytest.fixture(scope="module")
def scraping(
    lab: int, demo: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningPrometheus]:
    """Debian's Prometheus with our configuration, which has read both."""
    folder = tmp_path_factory.mktemp("prometheus")
    with prometheus(folder, {"gpu-server": lab, "demo-server": demo}) as found:
        grown = 'user:ds01_user_gpu_seconds:increase24h{instance="gpu-server"} > 0'
        eventually("GPU time grows", lambda: bool(found.rows(grown)))
        failed = 'outcome_reason:ds01_spawns:increase1h{outcome="failed"} > 0'
        eventually("failed starts grow", lambda: bool(found.rows(failed)))
        yield found


def test_targets_are_up(scraping: RunningPrometheus) -> None:
    eventually(
        "all targets are up", lambda: {row["value"][1] for row in scraping.rows("up")} == {"1"}
    )
    assert {row["metric"]["instance"] for row in scraping.rows('up{job="ds01"}')} == {
        "demo-server",
        "gpu-server",
    }


def test_rules_load_and_can_be_evaluated(scraping: RunningPrometheus) -> None:
    rules = [rule for group in scraping.get("rules")["groups"] for rule in group["rules"]]
    assert sorted(rule["name"] for rule in rules) == sorted(rule.name for rule in files.rules())
    eventually(
        "all rules are evaluated",
        lambda: all(
            rule["health"] == "ok"
            for group in scraping.get("rules")["groups"]
            for rule in group["rules"]
        ),
    )


def test_boards_show_something(scraping: RunningPrometheus) -> None:
    silent = {str(each) for each in QUESTIONS if not scraping.rows(each.expression)}
    assert silent == WITHOUT_HUB


def test_an_alert_fires_of_what_the_exporter_tells(scraping: RunningPrometheus) -> None:
    (fired,) = scraping.rows('ALERTS{alertname="GpuXidHardware", alertstate="firing"}')
    assert (fired["metric"]["card"], fired["metric"]["xid"]) == ("0", "79")


def test_a_server_that_is_read_shows_its_slots(scraping: RunningPrometheus) -> None:
    (row,) = scraping.rows('count(ds01_gpu_slot_info{instance="demo-server"})')
    assert int(row["value"][1]) > 0


@pytest.mark.parametrize("accept", ["text/plain", OPENMETRICS])
def test_counters_have_the_names_that_rules_ask_for(lab: int, accept: str) -> None:
    answer = requests.get(
        f"http://{LOOPBACK}:{lab}/metrics", headers={"Accept": accept}, timeout=10
    )
    assert answer.headers["Content-Type"].startswith(accept.partition(";")[0])
    assert "\nds01_spawns_total{" in answer.text


@pytest.mark.parametrize("exporter", ["lab", "demo"])
def test_metrics_have_no_fault_that_promtool_knows(
    exporter: str, request: pytest.FixtureRequest
) -> None:
    port = request.getfixturevalue(exporter)
    text = requests.get(f"http://{LOOPBACK}:{port}/metrics", headers=WITH_TOKEN, timeout=10).text
    check = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")
