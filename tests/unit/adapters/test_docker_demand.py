from typing import Any

import pytest

from ds01_spawner.adapters.docker_engine.demand import demand_of
from ds01_spawner.domain.container import DeviceDemand

GPU = "GPU-aaaaaaaa-0000-0000-0000-000000000000"
MIG = "MIG-bbbbbbbb-0000-0000-0000-000000000000"
NOTHING = DeviceDemand()
EVERYTHING = DeviceDemand(count=-1)


def inspected(*env: str, runtime: str = "runc", **host: Any) -> dict[str, Any]:
    return {"Config": {"Env": list(env)}, "HostConfig": {"Runtime": runtime, **host}, "Mounts": []}


def request(driver: str = "", *ids: str, count: int = 0, gpu: bool = True) -> dict[str, Any]:
    return {
        "Driver": driver,
        "Count": count,
        "DeviceIDs": list(ids),
        "Capabilities": [["gpu"]] if gpu else [["tpu"]],
    }


@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ([request("", GPU)], DeviceDemand(uuids=(GPU,))),
        ([request("nvidia", MIG, GPU)], DeviceDemand(uuids=(MIG, GPU))),
        ([request("", "0", "1:2")], DeviceDemand(indices=("0", "1:2"))),
        ([request("", "all")], EVERYTHING),
        ([request(count=-1)], EVERYTHING),
        ([request("nvidia", count=2, gpu=False)], DeviceDemand(count=2)),
        ([request(count=1), request("", GPU)], DeviceDemand(uuids=(GPU,), count=1)),
        ([request(count=-1), request(count=2)], EVERYTHING),
        ([request("", "x", gpu=False)], NOTHING),
        ([request("amd", "0")], NOTHING),
        ([request("cdi", "nvidia.com/gpu=0")], DeviceDemand(indices=("0",))),
        ([request("cdi", "nvidia.com/mig=0:1")], DeviceDemand(indices=("0:1",))),
        ([request("cdi", f"nvidia.com/gpu={GPU}")], DeviceDemand(uuids=(GPU,))),
        ([request("cdi", "nvidia.com/gpu=all")], EVERYTHING),
        ([request("cdi", "amd.com/gpu=0", "vendor.com/nic=1")], NOTHING),
    ],
)
def test_reads_device_requests(requests: list[dict[str, Any]], expected: DeviceDemand) -> None:
    assert demand_of(inspected(DeviceRequests=requests), ours=False) == expected


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ((f"NVIDIA_VISIBLE_DEVICES={GPU},{MIG}",), DeviceDemand(uuids=(GPU, MIG))),
        (("NVIDIA_VISIBLE_DEVICES=0, 1:0",), DeviceDemand(indices=("0", "1:0"))),
        (("NVIDIA_VISIBLE_DEVICES=all",), EVERYTHING),
        (("NVIDIA_VISIBLE_DEVICES=none",), NOTHING),
        (("NVIDIA_VISIBLE_DEVICES=void",), NOTHING),
        (("NVIDIA_VISIBLE_DEVICES=",), NOTHING),
        (("PATH=/bin",), NOTHING),
        (("CUDA_VERSION=8.0",), EVERYTHING),
        (("CUDA_VERSION=12", "NVIDIA_REQUIRE_CUDA=cuda>=12"), NOTHING),
    ],
)
def test_the_nvidia_runtime_heeds_the_environment(
    variables: tuple[str, ...], expected: DeviceDemand
) -> None:
    assert demand_of(inspected(*variables, runtime="nvidia"), ours=False) == expected


@pytest.mark.parametrize("runtime", ["runc", "crun", "io.containerd.runc.v2"])
def test_a_cuda_image_under_a_plain_runtime_has_no_device(runtime: str) -> None:
    container = inspected("NVIDIA_VISIBLE_DEVICES=all", runtime=runtime)

    assert demand_of(container, ours=False) == NOTHING


@pytest.mark.parametrize("runtime", ["", "nvidia-cdi", "lab-gpu"])
def test_an_unknown_runtime_is_taken_for_nvidias(runtime: str) -> None:
    container = inspected("NVIDIA_VISIBLE_DEVICES=all", runtime=runtime)

    assert demand_of(container, ours=False) == EVERYTHING


def test_what_the_platform_wrote_itself_counts_under_any_runtime() -> None:
    assert demand_of(inspected(f"NVIDIA_VISIBLE_DEVICES={GPU}"), ours=True).uuids == (GPU,)


def test_the_image_variable_adds_nothing_to_a_device_request_under_runc() -> None:
    container = inspected("NVIDIA_VISIBLE_DEVICES=all", DeviceRequests=[request("", GPU)])

    assert demand_of(container, ours=False) == DeviceDemand(uuids=(GPU,))


def test_device_nodes_are_devices_by_index() -> None:
    nodes = ["/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia12", "/dev/fuse"]
    container = inspected(Devices=[{"PathOnHost": node} for node in nodes])

    assert demand_of(container, ours=False).indices == ("0", "12")


def test_devices_may_be_asked_for_by_mounts() -> None:
    container = inspected(runtime="nvidia")
    target = f"/var/run/nvidia-container-devices/{GPU}"
    container["Mounts"] = [{"Source": "/dev/null", "Destination": target}]

    assert demand_of(container, ours=False).uuids == (GPU,)


@pytest.mark.parametrize(
    ("runtime", "source"),
    [("runc", "/dev/null"), ("nvidia", "/var/lib/docker/volumes/v/_data"), ("runc", "")],
)
def test_a_volume_of_an_image_is_no_wish_for_devices(runtime: str, source: str) -> None:
    container = inspected(runtime=runtime)
    target = "/var/run/nvidia-container-devices/all"
    container["Mounts"] = [{"Type": "volume", "Source": source, "Destination": target}]

    assert not demand_of(container, ours=True)


def test_an_engine_that_says_null_says_nothing() -> None:
    container: dict[str, Any] = {
        "Config": {"Env": None},
        "HostConfig": {"Runtime": "runc", "DeviceRequests": None, "Devices": None},
        "Mounts": None,
    }

    assert demand_of(container, ours=False) == NOTHING
