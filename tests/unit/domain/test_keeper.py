from pathlib import PurePath

import pytest

from ds01_spawner.domain.keeper import Keeper, demo_keeper

CHECKOUT = PurePath("/srv/ds01")


@pytest.mark.parametrize(
    ("state", "port", "typed"),
    [
        ("/srv/ds01/.state/demo-8000", "8000\n", "/srv/ds01/script/demo"),
        ("/srv/ds01/.state/demo-8123", "8123\n", "/srv/ds01/script/demo --port 8123"),
        ("/lab", "8123", "/srv/ds01/script/demo --port 8123 --state /lab"),
        ("/my lab", "8000", "/srv/ds01/script/demo --state '/my lab'"),
        ("/lab", "", "/srv/ds01/script/demo --state /lab"),
        ("/lab", "80; rm -r /", "/srv/ds01/script/demo --state /lab"),
    ],
)
def test_a_demo_is_started_anew_by_the_command_that_began_it(
    state: str, port: str, typed: str
) -> None:
    keeper = demo_keeper(CHECKOUT, PurePath(state), port)
    assert keeper.demo == typed
    for step in (keeper.start, keeper.restart, keeper.status):
        assert step("ds01-exporter") == f"{typed}; {keeper.log('ds01-exporter')}"


def test_what_the_hub_runs_in_a_demo_writes_into_its_log() -> None:
    keeper = Keeper("script/demo", "/lab")
    assert keeper.log("ds01-culler") == keeper.log("ds01-hub") == "tail /lab/hub.log"
    assert keeper.log("ds01-gateway") == "tail /lab/gateway.log"


def test_elsewhere_systemd_runs_the_services() -> None:
    keeper = Keeper()
    assert keeper.start("ds01-hub") == "systemctl start ds01-hub"
    assert keeper.restart("ds01-hub") == "systemctl status ds01-hub; systemctl restart ds01-hub"
    assert keeper.log("ds01-hub") == "journalctl -u ds01-hub"
