import io
import json
from dataclasses import replace
from datetime import timedelta

from rich.console import Console

from ds01_cli.gpu.tables import print_queue, print_status
from ds01_spawner.adapters.gpu_source import open_probe
from ds01_spawner.domain import labels
from ds01_spawner.domain.allocation import Reservation, Ticket
from ds01_spawner.domain.allocator import Granted, NothingFree
from ds01_spawner.domain.container import Container, ContainerState
from ds01_spawner.domain.gpu import Slot, SlotActivity
from ds01_spawner.domain.occupancy import SlotState, Snapshot, occupancy
from ds01_spawner.domain.queue import Standing
from ds01_spawner.domain.request import GpuRequest
from ds01_spawner.operations.allocation.gpu_queue import gpu_queue_json, queue_entries
from ds01_spawner.operations.allocation.gpu_status import (
    GpuStatus,
    containers_elsewhere,
    gpu_status,
    gpu_status_json,
    read_gpu_status,
)
from ds01_spawner.policy.gpu_config import GpuConfig, GpuSource
from fakes.clock import EPOCH
from fakes.lab import Lab

INVENTORY = open_probe(GpuConfig(source=GpuSource.SIMULATED)).inventory()
SLOTS = {slot.id: slot for slot in INVENTORY.slots}
IDLE = {slot.uuid: SlotActivity(None, 0) for slot in INVENTORY.slots}
HOLD = timedelta(minutes=15)
HOUR_AGO = EPOCH - timedelta(hours=1)


def container(user: str, slot: Slot, state: ContainerState) -> Container:
    return Container(
        id="c" * 64,
        name=f"thesis-run._.{user}",
        state=state,
        labels={
            labels.MANAGED: "true",
            labels.USER: user,
            labels.GPU_UUIDS: slot.uuid,
            labels.GPU_SLOTS: slot.id,
            labels.GPU_ALLOCATED_AT: labels.format_timestamp(HOUR_AGO),
        },
        created_at=HOUR_AGO,
        finished_at=None if state.is_live else EPOCH - timedelta(minutes=5),
    )


def reservation(user: str, slot: Slot) -> Reservation:
    return Reservation(
        id="r",
        user=user,
        container_name=f"jupyter._.{user}",
        gpu_uuids=(slot.uuid,),
        gpu_equivalents=slot.equivalents,
        created_at=EPOCH,
        expires_at=EPOCH + timedelta(minutes=1),
    )


def busy_lab() -> GpuStatus:
    activity = {
        **IDLE,
        SLOTS["0:0"].uuid: SlotActivity(None, 3 * 1024**3, (7,)),
        SLOTS["1:0"].uuid: SlotActivity(None, 1024**3, (99,)),
        SLOTS["2"].uuid: SlotActivity(0.93, 20 * 1024**3, (8,)),
    }
    del activity[SLOTS["3"].uuid]
    snapshot = Snapshot(
        taken_at=EPOCH,
        inventory=INVENTORY,
        activity=activity,
        containers=(
            container("alice", SLOTS["0:0"], ContainerState.RUNNING),
            container("bob", SLOTS["0:1"], ContainerState.EXITED),
            container("carol", SLOTS["2"], ContainerState.RUNNING),
        ),
    )
    found = occupancy(snapshot, [reservation("dave", SLOTS["0:2"])], lambda *_: HOLD, EPOCH)
    return gpu_status(snapshot, found, ["GPU 0 should be a whole GPU."])


def shown(status: GpuStatus, width: int = 80) -> str:
    text = io.StringIO()
    print_status(Console(file=text, width=width), gpu_status_json(status), status.taken_at)
    return text.getvalue()


def by_slot(status: GpuStatus) -> dict[str, dict[str, object]]:
    slots = gpu_status_json(status)["slots"]
    assert isinstance(slots, list)
    return {slot["slot"]: slot for slot in slots}


def test_each_slot_tells_its_state_and_its_holder() -> None:
    found = by_slot(busy_lab())
    assert {slot: entry["state"] for slot, entry in found.items() if entry["state"] != "free"} == {
        "0:0": "allocated",
        "0:1": "held",
        "0:2": "reserved",
        "1:0": "foreign",
        "2": "allocated",
        "3": "unavailable",
    }
    assert {slot: entry["user"] for slot, entry in found.items() if entry["user"]} == {
        "0:0": "alice",
        "0:1": "bob",
        "0:2": "dave",
        "2": "carol",
    }


def test_the_json_of_a_slot_holds_every_promised_key() -> None:
    assert by_slot(busy_lab())["2"] == {
        "slot": "2",
        "uuid": SLOTS["2"].uuid,
        "profile": "full",
        "memory_bytes": 40960 * 1024**2,
        "equivalents": 1.0,
        "state": "allocated",
        "user": "carol",
        "container": "thesis-run._.carol",
        "since": "2026-01-31T11:00:00.000000Z",
        "until": None,
        "use": "interactive",
        "others": [],
        "elsewhere": False,
        "utilisation": 0.93,
        "memory_used_bytes": 20 * 1024**3,
        "processes": 1,
    }


def lab_beside_another() -> Snapshot:
    """Alice's here; Bob's and Carol's elsewhere, one of them on Alice's slot."""
    here, elsewhere = {labels.INSTANCE: "here"}, {labels.INSTANCE: "elsewhere"}
    marked = [
        (container("alice", SLOTS["0:0"], ContainerState.RUNNING), here),
        (container("bob", SLOTS["0:0"], ContainerState.RUNNING), elsewhere),
        (container("bob", SLOTS["0:1"], ContainerState.EXITED), elsewhere),
        (container("carol", SLOTS["2"], ContainerState.RUNNING), elsewhere),
        (container("dora", SLOTS["3"], ContainerState.RUNNING), {}),
    ]
    return Snapshot(
        EPOCH,
        INVENTORY,
        IDLE,
        tuple(
            replace(each, name=f"{number}{each.name}", labels={**each.labels, **marks})
            for number, (each, marks) in enumerate(marked)
        ),
    )


def test_what_another_installation_has_is_taken_and_nobodys_name_is_told() -> None:
    snapshot = lab_beside_another()
    found = occupancy(snapshot, [], lambda *_: HOLD, EPOCH)
    status = gpu_status(snapshot, found, elsewhere=containers_elsewhere(snapshot, instance="here"))
    told = by_slot(status)
    taken = {slot: entry["state"] for slot, entry in told.items() if entry["state"] != "free"}
    assert taken == {"0:0": "allocated", "0:1": "held", "2": "allocated", "3": "allocated"}
    assert {slot for slot, entry in told.items() if entry["elsewhere"]} == {"0:1", "2"}
    assert (told["0:0"]["user"], told["3"]["user"]) == ("alice", "dora")
    assert status.problems == (
        "GPU slot 0:0 is used by 2 containers: 0thesis-run._.alice, one of another installation.",
    )
    text = json.dumps(gpu_status_json(status)) + shown(status, 120)
    assert "bob" not in text
    assert "carol" not in text
    assert "another installation" in shown(status)
    free = {slot.id for slot in found.free()}
    assert free.isdisjoint(taken)


def test_the_json_is_json_and_tells_source_and_problems() -> None:
    found = json.loads(json.dumps(gpu_status_json(busy_lab())))
    assert set(found) == {"source", "slots", "problems"}
    assert found["source"] == "simulated"
    assert found["problems"] == [
        "GPU slot 3: the driver does not say what runs on it, so nobody is given it.",
        "GPU 0 should be a whole GPU.",
    ]


def test_nothing_is_claimed_about_the_beginning_of_work_without_a_container() -> None:
    found = by_slot(busy_lab())
    assert found["1:0"]["since"] is None
    assert found["3"]["since"] is None


def test_a_lost_card_stays_in_sight_with_its_holder() -> None:
    lost = [slot for slot in INVENTORY.slots if slot.gpu_index == 0]
    inventory = replace(
        INVENTORY, gpus=INVENTORY.gpus[1:], problems=("GPU 0 is lost.",), unavailable=tuple(lost)
    )
    alice = container("alice", SLOTS["0:0"], ContainerState.RUNNING)
    snapshot = Snapshot(EPOCH, inventory, IDLE, (alice,))
    status = gpu_status(snapshot, occupancy(snapshot, [], lambda *_: HOLD, EPOCH))
    found = by_slot(status)
    assert {found[slot.id]["state"] for slot in lost} == {"unavailable"}
    assert found["0:0"]["user"] == "alice"
    assert status.problems == ("GPU 0 is lost.",)


def test_a_card_that_was_never_read_has_nothing_made_up() -> None:
    unknown = Slot("4", "", "", 4, "unknown", 0, 0.0)
    snapshot = Snapshot(EPOCH, replace(INVENTORY, unavailable=(unknown,)), IDLE, ())
    status = gpu_status(snapshot, occupancy(snapshot, [], lambda *_: HOLD, EPOCH))
    entry = by_slot(status)["4"]
    assert entry["state"] == "unavailable"
    for key in ("uuid", "profile", "memory_bytes", "equivalents", "utilisation"):
        assert entry[key] is None


def test_cards_for_batch_work_are_not_counted_as_free() -> None:
    snapshot = Snapshot(EPOCH, INVENTORY, IDLE, ())
    batch = frozenset({SLOTS["2"].uuid})
    status = gpu_status(snapshot, occupancy(snapshot, [], lambda *_: HOLD, EPOCH, batch))
    assert by_slot(status)["2"]["use"] == "batch"
    assert "for batch" in shown(status)
    assert "11 of 12 slots are free." in shown(status)


def test_the_table_fits_a_terminal_and_has_no_colours_in_a_file() -> None:
    text = shown(busy_lab())
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "\x1b" not in text


def test_the_table_speaks_in_words() -> None:
    lines = {
        line.split()[0]: " ".join(line.split()[1:])
        for line in shown(busy_lab()).splitlines()
        if line and line[0].isdigit()
    }
    assert lines["0:0"] == "2g.10gb 3.0 of 9.8 GB in use alice (thesis-run) yes 1 h"
    assert lines["0:1"] == "2g.10gb 9.8 GB kept 10 min bob (thesis-run) 5 min"
    assert lines["0:2"] == "1g.5gb 4.8 GB starting dave (jupyter) 0 min"
    assert lines["1:0"].startswith("3g.20gb 1.0 of 19.6 GB other work")
    assert lines["2"] == "whole GPU 20.0 of 40 GB in use carol (thesis-run) 93 % 1 h"
    assert lines["3"].startswith("whole GPU 40 GB out of order")
    assert "6 of 12 slots are free." in shown(busy_lab())
    assert "simulated" in shown(busy_lab())


def test_a_long_name_is_cut_before_the_table_gets_too_wide() -> None:
    long = container("a" * 60, SLOTS["2"], ContainerState.RUNNING)
    snapshot = Snapshot(EPOCH, INVENTORY, IDLE, (long,))
    text = shown(gpu_status(snapshot, occupancy(snapshot, [], lambda *_: HOLD, EPOCH)))
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" in text
    assert "1 h" in text


def test_a_name_cannot_smuggle_in_markup() -> None:
    odd = container("[red]eve[/red]", SLOTS["2"], ContainerState.RUNNING)
    snapshot = Snapshot(EPOCH, INVENTORY, IDLE, (odd,))
    text = shown(gpu_status(snapshot, occupancy(snapshot, [], lambda *_: HOLD, EPOCH)))
    assert "[red]eve[/red]" in text


TICKET = Ticket("t", "erin", "jupyter._.erin", GpuRequest.parse("mig"), 50, HOUR_AGO, EPOCH)
WAITING = Standing(TICKET, NothingFree("All 10 MIG slots are in use."), 2, 3)


def queue_text(*standings: Standing) -> str:
    text = io.StringIO()
    entries = gpu_queue_json(queue_entries(standings))["queue"]
    assert isinstance(entries, list)
    print_queue(Console(file=text, width=80), entries, EPOCH)
    return text.getvalue()


def test_the_queue_tells_place_reason_and_waiting_time() -> None:
    text = queue_text(WAITING)
    assert " ".join(text.split()).endswith(
        "2 of 3 erin 1 h a MIG slot. All 10 MIG slots are in use."
    )


def test_the_queue_tells_who_is_served_next() -> None:
    assert "next" in queue_text(Standing(TICKET, Granted((SLOTS["0:0"],)), 0, 0))


def test_an_empty_queue_says_so() -> None:
    assert queue_text() == "Nobody waits for a GPU.\n"
    assert gpu_queue_json(()) == {"queue": []}


def test_the_json_of_the_queue() -> None:
    assert gpu_queue_json(queue_entries([WAITING])) == {
        "queue": [
            {
                "place": 2,
                "length": 3,
                "user": "erin",
                "container": "jupyter._.erin",
                "gpu": "a MIG slot",
                "priority": 50,
                "since": "2026-01-31T11:00:00.000000Z",
                "reason": "All 10 MIG slots are in use.",
            }
        ]
    }


def test_what_another_installation_has_under_a_uuid_that_is_not_here_is_no_slot() -> None:
    lab = Lab()
    gone = replace(SLOTS["0:2"], uuid="MIG-of-another-seed")
    theirs = container("bob", gone, ContainerState.RUNNING)
    lab.engine.put(replace(theirs, labels={**theirs.labels, labels.INSTANCE: "elsewhere"}))
    status = read_gpu_status(lab.admission, GpuConfig())
    assert {each.use.slot for each in status.slots} == set(lab.probe.present.slots)
    assert not any(each.elsewhere for each in status.slots)


def test_a_slot_of_ones_own_that_is_not_here_any_more_is_out_of_order() -> None:
    lab = Lab()
    gone = replace(SLOTS["0:2"], uuid="MIG-gone")
    mine = container("bob", gone, ContainerState.RUNNING)
    lab.engine.put(replace(mine, labels={**mine.labels, labels.INSTANCE: "here"}))
    (lost,) = (
        each for each in read_gpu_status(lab.admission, GpuConfig()).slots if each.use.user == "bob"
    )
    assert lost.use.state is SlotState.UNAVAILABLE
    assert lost.use.slot.uuid == "MIG-gone"
