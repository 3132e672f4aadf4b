import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests

from monitoring import files
from monitoring.mail import MailSink, mail_sink
from monitoring.processes import LOOPBACK, eventually, free_port, running

RULES = {rule.name: rule for rule in files.rules() if rule.is_alert}
Alert = Mapping[str, Any]


class Alertmanager:
    def __init__(self, url: str) -> None:
        self.url = url

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/-/ready", timeout=1).ok
        except requests.RequestException:
            return False

    def tell(self, name: str, **labels: str) -> None:
        rule = RULES[name]
        alert = {
            "labels": {"alertname": name, "instance": "gpu-server", **rule.labels, **labels},
            "annotations": dict(rule.annotations),
        }
        requests.post(f"{self.url}/api/v2/alerts", json=[alert], timeout=5).raise_for_status()

    def states(self) -> Mapping[str, str]:
        said = requests.get(f"{self.url}/api/v2/alerts", timeout=5).json()
        return {each["labels"]["alertname"]: each["status"]["state"] for each in said}

    def groups(self) -> list[set[str]]:
        said = requests.get(f"{self.url}/api/v2/alerts/groups", timeout=5).json()
        return [{alert["labels"]["alertname"] for alert in group["alerts"]} for group in said]


@pytest.fixture
def sink() -> Iterator[MailSink]:
    with mail_sink() as found:
        yield found


@pytest.fixture
def alertmanager(sink: MailSink, tmp_path: Path) -> Iterator[Alertmanager]:
    """Debian's, with our configuration: a mail server of the test, and no patience."""
    folder = tmp_path / "etc"
    shutil.copytree(files.PROMETHEUS, folder)
    path = folder / "alertmanager.yml"
    text = path.read_text(encoding="utf-8").replace("127.0.0.1:25", f"{LOOPBACK}:{sink.port}")
    path.write_text(re.sub(r"group_wait: \w+", "group_wait: 1s", text), encoding="utf-8")
    port = free_port()
    with (
        (tmp_path / "log").open("w", encoding="utf-8") as log,
        running(
            "prometheus-alertmanager",
            f"--config.file={path}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address={LOOPBACK}:{port}",
            "--cluster.listen-address=",
            stdout=log,
            stderr=log,
        ),
    ):
        found = Alertmanager(f"http://{LOOPBACK}:{port}")
        eventually("Alertmanager is ready", found.is_ready)
        yield found


def test_without_the_exporter_nothing_else_is_said_of_its_server(
    alertmanager: Alertmanager,
) -> None:
    alertmanager.tell("Ds01ExporterDown", job="ds01")
    alertmanager.tell("GpuXidHardware", card="0", xid="79")
    alertmanager.tell("DiskSpaceLow", place="homes")
    alertmanager.tell("PrometheusRulesFailing", rule_group="gpus")
    wanted = {
        "Ds01ExporterDown": "active",
        "GpuXidHardware": "suppressed",
        "DiskSpaceLow": "suppressed",
        "PrometheusRulesFailing": "active",
    }
    eventually("alerts are sorted out", lambda: alertmanager.states() == wanted)


def test_a_lost_card_silences_itself_and_no_other_card(alertmanager: Alertmanager) -> None:
    alertmanager.tell("GpuLost", card="0")
    alertmanager.tell("GpuHot", card="0")
    alertmanager.tell("GpuThrottled", card="1", reason="thermal")
    wanted = {"GpuLost": "active", "GpuHot": "suppressed", "GpuThrottled": "active"}
    eventually("alerts are sorted out", lambda: alertmanager.states() == wanted)


def test_what_one_card_sets_off_is_one_letter(alertmanager: Alertmanager, sink: MailSink) -> None:
    alertmanager.tell("GpuHot", card="0")
    alertmanager.tell("GpuThrottled", card="0", reason="thermal")
    eventually("a letter came", lambda: bool(sink.letters))
    (letter,) = sink.letters
    assert letter["Subject"].startswith("[DS01] ")
    assert letter["Subject"].endswith("(one of 2)")
    assert letter.get_content_type() == "multipart/alternative"
    (part,) = letter.iter_parts()
    text = part.get_content()
    for name in ("GpuHot", "GpuThrottled"):
        for sentence in RULES[name].annotations.values():
            assert sentence in text


def test_what_one_person_sets_off_comes_together(alertmanager: Alertmanager) -> None:
    alertmanager.tell("GpuWasted", user="alice", slot="0")
    alertmanager.tell("GpuHeldWithoutProgram", user="alice", slot="1:0")
    alertmanager.tell("WorkloadUnmanaged", user="bob", kind="docker")
    wanted = [{"GpuHeldWithoutProgram", "GpuWasted"}, {"WorkloadUnmanaged"}]
    eventually("alerts are grouped", lambda: sorted(alertmanager.groups(), key=min) == wanted)
