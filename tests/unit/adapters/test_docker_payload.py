from dataclasses import replace
from typing import Any

import pytest

from ds01_spawner.adapters.docker_engine.group_file import MASKED_PATHS
from ds01_spawner.adapters.docker_engine.payload import (
    CONFIG_WINNERS,
    HOST_WINNERS,
    container_payload,
    unset_by_image,
)
from ds01_spawner.domain.container import ContainerSpec, Mount

UUID = "MIG-11111111-1111-1111-1111-111111111111"
OTHER = "MIG-22222222-2222-2222-2222-222222222222"
GIB = 1024**3

FULL = ContainerSpec(
    name="thesis._.alice",
    image="ds01/pytorch:latest",
    labels={"ds01.user": "alice"},
    cgroup_parent="/ds01/student/alice",
    network="ds01-alice",
    user="1001:1001",
    group_add=(2000,),
    cpus=1.5,
    memory_bytes=32 * GIB,
    memory_swap_bytes=40 * GIB,
    shm_size_bytes=8 * GIB,
    pids_limit=4096,
    io_device="/dev/sda",
    io_read_bps=500,
    io_write_bps=200,
    gpu_uuids=(UUID, OTHER),
    environment={"LANG": "C.UTF-8"},
    command=("jupyterhub-singleuser", "--ip=0.0.0.0"),
    working_dir="/home/alice",
    hostname="thesis",
    exposed_ports=(8888,),
    mounts=(
        Mount("bind", "/home/alice", "/home/alice"),
        Mount("volume", "datasets", "/data", read_only=True),
    ),
)

BARE = ContainerSpec(
    name="jupyter._.bob",
    image="image",
    labels={},
    cgroup_parent="/ds01/student/bob",
    network="ds01-bob",
)


def test_everything_in_a_spec_reaches_the_engine() -> None:
    assert container_payload(FULL) == {
        "Image": "ds01/pytorch:latest",
        "Labels": {"ds01.user": "alice"},
        "User": "1001:1001",
        "Cmd": ["jupyterhub-singleuser", "--ip=0.0.0.0"],
        "WorkingDir": "/home/alice",
        "Hostname": "thesis",
        "Env": ["LANG=C.UTF-8", f"NVIDIA_VISIBLE_DEVICES={UUID},{OTHER}"],
        "ExposedPorts": {"8888/tcp": {}},
        "NetworkingConfig": {"EndpointsConfig": {"ds01-alice": {}}},
        "HostConfig": {
            "CgroupParent": "/ds01/student/alice",
            "NetworkMode": "ds01-alice",
            "IpcMode": "private",
            "CgroupnsMode": "private",
            "Privileged": False,
            "PublishAllPorts": False,
            "ReadonlyRootfs": False,
            "AutoRemove": False,
            "RestartPolicy": {"Name": "no"},
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "GroupAdd": ["2000"],
            "Init": True,
            "OomScoreAdj": 500,
            "LogConfig": {
                "Type": "json-file",
                "Config": {"max-size": "10485760", "max-file": "1"},
            },
            "Mounts": [
                {
                    "Type": "bind",
                    "Source": "/home/alice",
                    "Target": "/home/alice",
                    "ReadOnly": False,
                    "BindOptions": {"Propagation": "rprivate"},
                },
                {"Type": "volume", "Source": "datasets", "Target": "/data", "ReadOnly": True},
            ],
            "MaskedPaths": list(MASKED_PATHS),
            "DeviceRequests": [
                {"Driver": "nvidia", "DeviceIDs": [UUID, OTHER], "Capabilities": [["gpu"]]}
            ],
            "CpuPeriod": 100_000,
            "CpuQuota": 150_000,
            "Memory": 32 * GIB,
            "MemorySwap": 40 * GIB,
            "ShmSize": 8 * GIB,
            "PidsLimit": 4096,
            "BlkioDeviceReadBps": [{"Path": "/dev/sda", "Rate": 500}],
            "BlkioDeviceWriteBps": [{"Path": "/dev/sda", "Rate": 200}],
        },
    }


def test_no_limit_is_said_only_where_the_engine_would_choose_one() -> None:
    host = container_payload(BARE)["HostConfig"]

    limits = {"CpuQuota", "NanoCpus", "Memory", "MemorySwap", "PidsLimit", "BlkioDeviceReadBps"}
    assert limits.isdisjoint(host)
    assert host["ShmSize"] == 1024**4


def test_the_image_keeps_its_own_command_user_and_folder() -> None:
    assert {"Cmd", "User", "WorkingDir", "Hostname"}.isdisjoint(container_payload(BARE))


def test_a_simulated_device_is_given_by_environment_alone() -> None:
    payload = container_payload(replace(BARE, gpu_uuids=(UUID,), use_device_requests=False))

    assert payload["HostConfig"]["DeviceRequests"] == []
    assert payload["Env"] == [f"NVIDIA_VISIBLE_DEVICES={UUID}"]


@pytest.mark.parametrize("uuids", [(), (UUID,)], ids=["without-gpu", "with-gpu"])
def test_an_environment_cannot_widen_the_devices(uuids: tuple[str, ...]) -> None:
    forged = {
        "NVIDIA_VISIBLE_DEVICES": "all",
        "NVIDIA_MIG_CONFIG_DEVICES": "all",
        "NVIDIA_MIG_MONITOR_DEVICES": "all",
        "NVIDIA_IMEX_CHANNELS": "0",
        "PLAIN": "kept",
    }
    payload = container_payload(replace(BARE, gpu_uuids=uuids, environment=forged))

    given = UUID if uuids else "void"
    assert payload["Env"] == ["PLAIN=kept", f"NVIDIA_VISIBLE_DEVICES={given}"]


@pytest.mark.parametrize(
    ("swap", "expected"),
    [(None, -1), (2 * GIB, 4 * GIB), (4 * GIB, 4 * GIB), (6 * GIB, 6 * GIB)],
    ids=["unlimited", "below-memory", "no-swap", "some-swap"],
)
def test_memory_and_swap_are_never_less_than_memory(swap: int | None, expected: int) -> None:
    spec = replace(BARE, memory_bytes=4 * GIB, memory_swap_bytes=swap)

    assert container_payload(spec)["HostConfig"]["MemorySwap"] == expected


def test_unlimited_shared_memory_is_bounded_by_the_memory() -> None:
    spec = replace(BARE, memory_bytes=4 * GIB)

    assert container_payload(spec)["HostConfig"]["ShmSize"] == 4 * GIB


@pytest.mark.parametrize("hostname", ["-a", "a_b", "a.b", "", "ä", "x" * 64])
def test_a_host_name_that_is_none_is_left_to_the_engine(hostname: str) -> None:
    assert "Hostname" not in container_payload(replace(BARE, hostname=hostname))


def test_a_tiny_share_of_a_cpu_is_still_one_the_kernel_takes() -> None:
    host: dict[str, Any] = container_payload(replace(BARE, cpus=0.001))["HostConfig"]

    assert host["CpuQuota"] == 1000


WISHED: dict[str, Any] = {
    "Tty": True,
    "Entrypoint": ["/init"],
    "Cmd": ["wished"],
    "WorkingDir": "/wished",
    "Hostname": "wished.example",
    "Env": ["LANG=de", "MINE=1", "UNSET", "NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_GDS=enabled"],
    "ExposedPorts": {"80/tcp": {}, "8888/tcp": {}},
    "HostConfig": {
        "AutoRemove": True,
        "IpcMode": "none",
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 2},
        "Tmpfs": {"/t": ""},
    },
    "NetworkingConfig": {"EndpointsConfig": {"ds01-alice": {"Aliases": ["web"]}, "other": {}}},
}


def test_a_wish_counts_where_the_platform_has_but_a_default() -> None:
    payload = container_payload(replace(FULL, wishes=WISHED))
    host = payload["HostConfig"]

    assert (payload["Tty"], payload["Entrypoint"]) == (True, ["/init"])
    assert (host["AutoRemove"], host["IpcMode"], host["Tmpfs"]) == (True, "none", {"/t": ""})
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 2}


def test_a_wish_counts_where_the_platform_says_nothing() -> None:
    spoken = container_payload(replace(FULL, wishes=WISHED))
    silent = container_payload(replace(BARE, wishes=WISHED))

    assert spoken["Cmd"] == ["jupyterhub-singleuser", "--ip=0.0.0.0"]
    assert (spoken["WorkingDir"], spoken["Hostname"]) == ("/home/alice", "thesis")
    assert (silent["Cmd"], silent["WorkingDir"]) == (["wished"], "/wished")
    assert silent["Hostname"] == "wished.example"


def test_variables_and_ports_are_put_together() -> None:
    payload = container_payload(replace(FULL, wishes=WISHED))

    devices = f"NVIDIA_VISIBLE_DEVICES={UUID},{OTHER}"
    assert payload["Env"] == ["MINE=1", "UNSET", "LANG=C.UTF-8", devices]
    assert payload["ExposedPorts"] == {"80/tcp": {}, "8888/tcp": {}}


def test_settings_are_taken_for_the_network_that_the_platform_chose_alone() -> None:
    payload = container_payload(replace(FULL, wishes=WISHED))
    assert payload["NetworkingConfig"] == {"EndpointsConfig": {"ds01-alice": {"Aliases": ["web"]}}}


def test_nothing_else_can_be_wished_for() -> None:
    plain = container_payload(FULL)
    forged: dict[str, Any] = {name: "forged" for name in plain if name not in CONFIG_WINNERS}
    forged |= {"User": "root", "MacAddress": "x", "Volumes": {"/": {}}, "Privileged": True}
    host: dict[str, Any] = {
        name: "forged" for name in plain["HostConfig"] if name not in HOST_WINNERS
    }
    host |= {"Devices": [{}], "CapAdd": ["ALL"], "Runtime": "x", "Sysctls": {"a": "b"}}
    forged["HostConfig"] = host
    forged["NetworkingConfig"] = {}

    assert container_payload(replace(FULL, wishes=forged)) == plain


def test_capabilities_are_kept_by_name() -> None:
    host = container_payload(replace(BARE, cap_add=("CHOWN",)))["HostConfig"]
    assert (host["CapDrop"], host["CapAdd"]) == (["ALL"], ["CHOWN"])


@pytest.mark.parametrize("network", ["none", "container:abc"])
def test_without_a_network_of_its_own_nothing_is_said_of_one(network: str) -> None:
    payload = container_payload(replace(BARE, network=network, wishes=WISHED))
    assert payload["HostConfig"]["NetworkMode"] == network
    assert "NetworkingConfig" not in payload


def test_a_volume_without_a_name_is_the_containers_own() -> None:
    mounts = (Mount("volume", "", "/v", no_copy=True, labels=(("ds01.user", "alice"),)),)
    host = container_payload(replace(BARE, mounts=mounts))["HostConfig"]
    assert host["Mounts"] == [
        {
            "Type": "volume",
            "Target": "/v",
            "ReadOnly": False,
            "VolumeOptions": {"NoCopy": True, "Labels": {"ds01.user": "alice"}},
        }
    ]


def test_what_an_image_says_to_get_devices_is_unset() -> None:
    image = ["PATH=/bin", "NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_MOFED=enabled", "NVIDIA_GDS=x"]
    assert unset_by_image(image) == ["NVIDIA_GDS", "NVIDIA_MOFED"]


def test_the_group_file_is_masked_only_where_there_are_folders_of_the_host() -> None:
    notices = Mount("bind", "/var/lib/ds01/notices/alice", "/run/ds01", read_only=True)
    volume = Mount("volume", "datasets", "/data")

    without = container_payload(replace(FULL, mounts=(notices, volume)))["HostConfig"]
    having = container_payload(replace(FULL, mounts=(notices, Mount("bind", "/srv", "/srv"))))

    assert "MaskedPaths" not in without
    assert "/etc/group" in having["HostConfig"]["MaskedPaths"]
