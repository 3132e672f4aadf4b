import json
from typing import Any

import pytest

from ds01_spawner.gateway.docker.system.machine_info import info_for, older_version, version_for

ENGINE: dict[str, Any] = {
    "ID": "PRGT",
    "Name": "gpu1",
    "Containers": 200,
    "ContainersRunning": 150,
    "Images": 90,
    "ServerVersion": "20.10.24",
    "OSType": "linux",
    "Architecture": "x86_64",
    "OperatingSystem": "Debian GNU/Linux 12",
    "KernelVersion": "6.1",
    "NCPU": 64,
    "MemTotal": 2**39,
    "Driver": "overlay2",
    "DriverStatus": [["Backing Filesystem", "extfs"]],
    "CgroupDriver": "systemd",
    "CgroupVersion": "2",
    "DockerRootDir": "/var/lib/docker",
    "IndexServerAddress": "https://index.docker.io/v1/",
    "SecurityOptions": ["name=seccomp,profile=default"],
    "DefaultRuntime": "runc",
    "MemoryLimit": True,
    "Plugins": {
        "Volume": ["local", "secret-nfs"],
        "Network": ["bridge", "host", "null", "overlay"],
        "Authorization": ["secret-authz"],
        "Log": ["awslogs", "json-file"],
    },
    "Runtimes": {
        "runc": {"path": "runc"},
        "nvidia": {"path": "nvidia-container-runtime", "runtimeArgs": ["secret"]},
        "secret-runtime": {"path": "/opt/secret"},
    },
    "RegistryConfig": {"Mirrors": ["https://user:secret@mirror"]},
    "HttpProxy": "http://user:secret@proxy",
    "Labels": ["rack=secret"],
    "Swarm": {"NodeID": "secret", "LocalNodeState": "active"},
    "Warnings": ["WARNING: API is accessible on http://secret:2375 without encryption"],
    "NEventsListener": 7,
    "SomethingNew": "secret",
}


def test_counts_only_what_is_the_persons() -> None:
    shown = info_for(ENGINE, ["running", "running", "paused", "exited", "created"], 3)
    counts = {key: value for key, value in shown.items() if key.startswith("Containers")}
    assert counts == {
        "Containers": 5,
        "ContainersRunning": 2,
        "ContainersPaused": 1,
        "ContainersStopped": 2,
    }
    assert shown["Images"] == 3


def test_tells_nothing_that_is_the_administrators() -> None:
    shown = info_for(ENGINE, [], 0)
    assert "secret" not in json.dumps(shown)
    assert "NEventsListener" not in shown


@pytest.mark.parametrize(
    "key",
    [
        "ID",
        "Name",
        "ServerVersion",
        "OSType",
        "Architecture",
        "NCPU",
        "MemTotal",
        "Driver",
        "CgroupDriver",
        "CgroupVersion",
        "KernelVersion",
        "OperatingSystem",
        "DockerRootDir",
        "DefaultRuntime",
        "SecurityOptions",
        "MemoryLimit",
        "IndexServerAddress",
    ],
)
def test_keeps_what_clients_read(key: str) -> None:
    assert info_for(ENGINE, [], 0)[key] == ENGINE[key]


def test_shows_the_runtimes_that_people_may_have() -> None:
    assert info_for(ENGINE, [], 0)["Runtimes"] == {
        "runc": {"path": "runc"},
        "nvidia": {"path": "nvidia-container-runtime"},
    }


def test_swarm_is_inactive_whatever_the_engine_does() -> None:
    assert info_for(ENGINE, [], 0)["Swarm"]["LocalNodeState"] == "inactive"


@pytest.mark.parametrize(
    ("engine", "shown"), [("1.41", "1.41"), ("1.47", "1.47"), ("1.52", "1.47"), ("1.9", "1.9")]
)
def test_offers_no_newer_api_than_is_understood(engine: str, shown: str) -> None:
    answer = {
        "ApiVersion": engine,
        "Version": "28",
        "Components": [
            {"Name": "Engine", "Version": "28", "Details": {"ApiVersion": engine}},
            {"Name": "runc", "Version": "1.1", "Details": {"GitCommit": "x"}},
        ],
    }
    told = version_for(answer, "1.24", "1.47")
    assert told["ApiVersion"] == shown
    assert told["Components"][0]["Details"]["ApiVersion"] == shown
    assert told["Components"][1] == answer["Components"][1]
    assert told["Version"] == "28"


def test_versions_are_compared_as_numbers() -> None:
    assert older_version("1.9", "1.41") == "1.9"


@pytest.mark.parametrize(
    ("engine", "shown"), [("1.12", "1.24"), ("1.24", "1.24"), ("1.40", "1.40")]
)
def test_offers_no_older_api_than_is_spoken(engine: str, shown: str) -> None:
    told = version_for({"ApiVersion": "1.47", "MinAPIVersion": engine}, "1.24", "1.47")
    assert told["MinAPIVersion"] == shown
