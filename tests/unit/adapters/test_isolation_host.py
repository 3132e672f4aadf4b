from pathlib import Path

import pytest

from ds01_spawner.adapters.isolation import (
    IsolationFile,
    ResolverFiles,
    hub_ports,
    remembered_ports,
)
from ds01_spawner.domain.errors import PolicyError
from ds01_spawner.domain.fence import HostPort
from ds01_spawner.policy.isolation import IsolationConfig

STUB = "nameserver 127.0.0.53\noptions edns0\n"
REAL = "# made by systemd\nnameserver 192.0.2.53\nnameserver 2001:db8::1\nnameserver 192.0.2.54\n"


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (REAL, STUB, ("192.0.2.53", "192.0.2.54")),
        (STUB, REAL, ("192.0.2.53", "192.0.2.54")),
        (STUB, None, ()),
        (None, None, ()),
        ("nameserver\nnameserver x -j ACCEPT\nnameserver 0.0.0.0\n", None, ()),
    ],
    ids=["real", "stub", "stub-alone", "nothing", "nonsense"],
)
def test_name_servers_are_those_that_containers_are_given(
    tmp_path: Path, first: str | None, second: str | None, found: tuple[str, ...]
) -> None:
    paths = [tmp_path / "one", tmp_path / "two"]
    for path, text in zip(paths, (first, second), strict=True):
        if text is not None:
            path.write_text(text)

    assert ResolverFiles(paths).nameservers() == found


def test_the_configuration_is_read_anew_each_time(tmp_path: Path) -> None:
    file = IsolationFile(tmp_path)
    assert file.current() == IsolationConfig()

    (tmp_path / "isolation.yaml").write_text("internet: false\n")
    assert not file.current().internet

    (tmp_path / "isolation.yaml").write_text("internet: perhaps\n")
    with pytest.raises(PolicyError, match=r"isolation\.yaml:1: internet"):
        file.current()


@pytest.mark.parametrize(
    ("url", "ports"),
    [
        ("http://172.17.0.1:8081/hub/api", (HostPort(8081),)),
        ("https://hub.example.edu/hub/api", (HostPort(443),)),
        ("http://host:99999/", ()),
        ("", ()),
    ],
)
def test_the_hubs_port_is_in_the_address_that_it_gives_its_services(
    url: str, ports: tuple[HostPort, ...]
) -> None:
    assert hub_ports({"JUPYTERHUB_API_URL": url}) == ports
    assert hub_ports({}) == ()


@pytest.mark.parametrize(
    ("url", "ports"),
    [
        ("http://172.17.0.1:8450", (HostPort(8450),)),
        ("http://127.0.0.1:8450", ()),
        ("http://localhost:8450", ()),
        ("http://[::1]:8450", ()),
        ("", ()),
    ],
)
def test_the_apis_port_is_let_through_where_containers_could_reach_it(
    url: str, ports: tuple[HostPort, ...]
) -> None:
    assert hub_ports({"JUPYTERHUB_SERVICE_URL": url}) == ports


def test_a_command_without_the_hubs_environment_goes_by_what_the_gateway_knew(
    tmp_path: Path,
) -> None:
    file = tmp_path / "hub-ports"
    assert remembered_ports(file, ()) == ()

    assert remembered_ports(file, (HostPort(8081),)) == (HostPort(8081),)
    assert remembered_ports(file, ()) == (HostPort(8081),)
    assert remembered_ports(file, (HostPort(9000),)) == (HostPort(9000),)
    assert remembered_ports(file, ()) == (HostPort(9000),)
