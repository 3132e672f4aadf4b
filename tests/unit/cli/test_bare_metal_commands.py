import json
from types import SimpleNamespace

import pytest

from ds01_cli.admin import bare_metal
from ds01_cli.main import run
from ds01_spawner.domain.bare_metal import NodeHolder
from fakes.bare_metal_lab import ALICE, CTL, GPU, HOUR, Machine
from fakes.program import invoke, said


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine()
    platform = SimpleNamespace(bare_metal=found.admin)
    monkeypatch.setattr(bare_metal, "open_to_root", lambda _about: platform)
    monkeypatch.setattr(bare_metal, "caller", lambda: "carol")
    monkeypatch.setenv("TZ", "UTC")
    return found


def test_a_grant_says_until_when_and_how_to_take_it_back(machine: Machine) -> None:
    words = said("admin bare-metal grant", "alice", "--for", "8h", "--reason", "a paper", width=200)
    assert words.startswith("alice may use the GPUs outside of containers until ")
    assert "ds01 admin bare-metal revoke alice" in words
    assert machine.lets_in() == {ALICE}
    assert machine.events.of("bare_metal.grant")[0].details["by"] == "carol"


def test_who_has_one_is_listed_and_who_needs_none_is_named(machine: Machine) -> None:
    assert said("admin bare-metal list") == "Nobody may use the GPUs outside of containers now.\n"
    machine.grant(reason="a\x1b[2Jpaper")
    machine.nodes.lists[CTL].add(4711)
    shown = invoke("admin bare-metal list", width=120)
    (row,) = (line for line in shown.stdout.splitlines() if line.startswith("alice"))
    assert row.split()[-1].endswith("paper")
    assert "2 of 2" in row
    assert "\x1b" not in shown.stdout
    assert "setfacl -x u:4711 /dev/nvidiactl" in shown.stderr


def test_the_same_for_programs(machine: Machine) -> None:
    words = ("alice", "--for", "90m", "--reason", "a paper", "--json")
    made = json.loads(said("admin bare-metal grant", *words))
    assert (made["user"], made["uid"], made["for"]) == ("alice", ALICE, "1 hour 30 minutes")
    found = json.loads(said("admin bare-metal list", "--json"))
    assert found["grants"] == [{**made, "over": False, "nodes": [GPU, CTL]}]
    machine.nodes.held[ALICE] = (NodeHolder(77, "python3", (GPU,)),)
    taken = json.loads(said("admin bare-metal revoke", "alice", "--json"))
    assert taken["still_open"] == [{"pid": 77, "name": "python3", "nodes": [GPU]}]
    assert machine.lets_in() == set()


def test_what_still_has_a_gpu_open_is_named(machine: Machine) -> None:
    machine.grant()
    machine.nodes.held[ALICE] = (NodeHolder(77, "python3", (GPU,)),)
    ended = invoke("admin bare-metal revoke", "alice", width=120)
    assert ended.stdout == "alice gets no GPU outside of containers any more.\n"
    assert "Process 77 (python3) still has one open: kill 77" in ended.stderr


def test_a_grant_that_changes_nothing_is_said_to(machine: Machine) -> None:
    machine.nodes.everybodys = (GPU,)
    words = ("alice", "--for", "8h", "--reason", "a paper")
    ended = invoke("admin bare-metal grant", *words, width=200)
    assert "Everybody may open /dev/nvidia0, so that this changes nothing" in ended.stderr
    assert json.loads(said("admin bare-metal list", "--json"))["open_to_everybody"] == [GPU]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["grant", "alice", "--for", "8 parsecs", "--reason", "x"], 2, "parsecs"),
        (["grant", "alice", "--for", "8h"], 2, "--reason"),
        (["grant", "alice", "--for", "25h", "--reason", "x"], 3, "max_duration"),
        (["grant", "alice", "--for", "8h", "--reason", " "], 3, "needs a reason"),
        (["grant", "dora", "--for", "8h", "--reason", "x"], 5, "no account dora"),
        (["revoke", "alice"], 5, "alice has no grant"),
    ],
)
def test_what_cannot_be_done_is_said(
    words: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["admin", "bare-metal", *words]) == code
    assert told in " ".join(capsys.readouterr().err.split())


def test_a_grant_that_is_over_is_said_to_be(machine: Machine) -> None:
    machine.grant()
    machine.clock.advance(9 * HOUR)
    (grant,) = json.loads(said("admin bare-metal list", "--json"))["grants"]
    assert grant["over"]


def test_where_gpus_are_simulated_there_is_nothing_to_open(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.nodes.lists.clear()
    machine.nodes.has_driver = False
    words = ["admin", "bare-metal", "grant", "alice", "--for", "8h", "--reason", "a paper"]
    assert run(words) == 5
    told = capsys.readouterr().err
    assert "no NVIDIA driver (its GPUs are simulated), so there is nothing to open." in told
