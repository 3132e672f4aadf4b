from pathlib import Path

import pytest

UNITS = Path(__file__).parents[3] / "config" / "systemd"

OWN_MOUNT_NAMESPACE = (
    "Bind",
    "ExecPaths",
    "ExtensionDirectories",
    "ExtensionImages",
    "Inaccessible",
    "MountAPIVFS",
    "MountImages",
    "NoExecPaths",
    "PrivateBPF",
    "PrivateDevices",
    "PrivateIPC",
    "PrivateMounts",
    "PrivateNetwork",
    "PrivatePIDs",
    "PrivateTmp",
    "PrivateUsers",
    "ProcSubset",
    "Protect",
    "ReadOnly",
    "ReadWrite",
    "Root",
    "TemporaryFileSystem",
)
"""Beginnings of settings that give a service its own mounts (systemd.exec(5), "Sandboxing")."""


def settings(name: str) -> list[tuple[str, str]]:
    lines = (UNITS / name).read_text(encoding="utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if line and line[0] not in "#["]
    return [(key, value) for key, _, value in pairs]


def test_the_gateway_shares_the_hosts_mounts() -> None:
    keys = [key for key, _ in settings("ds01-gateway.service")]
    assert [key for key in keys if key.startswith(OWN_MOUNT_NAMESPACE)] == []
    assert "DynamicUser" not in keys


@pytest.mark.parametrize("unit", ["ds01-culler", "ds01-exporter", "ds01-gateway", "ds01-hub"])
def test_services_that_read_the_cards_keep_their_devices(unit: str) -> None:
    """ProtectClock allows the clock's device alone, on systemd before 253: Ubuntu 22.04 has 249."""
    found = dict(settings(f"{unit}.service"))
    assert found.get("PrivateDevices", "no") == "no"
    assert not found.keys() & {"ProtectClock", "DeviceAllow"}
    assert "CAP_SYS_TIME" not in " ".join(
        value for key, value in settings(f"{unit}.service") if key.startswith("Cap")
    )


def test_people_s_mounted_folders_are_not_in_a_folder_that_systemd_empties() -> None:
    keys = [key for key, _ in settings("ds01-gateway.service")]
    assert "RuntimeDirectory" not in keys


@pytest.mark.parametrize(
    "capability", ["CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "CAP_SETUID", "CAP_SETGID", "CAP_NET_ADMIN"]
)
def test_the_gateway_may_mount_and_become_somebody(capability: str) -> None:
    found = [value for key, value in settings("ds01-gateway.service") if key.startswith("Cap")]
    assert capability in " ".join(found).split()


def test_everybody_reaches_the_socket() -> None:
    socket = dict(settings("ds01-gateway.socket"))
    assert socket["ListenStream"] == "/run/ds01/docker.sock"
    assert (socket["SocketMode"], socket["DirectoryMode"]) == ("0666", "0755")
    assert socket["FileDescriptorName"] == "docker"


def test_nobody_but_root_listens_where_tokens_are_sent() -> None:
    socket = dict(settings("ds01-gateway-api.socket"))
    assert socket["ListenStream"] == "127.0.0.1:483"  # below 1024; as jupyterhub_config.py has it
    assert (socket["FileDescriptorName"], socket["Service"]) == ("api", "ds01-gateway.service")
    assert socket["TriggerLimitIntervalSec"] == "0"  # it does not let go of the port
    after = dict(settings("ds01-gateway.service"))["After"].split()
    assert "ds01-gateway-api.socket" in after
