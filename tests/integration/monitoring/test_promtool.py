import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from monitoring import files

CASES = sorted((Path(__file__).parent / "rules").glob("*.yaml"))
ROUTES = [
    ("severity=critical alertname=GpuLost card=0", "administrators"),
    ("severity=warning alertname=GpuWasted user=alice slot=2", "administrators"),
    ("severity=critical alertname=Ds01ServiceDown service=hub", "administrators"),
    ("severity=info alertname=GpuCapacityLow", "weekly-look"),
    ("severity=info alertname=PersonAtGpuLimit user=alice", "weekly-look"),
]


def said_by(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_configuration_is_valid(tmp_path: Path) -> None:
    folder = tmp_path / "prometheus"
    shutil.copytree(files.PROMETHEUS, folder)
    for name in ("exporter.token", "hub.token"):
        (folder / name).write_text("token", encoding="utf-8")
    said = said_by("promtool", "check", "config", str(folder / "prometheus.yml"))
    assert f"{len(files.RULE_FILES)} rule files found" in said


def test_a_demo_is_scraped_as_the_docs_say(tmp_path: Path) -> None:
    docs = (files.ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    section = docs.split("### A demo's figures", 1)[1].split("\n## ", 1)[0]
    (told,) = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    folder = tmp_path / "prometheus"
    shutil.copytree(files.PROMETHEUS, folder)
    path = folder / "prometheus.yml"
    before, jobs = path.read_text(encoding="utf-8").split("scrape_configs:\n")
    others = jobs[jobs.index("  - job_name: prometheus") :]
    path.write_text(f"{before}scrape_configs:\n{told}{others}", encoding="utf-8")
    said_by("promtool", "check", "config", str(path))
    named = {job["job_name"] for job in yaml.safe_load(path.read_text())["scrape_configs"]}
    assert named == {"ds01", "prometheus"}


@pytest.mark.parametrize("path", files.RULE_FILES, ids=lambda path: path.stem)
def test_rules_are_valid(path: Path) -> None:
    said_by("promtool", "check", "rules", str(path))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(path: Path) -> None:
    said_by("promtool", "test", "rules", str(path))


def test_alertmanager_configuration_is_valid() -> None:
    said = said_by("amtool", "check-config", str(files.PROMETHEUS / "alertmanager.yml"))
    assert "FAILED" not in said


@pytest.mark.parametrize(("labels", "receiver"), ROUTES)
def test_alert_reaches_who_should_know(labels: str, receiver: str) -> None:
    path = files.PROMETHEUS / "alertmanager.yml"
    command = ("amtool", "config", "routes", "test", f"--config.file={path}", *labels.split())
    assert said_by(*command).strip() == receiver
