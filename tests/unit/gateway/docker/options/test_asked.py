from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ds01_spawner.domain.bind import Bind
from ds01_spawner.domain.labels import Interface
from ds01_spawner.gateway.docker.options.gpu import ALL, GpuAsked
from ds01_spawner.gateway.docker.options.mounts import AskedSource, AskedTmpfs, AskedVolume
from ds01_spawner.gateway.docker.options.network import DEFAULT, NONE, AskedEndpoint, AskedLink
from ds01_spawner.gateway.docker.options.user import IMAGE_USER_CAPABILITIES
from fakes.docker_askers import GIB, IMAGE_USER_LIMITS, LIMITS, asked, body
from fakes.docker_bodies import COMPOSE, DOCKER_CLI, DOCKER_PY


def test_what_the_docker_command_sends_for_a_plain_container() -> None:
    found = asked(DOCKER_CLI)

    assert (found.name, found.image, found.interface) == ("web", "busybox", Interface.DOCKER)
    assert found.gpu == GpuAsked()
    assert found.network.first == AskedEndpoint(DEFAULT)
    assert found.user.user == "1001:1002"
    assert found.wishes == {
        "AttachStdin": False,
        "AttachStdout": True,
        "AttachStderr": True,
        "Tty": False,
        "OpenStdin": False,
        "StdinOnce": False,
        "Cmd": ["true"],
        "HostConfig": {
            "ReadonlyRootfs": False,
            "AutoRemove": False,
            "Init": False,
            "RestartPolicy": {"Name": "no"},
            "IpcMode": "private",
        },
    }
    assert found.warnings == ()


def test_what_docker_py_sends_for_a_bind() -> None:
    found = asked(DOCKER_PY)

    assert found.mounts.binds == (Bind("/tmp", "/t", create_missing=True),)
    assert found.mounts.volumes == ()


def test_what_compose_sends_for_a_service() -> None:
    found = asked(COMPOSE)

    assert (found.interface, found.project) == (Interface.COMPOSE, "thesis")
    assert found.network.first == AskedEndpoint("thesis_default", ("web",))
    assert found.network.ports == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}
    assert found.mounts.binds == (Bind("/home/alice/thesis", "/work", create_missing=True),)
    assert found.mounts.volumes == (AskedVolume("thesis_data", "/data"),)
    assert "RestartPolicy" not in found.wishes["HostConfig"]


@pytest.mark.parametrize(
    ("labels", "interface"),
    [
        ({}, Interface.DOCKER),
        ({"ds01.interface": "hub"}, Interface.DOCKER),
        ({"com.docker.compose.project": "x"}, Interface.COMPOSE),
        ({"devcontainer.local_folder": "/x"}, Interface.DEVCONTAINER),
        ({"vsch.local.folder": "/x"}, Interface.DEVCONTAINER),
        (
            {"devcontainer.metadata": "[]", "com.docker.compose.project": "x"},
            Interface.DEVCONTAINER,
        ),
    ],
)
def test_the_door_is_what_the_labels_show(labels: dict[str, str], interface: Interface) -> None:
    assert asked(body(Labels=labels)).interface is interface


def test_labels_in_the_platforms_name_are_dropped_and_wishes_are_read() -> None:
    found = asked(
        body(
            Labels={
                "ds01.user": "bob",
                "ds01.gpu.uuids": "GPU-1",
                "ds01.gpu": "2g.10gb",
                "ds01.wait": "15m",
                "ds01.project": "thesis",
                "aime.mlc": "web._.alice",
                "aime.mlc.USER": "bob",
                "mine": "kept",
            }
        )
    )

    assert found.labels.kept == {
        "aime.mlc": "web._.alice",
        "aime.mlc.USER": "alice",
        "mine": "kept",
    }
    assert (found.wait, found.project) == (timedelta(minutes=15), "thesis")
    assert found.gpu == GpuAsked(1, "2g.10gb")
    (warning,) = found.warnings
    assert "ds01.gpu.uuids, ds01.user" in warning


def test_mounts_in_every_way_there_is() -> None:
    found = asked(
        body(
            {
                "Binds": [
                    "/home/alice/./x:/a//b:ro,z",
                    "data:/data:nocopy",
                    "/anonymous",
                    "/sock:/s",
                ],
                "Mounts": [
                    {"Type": "bind", "Source": "/y", "Target": "/y", "ReadOnly": True},
                    {"Type": "volume", "Target": "/v", "VolumeOptions": {"NoCopy": True}},
                    {
                        "Type": "volume",
                        "Source": "w",
                        "Target": "/w",
                        "VolumeOptions": {
                            "Labels": {"a": "b", "ds01.user": "bob"},
                            "DriverConfig": {"Name": "local"},
                        },
                    },
                    {
                        "Type": "tmpfs",
                        "Target": "/t",
                        "TmpfsOptions": {"SizeBytes": 1024, "Mode": 0o1777, "Options": [["exec"]]},
                    },
                ],
                "Tmpfs": {"/u": "size=3m"},
                "VolumesFrom": ["/db:ro", "other"],
            },
            Volumes={"/anon": {}, "/y": {}},
        )
    ).mounts

    assert found.binds == (
        Bind("/home/alice/./x", "/a/b", read_only=True, create_missing=True),
        Bind("/sock", "/s", create_missing=True),
        Bind("/y", "/y", read_only=True),
    )
    assert found.volumes == (
        AskedVolume("data", "/data", no_copy=True),
        AskedVolume(None, "/anonymous"),
        AskedVolume(None, "/v", no_copy=True),
        AskedVolume("w", "/w", labels=(("a", "b"),)),
        AskedVolume(None, "/anon"),
    )
    assert found.tmpfs == (
        AskedTmpfs("/t", "size=1024,mode=1777,exec"),
        AskedTmpfs("/u", "size=3m"),
    )
    assert found.sources == (AskedSource("db", read_only=True), AskedSource("other"))


@pytest.mark.parametrize("mode", ["", "default", "bridge"])
def test_the_default_network_is_the_persons_own(mode: str) -> None:
    assert asked(body({"NetworkMode": mode})).network.first.network == DEFAULT


def test_no_network() -> None:
    assert asked(body({"NetworkMode": "none"})).network.first == AskedEndpoint(NONE)
    assert asked(body(NetworkDisabled=True)).network.first == AskedEndpoint(NONE)


def test_the_network_of_another_container() -> None:
    assert asked(body({"NetworkMode": "container:/db"})).network.container == "db"


def test_networks_with_names_addresses_and_links() -> None:
    found = asked(
        body(
            {"NetworkMode": "front", "Links": ["db:store", "cache"]},
            NetworkingConfig={
                "EndpointsConfig": {
                    "back": {"Aliases": ["api"]},
                    "front": {
                        "IPAMConfig": {"IPv4Address": "10.1.2.3"},
                        "Links": ["cache"],
                        "NetworkID": "abc",
                    },
                }
            },
        )
    ).network

    links = (AskedLink("cache", "cache"), AskedLink("db", "store"))
    assert found.first == AskedEndpoint("front", ipv4="10.1.2.3", links=links)
    assert found.others == (AskedEndpoint("back", ("api",)),)


def test_settings_for_a_network_alone_are_a_wish_for_it() -> None:
    found = asked(
        body({"NetworkMode": "default"}, NetworkingConfig={"EndpointsConfig": {"mine": None}})
    ).network
    assert (found.first.network, found.others) == ("mine", ())


@pytest.mark.parametrize("address", ["", "127.0.0.1", "localhost", "::1", "0.0.0.0", "::"])
def test_ports_are_published_on_loopback(address: str) -> None:
    found = asked(
        body(
            {"PortBindings": {"80": [{"HostIp": address, "HostPort": "8080-8090"}], "53/udp": None}}
        )
    )

    assert found.network.ports == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080-8090"}],
        "53/udp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
    }
    assert bool(found.warnings) is (address in {"0.0.0.0", "::"})


@pytest.mark.parametrize(
    ("asked_for", "policy", "warned"),
    [
        ({"Name": "on-failure", "MaximumRetryCount": 3}, 3, False),
        ({"Name": "on-failure", "MaximumRetryCount": 0}, 5, True),
        ({"Name": "on-failure", "MaximumRetryCount": 99}, 5, True),
    ],
)
def test_restarts_end(asked_for: dict[str, Any], policy: int, warned: bool) -> None:
    found = asked(body({"RestartPolicy": asked_for}))
    wish = found.wishes["HostConfig"]["RestartPolicy"]
    assert wish == {"Name": "on-failure", "MaximumRetryCount": policy}
    assert bool(found.warnings) is warned


@pytest.mark.parametrize("user", ["", "alice", "1001", "1001:1002", "alice:1002"])
def test_the_person_may_be_named_as_the_user(user: str) -> None:
    assert asked(body(User=user)).user.user == "1001:1002"


def test_another_group_of_ones_own_may_be_the_first() -> None:
    assert asked(body(User="1001:2000")).user.user == "1001:2000"


@pytest.mark.parametrize(
    ("user", "expected"),
    [("", None), ("root", "root"), ("0:0", "0:0"), ("www-data:x", "www-data:x")],
)
def test_an_image_user_is_whom_the_client_says(user: str, expected: str | None) -> None:
    found = asked(body({"GroupAdd": ["44"]}, User=user), IMAGE_USER_LIMITS).user
    assert (found.is_image_user, found.user, found.groups) == (True, expected, (44,))
    assert set(found.capabilities) == IMAGE_USER_CAPABILITIES


@pytest.mark.parametrize(
    ("added", "dropped", "expected"),
    [
        (["chown"], ["ALL"], ("CHOWN",)),
        (["CAP_CHOWN"], [], tuple(sorted(IMAGE_USER_CAPABILITIES))),
        ([], ["ALL"], ()),
        ([], ["NET_RAW", "CAP_KILL"], tuple(sorted(IMAGE_USER_CAPABILITIES - {"KILL"}))),
    ],
)
def test_capabilities_of_an_image_user(
    added: list[str], dropped: list[str], expected: tuple[str, ...]
) -> None:
    found = asked(body({"CapAdd": added, "CapDrop": dropped}), IMAGE_USER_LIMITS)
    assert found.user.capabilities == expected


def test_nvidias_own_advice_on_ulimits_is_followed() -> None:
    found = asked(
        body(
            {
                "Ulimits": [
                    {"Name": "memlock", "Soft": -1, "Hard": -1},
                    {"Name": "stack", "Soft": 67108864, "Hard": 67108864},
                ],
                "SecurityOpt": ["no-new-privileges:true"],
            }
        )
    )
    assert [each["Name"] for each in found.wishes["HostConfig"]["Ulimits"]] == ["memlock", "stack"]


def test_bounds_below_ones_own_are_kept() -> None:
    found = asked(
        body(
            {
                "Memory": 4 * GIB,
                "NanoCpus": 1_500_000_000,
                "PidsLimit": 100,
                "ShmSize": 64 * 1024**2,
                "CpuShares": 512,
                "CpusetCpus": "0-1, 3",
                "MemorySwappiness": 0,
                "MemoryReservation": GIB,
                "BlkioDeviceReadBps": [
                    {"Path": "/dev/a", "Rate": 20},
                    {"Path": "/dev/b", "Rate": 10},
                ],
            }
        )
    ).limits
    assert (found.memory_bytes, found.cpus, found.pids_limit) == (4 * GIB, 1.5, 100)
    assert (found.shm_size_bytes, found.io_read_bps) == (64 * 1024**2, 10)
    assert found.kept == {
        "CpuShares": 512,
        "CpusetCpus": "0-1,3",
        "MemoryReservation": GIB,
        "MemorySwappiness": 0,
    }


@pytest.mark.parametrize("unlimited", [0, -1, None])
def test_no_limit_means_ones_own(unlimited: int | None) -> None:
    names = ("Memory", "MemorySwap", "PidsLimit", "ShmSize")
    found = asked(body(dict.fromkeys(names, unlimited))).limits
    assert (found.memory_bytes, found.memory_swap_bytes) == (None, None)
    assert (found.pids_limit, found.shm_size_bytes) == (None, None)


def test_somebody_without_limits_may_ask_for_anything() -> None:
    unlimited = replace(
        LIMITS, memory_bytes=None, memory_swap_bytes=None, shm_size_bytes=None, pids_limit=None
    )
    found = asked(body({"Memory": 2**40, "ShmSize": 2**39, "PidsLimit": 10**6}), unlimited)
    assert found.limits.memory_bytes == 2**40


def test_all_gpus_in_every_way_there_is() -> None:
    for value in (
        body({"DeviceRequests": [{"Driver": "", "Count": -1, "Capabilities": [["gpu"]]}]}),
        body({"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}]}),
        body(Env=["NVIDIA_VISIBLE_DEVICES=all"]),
    ):
        assert asked(value).gpu == GpuAsked(ALL)


def test_a_container_needs_no_name() -> None:
    assert asked(body(), query={"name": [""]}).name is None
