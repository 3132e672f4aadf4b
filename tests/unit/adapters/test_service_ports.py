from pathlib import Path

import pytest

from ds01_spawner.adapters.doors import ListeningPorts
from ds01_spawner.domain.door import ServicePort
from ds01_spawner.domain.errors import Unavailable

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 010011AC:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1003        0 1 1
   1: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1004        0 2 1
   2: 010011AC:1F91 020011AC:8000 01 00000000:00000000 00:00000000 00000000  1005        0 3 1
   3: 0100007F:01E3 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4 1
"""
TCP6 = """\
  sl  local_address                         rem st
   0: 00000000000000000000000000000000:1F91 0:0 0A 0:0 0:0 0 1006 0 5
   1: 0000000000000000FFFF0000010011AC:1F91 0:0 0A 0:0 0:0 0 1007 0 6
"""
HUB = {"JUPYTERHUB_API_URL": "http://172.17.0.1:8081/hub/api"}
GATEWAY = {"JUPYTERHUB_SERVICE_URL": "http://localhost:483"}


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/tcp").write_text(TCP)
    (tmp_path / "net/tcp6").write_text(TCP6)
    first = tmp_path / "sys/net/ipv4/ip_unprivileged_port_start"
    first.parent.mkdir(parents=True)
    first.write_text("1024\n")
    return tmp_path


def test_who_listens_where_tokens_are_sent_is_seen(proc: Path) -> None:
    found = ListeningPorts(({}, HUB | GATEWAY), proc).look()
    assert found == (
        ServicePort("the hub's API", 8081, is_roots=False, holders=(1003, 1006, 1007)),
        ServicePort("the gateway's API", 483, is_roots=True, holders=(0,)),
    )


def test_a_kernel_may_have_no_ipv6_and_other_ports_for_all(proc: Path) -> None:
    (proc / "net/tcp6").unlink()
    (proc / "sys/net/ipv4/ip_unprivileged_port_start").write_text("80\n")
    (found,) = ListeningPorts((GATEWAY,), proc).look()
    assert not found.is_roots


@pytest.mark.parametrize(
    "environment",
    [{}, {"JUPYTERHUB_API_URL": "http://[::1"}, {"JUPYTERHUB_API_URL": "nonsense"}],
    ids=["nothing", "broken", "no address"],
)
def test_without_an_address_there_is_no_port(environment: dict[str, str], proc: Path) -> None:
    assert ListeningPorts((environment,), proc).look() == ()


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be read"):
        ListeningPorts((HUB,), tmp_path).look()


def test_this_kernel_writes_it_so() -> None:
    assert ListeningPorts((HUB,)).look()[0].port == 8081
