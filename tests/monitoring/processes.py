"""Processes of a test, each ended by its id, and what a Prometheus says."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from monitoring.files import PROMETHEUS

LOOPBACK = "127.0.0.1"
TOKEN = "the-token-that-prometheus-has-for-the-exporter"
WITH_TOKEN = {"Authorization": f"Bearer {TOKEN}"}
_START_SECONDS = 30.0
_END_SECONDS = 5.0


def eventually(what: str, attempt: Callable[[], bool], seconds: float = _START_SECONDS) -> None:
    """Wait until it is so, and no longer than that."""
    end = time.monotonic() + seconds
    while not attempt():
        if time.monotonic() > end:
            pytest.fail(f"{what}: not within {seconds:g} s")
        time.sleep(0.1)


@contextmanager
def running(*command: object, **more: Any) -> Iterator["subprocess.Popen[str]"]:
    """A process, until the end of the block."""
    with subprocess.Popen([str(each) for each in command], text=True, **more) as process:
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_END_SECONDS)
            process.kill()


def free_port() -> int:
    """One that nobody has."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])


@dataclass(frozen=True, slots=True)
class RunningPrometheus:
    """One that answers.

    Attributes:
        url: Where it is.
    """

    url: str

    def get(self, path: str, **parameters: str) -> Any:
        """What its API says."""
        said = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=10).json()
        assert said["status"] == "success", (parameters, said.get("error"))
        return said["data"]

    def rows(self, expression: str) -> list[Any]:
        """What an expression answers now."""
        return list(self.get("query", query=expression)["result"])

    def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            return requests.get(f"{self.url}/-/ready", timeout=1).ok
        except requests.RequestException:
            return False


@contextmanager
def prometheus(folder: Path, exporters: Mapping[str, int]) -> Iterator[RunningPrometheus]:
    """Debian's, with our configuration; `exporters` are ports by what the servers are called."""
    own = free_port()
    configuration = _quick(folder / "etc", exporters, own)
    with (
        (folder / "log").open("w", encoding="utf-8") as log,
        running(
            "prometheus",
            f"--config.file={configuration}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{own}",
            stdout=log,
            stderr=log,
            env={"PATH": os.environ["PATH"], "GOMAXPROCS": "1"},
        ),
    ):
        found = RunningPrometheus(f"http://{LOOPBACK}:{own}")
        eventually("Prometheus is ready", found.is_ready)
        yield found


def _quick(folder: Path, exporters: Mapping[str, int], own: int) -> Path:
    """Our files, with ports of this test, and with seconds where a lab has minutes."""
    shutil.copytree(PROMETHEUS, folder)
    (folder / "exporter.token").write_text(f"{TOKEN}\n", encoding="utf-8")
    path = folder / "prometheus.yml"
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    said["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    del said["alerting"]
    targets = {"ds01": exporters, "prometheus": {"gpu-server": own}}
    said["scrape_configs"] = [job for job in said["scrape_configs"] if job["job_name"] in targets]
    for job in said["scrape_configs"]:
        job["static_configs"] = [
            {"targets": [f"{LOOPBACK}:{port}"], "labels": {"instance": name}}
            for name, port in targets[job["job_name"]].items()
        ]
    path.write_text(yaml.safe_dump(said), encoding="utf-8")
    for rules in (folder / "rules").glob("*.yaml"):
        groups = yaml.safe_load(rules.read_text(encoding="utf-8"))
        for group in groups["groups"]:
            group["interval"] = "1s"
        rules.write_text(yaml.safe_dump(groups), encoding="utf-8")
    return path
