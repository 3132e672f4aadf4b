import json
from typing import Any

import pytest

from ds01_spawner.domain.errors import Forbidden, InvalidRequest, QuotaExceeded, Refused
from ds01_spawner.gateway.docker.options.update import update_payload
from fakes.docker_askers import GIB, LIMITS

# docker 28.2.2: `docker update --cpus 2 NAME`
DOCKER_CLI: dict[str, Any] = json.loads(
    """
{"CpuShares":0,"Memory":0,"NanoCpus":2000000000,"CgroupParent":"","BlkioWeight":0,
"BlkioWeightDevice":null,"BlkioDeviceReadBps":null,"BlkioDeviceWriteBps":null,
"BlkioDeviceReadIOps":null,"BlkioDeviceWriteIOps":null,"CpuPeriod":0,"CpuQuota":0,
"CpuRealtimePeriod":0,"CpuRealtimeRuntime":0,"CpusetCpus":"","CpusetMems":"","Devices":null,
"DeviceCgroupRules":null,"DeviceRequests":null,"MemoryReservation":0,"MemorySwap":0,
"MemorySwappiness":null,"OomKillDisable":null,"PidsLimit":null,"Ulimits":null,"CpuCount":0,
"CpuPercent":0,"IOMaximumIOps":0,"IOMaximumBandwidth":0,
"RestartPolicy":{"Name":"","MaximumRetryCount":0}}
"""
)


def _updated(**changes: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    return update_payload(json.dumps({**DOCKER_CLI, "NanoCpus": 0, **changes}).encode(), LIMITS)


def test_cpus_are_a_quota_as_at_creation() -> None:
    payload, _ = update_payload(json.dumps(DOCKER_CLI).encode(), LIMITS)
    assert payload == {"CpuPeriod": 100_000, "CpuQuota": 200_000}


def test_memory_brings_its_swap_along() -> None:
    assert _updated(Memory=4 * GIB)[0] == {"Memory": 4 * GIB, "MemorySwap": 8 * GIB}
    assert _updated(Memory=32 * GIB)[0] == {"Memory": 32 * GIB, "MemorySwap": 40 * GIB}


@pytest.mark.parametrize(
    ("changes", "payload"),
    [
        ({}, {}),
        ({"PidsLimit": 10}, {"PidsLimit": 10}),
        ({"PidsLimit": -1}, {}),
        ({"CpuShares": 512, "CpusetCpus": "0"}, {"CpuShares": 512, "CpusetCpus": "0"}),
        ({"RestartPolicy": {"Name": "no"}}, {"RestartPolicy": {"Name": "no"}}),
        (
            {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}},
            {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2}},
        ),
    ],
)
def test_what_may_be_changed(changes: dict[str, Any], payload: dict[str, Any]) -> None:
    assert _updated(**changes)[0] == payload


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"Memory": 64 * GIB}, QuotaExceeded, "your limit is 32 GiB"),
        ({"NanoCpus": 64 * 10**9}, QuotaExceeded, "64 CPUs; your limit is 8"),
        ({"PidsLimit": 10**6}, QuotaExceeded, "your limit is 4096"),
        ({"RestartPolicy": {"Name": "always"}}, Forbidden, "--restart always"),
        ({"CgroupParent": "/x"}, Forbidden, "--cgroup-parent"),
        ({"Devices": [{"PathOnHost": "/dev/sda"}]}, Forbidden, "--device"),
        ({"DeviceRequests": [{"Count": -1}]}, Forbidden, "GPUs of a container cannot be changed"),
        ({"Ulimits": [{"Name": "nofile"}]}, Forbidden, "Ulimits"),
        ({"ShmSize": GIB}, Forbidden, "Shared memory"),
        ({"MemorySwappiness": 0}, Forbidden, "swappiness of a container cannot be changed"),
        ({"OomKillDisable": True}, Forbidden, "--oom-kill-disable"),
        ({"memory": 1}, InvalidRequest, "twice"),
        ({"Privileged": True}, Forbidden, "--privileged"),
        ({"Later": 1}, Forbidden, "Later is not known"),
    ],
)
def test_what_may_not(changes: dict[str, Any], error: type[Refused], words: str) -> None:
    with pytest.raises(error, match=words):
        _updated(**changes)
