import pytest
from rich.console import Console

from ds01_cli.frame import printing
from ds01_cli.gpu import reading
from ds01_spawner.domain.attribution import GpuProcess
from ds01_spawner.domain.container import Container, ContainerState, DeviceDemand
from ds01_spawner.domain.gpu import SlotActivity
from fakes.api_house import House
from fakes.calls import ALICE, ROOT
from fakes.program import said, told
from fakes.terminal import Terminal

RAW = "d4" * 32


@pytest.fixture(autouse=True)
def through_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "platform_is_open", lambda: False)


@pytest.fixture
def busy(house: House) -> House:
    """Alice's container computes, Bob's does, root's `docker run` does, and so does nobody."""
    lab, table = house.lab, house.api.table
    mine = lab.run("alice", "mig", name="thesis")
    lab.run("bob", "mig")
    slot = lab.probe.slot("2")
    lab.engine.put(
        Container(
            RAW,
            "raw",
            ContainerState.RUNNING,
            {},
            lab.clock.now(),
            demand=DeviceDemand(uuids=(slot.uuid,)),
        )
    )
    table.put(11, cgroup=f"0::/docker/{mine}\n", started=table.up - 3600)
    table.put(12, cgroup=f"0::/docker/{RAW}\n", name="train")
    table.put(13, cgroup=None)
    lab.probe.shares[slot.uuid] = (
        GpuProcess(11, slot.uuid, memory_bytes=3 * 1024**3, sm_share=0.42),
        GpuProcess(12, slot.uuid, memory_bytes=5 * 1024**2),
        GpuProcess(13, slot.uuid),
    )
    return house


def test_ones_own_processes_are_shown_and_nobody_elses(busy: House) -> None:
    text = said("gpu processes", width=100)
    assert "2 11 you thesis python 3 GB 42 % 1 h" in " ".join(text.split())
    assert "train" not in text
    (found,) = told("gpu processes")["processes"]
    assert (found["pid"], found["user"], found["mine"]) == (11, "alice", True)
    assert busy.lab


def test_managers_see_everything_and_what_nobody_owns(busy: House) -> None:
    busy.asks(ROOT)
    text = said("gpu processes", width=100)
    assert "thesis" in text
    assert "raw" in text
    assert "! Nobody is known to own process 13:" in text
    assert [each["pid"] for each in told("gpu processes")["processes"]] == [11, 12, 13]


def test_what_was_started_past_the_platform_is_shown(busy: House) -> None:
    busy.asks(ROOT)
    every = told("workloads")["workloads"]
    assert [each["kind"] for each in every] == ["managed", "managed", "docker", "unknown"]
    assert {each["user"] for each in every} == {"alice", "bob", None}
    text = said("workloads", "--unmanaged", width=100)
    assert "docker, past the platform" in text
    assert "thesis" not in text
    assert "! Nobody is known to own raw:" in text


def test_managers_are_told_whose_work_is_on_a_slot(busy: House) -> None:
    lab, slot = busy.lab, busy.lab.probe.slot("3")
    busy.api.table.put(
        21, uid=ALICE.uid, name="train", cgroup="0::/", started=busy.api.table.up - 7300
    )
    lab.probe.shares[slot.uuid] = (GpuProcess(21, slot.uuid),)
    lab.probe.busy[slot.uuid] = SlotActivity(0.5, 1024**3, (21,))
    busy.asks(ROOT)
    text = " ".join(said("gpu status", width=120).split())
    assert "other work unknown train 50 % 2 h" in text
    assert "unknown train" in said("dashboard", "--once", width=120)
    (found,) = [each for each in told("gpu status")["slots"] if each["slot"] == "3"]
    assert (found["user"], found["others"]) == (None, ["unknown train"])


def test_others_are_not_told_whose_work_is_on_a_slot(busy: House) -> None:
    lab, slot = busy.lab, busy.lab.probe.slot("3")
    busy.api.table.put(21, uid=1002, name="train", cgroup="0::/")
    lab.probe.shares[slot.uuid] = (GpuProcess(21, slot.uuid),)
    lab.probe.busy[slot.uuid] = SlotActivity(0.5, 1024**3, (21,))
    (found,) = [each for each in told("gpu status")["slots"] if each["slot"] == "3"]
    assert (found["state"], found["others"], found["since"]) == ("foreign", [], None)
    assert "train" not in said("dashboard", "--once", width=120)


def test_on_a_terminal_that_is_narrow_no_unit_is_cut(busy: House) -> None:
    busy.asks(ROOT)
    terminal = Terminal()
    out = Console(file=terminal, width=60, height=24)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(printing, "console", lambda **_: out)
        said("workloads")
    shown = terminal.plain()
    assert "…" not in shown
    assert "STARTED AS: docker, past the platform" in shown


def test_a_label_that_somebody_wrote_controls_no_terminal(busy: House) -> None:
    lab = busy.lab
    mark = {"aime.mlc.USER": "\x1b]0;root\x07[red]bob\u202e\r"}
    demand = DeviceDemand(uuids=(lab.probe.slot("2").uuid,))
    lab.engine.put(
        Container("e5" * 32, "older", ContainerState.RUNNING, mark, lab.clock.now(), demand=demand)
    )
    busy.asks(ROOT)
    for words in (["workloads"], ["gpu processes"], ["gpu status"], ["dashboard", "--once"]):
        text = said(*words, width=140)
        assert not set(text) & set("\x1b\x07\u202e\r"), words
    assert "[red]bob" in said("workloads", width=140)


def test_the_door_of_what_came_through_the_platform_is_shown(busy: House) -> None:
    text = said("workloads", width=100)
    assert "thesis" in text
    assert "label" in text
    assert "bob" not in text
    assert busy.lab


def test_nothing_runs(house: House) -> None:
    assert house.lab
    assert said("gpu processes") == "Nothing runs on the GPUs.\n"
    assert said("workloads") == "Nothing runs.\n"


def test_an_older_picture_is_shown_as_one(busy: House) -> None:
    told("gpu processes")
    busy.lab.probe.stuck = True
    text = said("gpu processes", width=100)
    assert "thesis" in text
    assert "! This is an older picture, of " in text
    assert told("gpu processes")["fresh"] is False


@pytest.mark.parametrize(
    "typed", [("gpu processes",), ("workloads",), ("workloads", "--unmanaged")]
)
def test_it_fits_a_narrow_terminal(busy: House, typed: tuple[str, ...]) -> None:
    busy.asks(ROOT)
    assert max(map(len, said(*typed, width=80).splitlines())) <= 80


@pytest.mark.parametrize("command", ["gpu processes", "workloads"])
def test_on_the_server_the_platforms_files_are_read(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(reading, "platform_is_open", lambda: True)
    monkeypatch.setattr("ds01_cli.gpu.direct.open_platform", _fails)
    with pytest.raises(_Direct):
        said(command)


class _Direct(Exception):
    pass


def _fails(actor: str) -> object:
    raise _Direct(actor)
