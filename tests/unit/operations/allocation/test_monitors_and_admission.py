from dataclasses import replace

import pytest

from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand
from ds01_spawner.domain.errors import NoCapacity
from ds01_spawner.operations.allocation.admission import Grant
from ds01_spawner.operations.allocation.observe import Observer
from fakes.clock import EPOCH
from fakes.lab import POLICY, Lab
from fakes.policy import FakePolicy
from fakes.process_table import FakeProcessTable

DCGM = Container(
    id="d" * 64,
    name="dcgm-exporter",
    state=ContainerState.RUNNING,
    labels={},
    created_at=EPOCH,
    demand=DeviceDemand(count=-1),
)


def lab_with(monitor: Container, spare: str = "[dcgm-exporter]") -> Lab:
    lab = Lab(policy=FakePolicy(f"{POLICY}unmanaged:\n  spare: {spare}\n"))
    lab.engine.put(monitor)
    return lab


def test_people_are_given_slots_beside_a_monitor_that_was_given_every_gpu() -> None:
    lab = lab_with(DCGM)
    assert isinstance(lab.admission.admit(lab.request("alice")), Grant)


@pytest.mark.parametrize(
    ("monitor", "spare"),
    [
        pytest.param(DCGM, "[]", id="not-named"),
        pytest.param(replace(DCGM, uid=1001), "[dcgm-exporter]", id="a-persons"),
        pytest.param(replace(DCGM, name="dcgm-exporter._.bob"), "[dcgm-exporter]", id="owned"),
    ],
)
def test_nobody_is_beside_what_only_looks_like_one(monitor: Container, spare: str) -> None:
    lab = lab_with(monitor, spare)
    with pytest.raises(NoCapacity):
        lab.admission.admit(lab.request("alice"))


def test_nobody_is_given_the_slot_on_which_a_monitor_computes() -> None:
    lab = lab_with(DCGM)
    for slot in lab.probe.present.slots[1:]:
        lab.probe.processes[slot.uuid] = (77,)
    grant = lab.admission.admit(lab.request("alice"))
    assert isinstance(grant, Grant)
    assert grant.slots == lab.probe.present.slots[:1]
    with pytest.raises(NoCapacity):
        lab.admission.admit(lab.request("bob"))


def test_it_is_looked_who_computes_only_where_that_decides_something() -> None:
    lab = Lab()
    table = FakeProcessTable()
    observer = Observer(lab.clock, lab.engine, lab.probe, table=table)
    slot = lab.probe.slot("2")
    lab.probe.processes[slot.uuid] = (77,)
    table.put(77, cgroup=f"0::/docker/{DCGM.id}\n")
    assert not observer.snapshot().computing
    assert not table.looks
    lab.engine.put(DCGM)
    assert observer.snapshot().computing[slot.uuid] == {DCGM.id}
