from dataclasses import replace
from typing import Any

import pytest

from ds01_spawner.adapters.docker_engine.payload import container_payload
from ds01_spawner.domain.container import Mount
from ds01_spawner.domain.errors import Forbidden, InvalidRequest, QuotaExceeded, Unavailable
from ds01_spawner.gateway.docker.create.spec import Found, dressed
from ds01_spawner.gateway.docker.options.network import AskedEndpoint, endpoint_settings
from fakes.docker_askers import (
    ALICE,
    GIB,
    IMAGE_USER_LIMITS,
    LIMITS,
    NOTICES,
    asked,
    body,
    granted,
    made,
)

NOTICES_MOUNT = Mount("bind", NOTICES, "/run/ds01", read_only=True)


def test_no_home_is_mounted_and_home_is_a_folder_of_the_containers_own() -> None:
    spec = made(body())

    assert spec.mounts == (NOTICES_MOUNT,)
    assert spec.working_dir is None
    assert spec.environment["HOME"] == "/tmp"
    assert spec.environment["USER"] == "alice"


def test_an_images_own_home_stays() -> None:
    wanted = asked(body())

    spec = dressed(granted(wanted), wanted, LIMITS, ALICE, Found(has_home=True))

    assert "HOME" not in spec.environment


def test_a_home_that_was_asked_for_is_home() -> None:
    spec = made(body({"Binds": ["/home/alice:/home/alice"]}))
    assert spec.environment["HOME"] == "/home/alice"


def test_a_client_says_who_and_where_one_is() -> None:
    payload = container_payload(
        made(body({"Binds": ["/home/alice:/home/alice"]}, Env=["HOME=/x", "USER=y"]))
    )
    said = [entry for entry in payload["Env"] if entry.startswith(("HOME=", "USER="))]
    assert said == ["HOME=/x", "USER=y"]


def test_the_platforms_labels_stand_above_the_clients() -> None:
    spec = made(body(Labels={"mine": "1", "ds01.user": "bob", "ds01.binds": "x"}))
    assert spec.labels["mine"] == "1"
    assert spec.labels["ds01.user"] == "alice"
    assert "ds01.binds" not in spec.labels


def test_marks_are_added() -> None:
    spec = made(body(Labels={"ds01.binds": "x"}), found=Found(marks={"ds01.binds": "[]"}))
    assert spec.labels["ds01.binds"] == "[]"


def test_what_was_asked_for_narrows_what_was_granted() -> None:
    host = container_payload(
        made(body({"Memory": 4 * GIB, "NanoCpus": 10**9, "PidsLimit": 9, "CpuShares": 2}))
    )["HostConfig"]

    assert (host["Memory"], host["CpuQuota"], host["PidsLimit"]) == (4 * GIB, 100_000, 9)
    assert (host["CpuShares"], host["ShmSize"]) == (2, 8 * GIB)


@pytest.mark.parametrize(
    ("memory", "swap", "expected"),
    [
        (32 * GIB, 0, 40 * GIB),
        (16 * GIB, 0, 24 * GIB),
        (2 * GIB, 0, 4 * GIB),
        (2 * GIB, 3 * GIB, 3 * GIB),
        (2 * GIB, 30 * GIB, 4 * GIB),
    ],
)
def test_less_memory_brings_no_more_swap(memory: int, swap: int, expected: int) -> None:
    spec = made(body({"Memory": memory, "MemorySwap": swap}))
    assert (spec.memory_bytes, spec.memory_swap_bytes) == (memory, expected)


def test_limits_that_shrank_since_are_the_ones_that_count() -> None:
    wanted = asked(body({"Memory": 30 * GIB}))
    less = replace(LIMITS, memory_bytes=16 * GIB)
    with pytest.raises(QuotaExceeded, match="your limit is 16 GiB"):
        dressed(granted(wanted, less), wanted, less, ALICE, Found())


def test_the_engine_starts_nothing_again_that_has_folders_of_the_host() -> None:
    policy = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}}
    assert made(body({"Binds": ["data:/data"], **policy})).wishes["HostConfig"]["RestartPolicy"]
    with pytest.raises(Forbidden, match="each start looks at them anew"):
        made(body({"Binds": ["/srv/project:/project"], **policy}))


def test_leave_for_image_users_that_was_taken_away_since_is_not_used() -> None:
    wanted = asked(body(User="root"), IMAGE_USER_LIMITS)
    with pytest.raises(Unavailable, match="limits changed"):
        dressed(granted(wanted), wanted, LIMITS, ALICE, Found())


def test_an_image_user_has_few_capabilities_and_nothing_of_the_host() -> None:
    payload = container_payload(made(body(User="root"), IMAGE_USER_LIMITS))
    host = payload["HostConfig"]

    assert payload["User"] == "root"
    assert host["CapDrop"] == ["ALL"]
    assert "CHOWN" in host["CapAdd"]
    assert {"NET_RAW", "MKNOD", "SYS_CHROOT", "SETFCAP", "AUDIT_WRITE"}.isdisjoint(host["CapAdd"])
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["GroupAdd"] == []
    assert [mount["Source"] for mount in host["Mounts"]] == [NOTICES]
    assert not any(entry.startswith(("HOME=", "USER=")) for entry in payload["Env"])


def test_groups_come_with_folders_of_the_host_only() -> None:
    assert made(body()).group_add == ()
    assert made(body({"Binds": ["data:/data"]})).group_add == ()
    assert made(body({"Binds": ["/srv/project:/project"]})).group_add == (2000,)


def test_a_folder_of_the_host_never_reaches_an_image_user() -> None:
    wanted = asked(body({"Binds": ["data:/data"]}), IMAGE_USER_LIMITS)
    found = Found(mounts=(Mount("bind", "/home/alice", "/x"),))
    with pytest.raises(Forbidden, match="No folder of the server"):
        dressed(granted(wanted, IMAGE_USER_LIMITS), wanted, IMAGE_USER_LIMITS, ALICE, found)


def test_the_image_user_of_the_image_is_left_to_the_image() -> None:
    assert "User" not in container_payload(made(body(), IMAGE_USER_LIMITS))


def test_a_container_is_found_by_the_name_that_its_owner_gave_it() -> None:
    payload = container_payload(
        made(body({"Links": ["db:store"]}), found=Found(links=(f"{'a' * 64}:store",)))
    )
    assert payload["NetworkingConfig"] == {
        "EndpointsConfig": {"ds01-alice": {"Aliases": ["web"], "Links": [f"{'a' * 12}:store"]}}
    }


def test_settings_of_a_further_network() -> None:
    endpoint = AskedEndpoint("back", ("api", "web"), "10.1.2.3")
    assert endpoint_settings(endpoint, "web") == {
        "Aliases": ["web", "api"],
        "IPAMConfig": {"IPv4Address": "10.1.2.3"},
    }
    assert endpoint_settings(AskedEndpoint("back"), None) == {}


@pytest.mark.parametrize(
    ("value", "network"),
    [
        (body({"NetworkMode": "none"}), "none"),
        (body({"NetworkMode": "container:db"}), "container:1"),
    ],
)
def test_without_a_network_of_its_own_there_are_no_settings(
    value: dict[str, Any], network: str
) -> None:
    payload = container_payload(made(value, found=Found(network=network)))
    assert payload["HostConfig"]["NetworkMode"] == network
    assert "NetworkingConfig" not in payload


def test_ports_are_exposed_and_published_on_loopback() -> None:
    value = body(
        {"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}, "PublishAllPorts": True},
        ExposedPorts={"81/tcp": {}},
    )
    payload = container_payload(made(value, found=Found(exposed=("80/tcp", "53/udp", "x"))))

    free = [{"HostIp": "127.0.0.1", "HostPort": ""}]
    assert payload["HostConfig"]["PortBindings"] == {
        "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
        "81/tcp": free,
        "53/udp": free,
    }
    assert payload["HostConfig"]["PublishAllPorts"] is False
    assert set(payload["ExposedPorts"]) == {"80/tcp", "81/tcp", "53/udp"}


def test_the_command_and_the_terminal_are_the_clients() -> None:
    payload = container_payload(
        made(
            body(
                {"Init": True, "ReadonlyRootfs": True, "AutoRemove": True, "Tmpfs": {"/t": "exec"}},
                Cmd=["sh"],
                Entrypoint=[""],
                Tty=True,
                OpenStdin=True,
                WorkingDir="/w",
                Hostname="a.b",
                StopSignal="SIGINT",
                StopTimeout=3,
                Healthcheck={"Test": ["CMD", "true"], "Interval": 10**9},
            )
        )
    )
    host = payload.pop("HostConfig")

    assert (payload["Cmd"], payload["Entrypoint"], payload["Tty"]) == (["sh"], [""], True)
    assert (payload["WorkingDir"], payload["Hostname"]) == ("/w", "a.b")
    assert (payload["StopSignal"], payload["StopTimeout"]) == ("SIGINT", 3)
    assert payload["Healthcheck"] == {"Test": ["CMD", "true"], "Interval": 10**9}
    assert (host["Init"], host["ReadonlyRootfs"], host["AutoRemove"]) == (True, True, True)
    assert host["Tmpfs"] == {"/t": "exec"}


def test_an_init_process_is_there_only_when_asked_for() -> None:
    assert made(body()).use_init is False


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ({"Type": "", "Config": {}}, {"max-size": "10485760", "max-file": "1"}),
        (
            {"Type": "local", "Config": {"max-size": "1m"}},
            {"max-size": "1048576", "max-file": "1", "compress": "false"},
        ),
        (
            {"Type": "json-file", "Config": {"max-size": "9g", "max-file": "7"}},
            {"max-size": "10485760", "max-file": "1"},
        ),
        ({"Type": "none"}, {}),
    ],
)
def test_logs_stay_within_their_bound(log: dict[str, Any], expected: dict[str, str]) -> None:
    host = container_payload(made(body({"LogConfig": log})))["HostConfig"]
    assert host["LogConfig"] == {"Type": log["Type"] or "json-file", "Config": expected}


def test_volumes_carry_what_was_asked_of_them() -> None:
    value = body(
        {
            "Mounts": [
                {
                    "Type": "volume",
                    "Source": "data",
                    "Target": "/data",
                    "VolumeOptions": {"NoCopy": True, "Labels": {"a": "b"}},
                },
                {"Type": "volume", "Target": "/scratch"},
            ]
        }
    )
    mounts = container_payload(made(value))["HostConfig"]["Mounts"]
    assert mounts[:2] == [
        {
            "Type": "volume",
            "Source": "data._.alice",
            "Target": "/data",
            "ReadOnly": False,
            "VolumeOptions": {"NoCopy": True, "Labels": {"a": "b"}},
        },
        {"Type": "volume", "Target": "/scratch", "ReadOnly": False},
    ]


def test_devices_are_the_granted_ones_whatever_the_variables_say() -> None:
    spec = made(
        body(Env=["NVIDIA_VISIBLE_DEVICES=all", "CUDA_VISIBLE_DEVICES=1", "A=1", "DS01_X=1"]),
        slots=2,
    )
    payload = container_payload(spec)
    assert payload["Env"][:2] == ["CUDA_VISIBLE_DEVICES=1", "A=1"]
    assert f"NVIDIA_VISIBLE_DEVICES={','.join(spec.gpu_uuids)}" in payload["Env"]
    assert not any(entry.startswith("DS01_X") for entry in payload["Env"])
    assert payload["HostConfig"]["DeviceRequests"][0]["DeviceIDs"] == list(spec.gpu_uuids)


@pytest.mark.parametrize("of_image", [False, True])
def test_all_ports_at_once_are_as_many_as_one_by_one(of_image: bool) -> None:
    ports: dict[str, Any] = {f"{number}/tcp": {} for number in range(1, 258)}
    wanted = asked(body({"PublishAllPorts": True}, ExposedPorts={} if of_image else ports))
    found = Found(exposed=tuple(ports) if of_image else ())
    with pytest.raises(InvalidRequest, match="257 ports would be published; 256 are allowed"):
        dressed(granted(wanted), wanted, LIMITS, ALICE, found)
