"""`ds01 container stats`: figures, filters, and again and again."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Forbidden, NotFound
from fakes.api_app import NOW, FakeApi
from fakes.program import invoke, said, told

GB = 1024**3
BUSY = m.ContainerStats(
    name="thesis-run",
    user="alice",
    state="running",
    cpu_percent=249.6,
    memory_bytes=2 * GB,
    memory_limit_bytes=8 * GB,
    network_rx_bytes=0,
    network_tx_bytes=1024**2,
    gpu_slots=("1",),
    gpu_utilisation=0.5,
    gpu_memory_bytes=10 * GB,
    ssh_sessions=1,
)
PART = BUSY.model_copy(
    update={"name": "part", "gpu_slots": ("0:1",), "gpu_utilisation": None, "ssh_sessions": 0}
)
STOPPED = m.ContainerStats(name="old", user="alice", state="exited")


@pytest.fixture(autouse=True)
def three(api: FakeApi) -> None:
    found = m.Stats(taken_at=NOW, containers=(BUSY, PART, STOPPED))
    api.answers["getStats"] = lambda _asked: found
    api.answers["followStats"] = lambda _asked: [("stats", found), ("stats", found)]


def names(*filters: str) -> list[str]:
    words = [word for each in filters for word in ("--filter", each)]
    return [each["name"] for each in told("container stats", *words)["containers"]]


def test_figures_are_for_people() -> None:
    heads, busy, part, old = said("container stats", width=120).splitlines()
    assert " ".join(heads.split()) == "NAME STATE CPU MEMORY GPU BUSY GPU MEM NET IN/OUT SSH"
    assert busy.split("  ")[0] == "thesis-run"
    for words in ("250 %", "2 GB of 8 GB", "50 %", "10 GB", "0 bytes / 1 MB"):
        assert words in busy
    assert part.split("0:1")[1].split()[0] == "-"
    assert old.split() == ["old", "stopped", "-", "-", "-", "/", "-"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (("name=thesis*",), ["thesis-run"]),
        (("name=part", "name=old"), ["part", "old"]),
        (("state=stopped",), ["old"]),
        (("state=running", "gpu=0"), ["part"]),
        (("gpu=0:1",), ["part"]),
        (("gpu=any",), ["thesis-run", "part"]),
        (("gpu=none",), ["old"]),
        (("gpu=7",), []),
    ],
)
def test_filters(filters: Sequence[str], expected: list[str]) -> None:
    assert names(*filters) == expected


@pytest.mark.parametrize("wish", ["owner=ana", "gpu", "gpu=", "state=happy"])
def test_what_is_no_filter_is_wrong_usage(api: FakeApi, wish: str) -> None:
    result = invoke("container stats", "--filter", wish)
    assert result.exit_code == 2
    assert "Use " in result.output
    assert api.asked == []


def test_watched_and_piped_it_is_a_table_each_time() -> None:
    assert said("container stats", "-w").count("thesis-run") == 2


def test_watched_as_json_it_is_a_line_each_time() -> None:
    lines = said("container stats", "-w", "--json", "--filter", "gpu=none").splitlines()
    assert [json.loads(line)["containers"][0]["name"] for line in lines] == ["old", "old"]


def test_one_that_is_not_there(api: FakeApi) -> None:
    api.answers["getStats"] = lambda _asked: m.Stats(taken_at=NOW, containers=())
    with pytest.raises(NotFound, match="nothing-here"):
        invoke("container stats", "nothing-here")


def test_everybodys_are_for_managers(api: FakeApi) -> None:
    with pytest.raises(Forbidden, match="managers"):
        invoke("container stats", "--all")
    api.role = m.Role.MANAGER
    facts: Any = said("container stats", "--all", width=120)
    assert facts.startswith("USER")
