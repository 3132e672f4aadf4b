"""Alerts on what the exporter says of a situation, not on rows that somebody wrote by hand."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ds01_spawner.domain.attribution import GpuProcess
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand
from ds01_spawner.domain.person import UnixAccount
from ds01_spawner.domain.storage import StorageUse
from fakes.clock import EPOCH
from fakes.exporter_lab import GIB, POLICY, ExporterLab
from fakes.policy import FakePolicy
from monitoring import files

MONITOR = "d" * 64
RULES = {"figures", "gpus", "people", "sharing"}


def quiet() -> ExporterLab:
    lab = ExporterLab()
    lab.lab.run("alice")
    lab.lab.run("carol", "full")
    return lab


def layout_changed() -> ExporterLab:
    lab = quiet()
    uuid = lab.lab.probe.slot(slot_of(lab, "alice")).uuid
    present = lab.lab.probe.present
    gpus = tuple(
        replace(gpu, instances=tuple(each for each in gpu.instances if each.uuid != uuid))
        for gpu in present.gpus
    )
    lab.lab.probe.present = replace(present, gpus=gpus)
    return lab


def monitor(spare: str) -> ExporterLab:
    lab = quiet()
    lab.policy.inner = FakePolicy(f"{POLICY}unmanaged: {{spare: {spare}}}\n")
    lab.lab.engine.put(
        Container(
            MONITOR,
            "dcgm-exporter",
            ContainerState.RUNNING,
            {},
            EPOCH,
            demand=DeviceDemand(count=-1),
        )
    )
    return lab


def monitor_at_work() -> ExporterLab:
    lab = monitor("[dcgm-exporter]")
    lab.table.put(9, uid=0, cgroup=f"0::/docker/{MONITOR}\n")
    lab.busy(slot_of(lab, "carol"), 0.5, GpuProcess(9, "", memory_bytes=GIB))
    return lab


def display(*, computes: bool) -> ExporterLab:
    lab = quiet()
    lab.accounts.people["root"] = UnixAccount("root", 0, 0, "/root")
    lab.table.put(77, uid=0, cgroup="0::/system.slice/gdm.service\n", name="Xorg")
    lab.busy("3", 0.0, GpuProcess(77, "", memory_bytes=5 << 20, computes=computes))
    return lab


def on_holiday() -> ExporterLab:
    """Dora has used 200 of the 500 GiB of a group that only her account tells."""
    lab = quiet()
    home = StorageUse("dora", 200 * GIB, EPOCH, "quota", limit_bytes=500 * GIB)
    with lab.ledger.transaction() as transaction:
        transaction.put_storage(home)
    return lab


def slot_of(lab: ExporterLab, user: str) -> str:
    return next(slot for slot, holder in lab.lab.taken().items() if holder == user)


def asked(lab: ExporterLab, expected: dict[str, str]) -> str:
    """A file for promtool: what this lab's exporter says, for three quarters of an hour."""
    series = [{"series": 'up{job="ds01", instance="gpu-server"}', "values": "1+0x50"}]
    for family in text_string_to_metric_families(lab.text()):
        for sample in family.samples:
            labels = {**sample.labels, "instance": "gpu-server"}
            said = ", ".join(f"{key}={json.dumps(value)}" for key, value in labels.items())
            row = {"series": f"{sample.name}{{{said}}}", "values": f"{sample.value!r}+0x50"}
            series.append(row)
    alerts = [
        {"labels": f'{{alertname="{name}"{slot and f", slot={json.dumps(slot)}"}}}', "value": 1}
        for name, slot in expected.items()
    ]
    question = {
        "expr": 'count by (alertname, slot) (ALERTS{alertstate="firing"})',
        "eval_time": "45m",
        "exp_samples": alerts,
    }
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [question]}
    rules = [str(path) for path in files.RULE_FILES if path.stem in RULES]
    whole = {"rule_files": rules, "evaluation_interval": "1m", "tests": [test]}
    return yaml.safe_dump(whole)


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        pytest.param(quiet, {}, id="nothing"),
        pytest.param(layout_changed, {"GpuSlotLost": "0:2"}, id="layout-changed"),
        pytest.param(partial(monitor, "[dcgm-exporter]"), {}, id="monitor"),
        pytest.param(monitor_at_work, {"GpuSlotConflict": "2"}, id="monitor-computes"),
        pytest.param(partial(display, computes=False), {}, id="display"),
        pytest.param(
            partial(display, computes=True), {"WorkloadUnmanaged": ""}, id="computes-past-it"
        ),
        pytest.param(on_holiday, {}, id="on-holiday"),
    ],
)
def test_what_is_alerted_is_what_is_the_matter(
    situation: Callable[[], ExporterLab], expected: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "case.yaml"
    path.write_text(asked(situation(), expected), encoding="utf-8")
    command = ("promtool", "test", "rules", str(path))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
