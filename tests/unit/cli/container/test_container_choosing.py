"""Flags and answers give the same request."""

from pathlib import Path
from typing import Any

import pytest
import typer

from ds01_cli.container import choosing
from ds01_cli.container.choosing import Flags
from ds01_cli.container.wizard import gpu_choices, usual_gpu
from ds01_spawner.client import models as m
from ds01_spawner.client import places
from ds01_spawner.domain.errors import InvalidRequest, NotFound
from ds01_spawner.recipes.recipe import Recipe, dumped
from fakes.api_app import NOW, FakeApi
from fakes.workspace import in_workspace

STARTER = m.Image(
    reference="ds01/starter:latest",
    key="starter",
    title="Starter with PyTorch",
    own=False,
    default=True,
    present=True,
)


def own(name: str, framework: str, api: FakeApi) -> m.Image:
    """An image of alice's, made with a framework."""
    facts: dict[str, Any] = {
        "reference": f"ds01-alice/{name}:latest",
        "key": None,
        "title": f"{name}:latest",
        "own": True,
        "present": True,
        "created_at": NOW,
    }
    recipe = dumped(Recipe(framework))
    api.details[name] = m.ImageDetail(**facts, layers=(), recipe=recipe, labels={}, used_by=())
    return m.Image(**facts)


def slot(name: str, profile: str | None, state: str = "free", **facts: Any) -> m.GpuSlot:
    """A GPU slot."""
    usual: dict[str, Any] = {
        "memory_bytes": None,
        "equivalents": None,
        "mine": False,
        "user": None,
        "container": None,
        "since": None,
        "until": None,
        "use": "interactive",
        "utilisation": None,
        "memory_used_bytes": None,
        "processes": None,
    }
    return m.GpuSlot(slot=name, profile=profile, state=state, **(usual | facts))


SLOTS = (
    slot("0:0", "1g.5gb", equivalents=1 / 7, memory_bytes=5 * 1024**3),
    slot("0:1", "1g.5gb", "allocated", equivalents=1 / 7, memory_bytes=5 * 1024**3),
    slot("1", "full", equivalents=1.0),
    slot("2:0", "2g.10gb", equivalents=2 / 7),
    slot("3", "full", use="batch"),
)


def wanted(api: FakeApi, **flags: Any) -> m.CreateRequest:
    with api.client() as client:
        return choosing.wanted(client, Flags(**flags))


def test_a_name_alone_gets_what_is_usual(api: FakeApi) -> None:
    assert wanted(api, name="thesis", wait="24h") == m.CreateRequest(
        name="thesis", gpus=1, wait="24h"
    )
    assert api.asked == []


def test_every_flag_is_asked_for(api: FakeApi) -> None:
    flags = {
        "name": "thesis",
        "image": "mine",
        "project": "p",
        "workspace": "/w",
        "data": "~/d",
        "folders": ["/x:/y:ro"],
        "variables": ["A=b=c"],
        "num_gpus": 2,
        "gpu": "20gb",
        "wait": "15m",
        "command": ["python", "x.py"],
        "start": False,
    }
    assert wanted(api, **flags) == m.CreateRequest(
        name="thesis",
        image="mine",
        project="p",
        workspace="/w",
        data="~/d",
        folders=("/x:/y:ro",),
        environment={"A": "b=c"},
        gpus=2,
        gpu="20gb",
        wait="15m",
        command=("python", "x.py"),
        start=False,
    )


def test_answers_give_what_flags_give(api: FakeApi, types: Any) -> None:
    api.images = [STARTER, own("mine", "cpu", api)]
    api.answers["listGpus"] = lambda _asked: m.Gpus(taken_at=NOW, source="simulated", slots=SLOTS)
    api.has("taken")
    shown = types("taken\nthesis\nmine\n2g\nprojects/thesis\n")
    chosen = wanted(api, wait="4h")
    assert "You have a container called taken already" in shown.plain()
    assert "1 of 2 free, a part of a GPU with 5 GB" in shown.plain()
    assert chosen == wanted(
        api,
        name="thesis",
        image="mine",
        gpu="2g.10gb",
        workspace="~/projects/thesis",
        wait="4h",
    )


def test_who_presses_enter_gets_what_is_usual(api: FakeApi, types: Any) -> None:
    api.images = [STARTER]
    api.answers["listGpus"] = lambda _asked: m.Gpus(taken_at=NOW, source="simulated", slots=SLOTS)
    types("thesis\n\n\n")
    assert wanted(api) == m.CreateRequest(name="thesis", gpus=1, gpu="1g.5gb")


def test_without_a_terminal_the_name_is_asked_for_by_its_flag(api: FakeApi) -> None:
    with pytest.raises(typer.BadParameter, match="Say it with NAME"):
        wanted(api)


@pytest.mark.parametrize(
    ("flags", "request_of"),
    [
        ({"cpu_only": True}, ("none", 0)),
        ({"num_gpus": 0}, ("none", 0)),
        ({"gpu": "none"}, ("none", 0)),
        ({"gpu": "mig"}, ("mig", 1)),
        ({"gpu": "20gb", "num_gpus": 2}, ("20gb", 2)),
        ({}, (None, 1)),
    ],
)
def test_gpus(flags: dict[str, Any], request_of: tuple[str | None, int]) -> None:
    assert choosing.gpu_of(Flags(**flags)) == request_of


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"name": "Thèse"}, "cannot name a container"),
        ({"name": "a" * 60}, "1 to 48"),
        ({"cpu_only": True, "gpu": "mig"}, "--cpu-only is without a GPU"),
        ({"gpu": "huge"}, "is not a GPU size"),
        ({"num_gpus": -1}, "Ask for 1 to 64"),
        ({"wait": "soon"}, "Try 15m"),
        ({"wait": "30h"}, "Nobody waits longer than 24h"),
        ({"image": "a", "framework": "b"}, "--image or --framework"),
        ({"folders": ["/x"]}, "has no place in the container"),
        ({"variables": ["A"]}, "is no variable"),
        ({"project": "a/b"}, "cannot name a project"),
    ],
    ids=lambda each: str(each)[:30],
)
def test_what_makes_no_sense_is_wrong_usage(
    api: FakeApi, flags: dict[str, Any], words: str
) -> None:
    with pytest.raises(typer.BadParameter, match=words):
        wanted(api, **({"name": "thesis"} | flags))
    assert api.asked == []


def test_sizes_that_are_there_are_offered_the_smallest_first() -> None:
    offered = gpu_choices(SLOTS, allow_full=True)
    assert [each.value for each in offered] == ["1g.5gb", "2g.10gb", "full", "none"]
    assert offered[2].hint == "1 of 1 free, a whole GPU"
    assert "full" not in [each.value for each in gpu_choices(SLOTS, allow_full=False)]


@pytest.mark.parametrize(
    ("states", "used", "expected"),
    [
        (("free", "free"), 0, "1g.5gb"),
        (("allocated", "free"), 1, "2g.10gb"),
        (("allocated", "allocated"), 1, "1g.5gb"),
        (("free", "free"), 2, "none"),
    ],
)
def test_the_smallest_that_is_free_is_proposed(
    api: FakeApi, states: tuple[str, str], used: int, expected: str
) -> None:
    with api.client() as client:
        me = client.me()
    usage = (m.Usage(limit="max_gpu_slots", used=used, allowed=2),)
    slots = [slot("0:0", "1g.5gb", states[0]), slot("0:1", "2g.10gb", states[1])]
    offered = gpu_choices(slots, allow_full=False)
    assert usual_gpu(offered, me.model_copy(update={"usage": usage})) == expected
    assert ("you would wait" in offered[0].hint) is (states[0] != "free")


def test_ones_own_image_with_a_framework_goes_before_the_catalogues(api: FakeApi) -> None:
    api.images = [STARTER, own("tables", "cpu", api), own("nlp", "pytorch-cpu", api)]
    assert wanted(api, name="x", framework="pytorch").image == "nlp"
    api.images = [STARTER, own("tables", "cpu", api)]
    assert wanted(api, name="x", framework="PyTorch").image == "starter"
    with pytest.raises(NotFound, match="ds01 image create --framework jax"):
        wanted(api, name="x", framework="jax")


def test_a_folder_is_meant_from_where_one_is_on_the_server(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert wanted(api, name="x", workspace=".").workspace == str(tmp_path)
    monkeypatch.setattr(places, "find", lambda: places.hub_place("https://hub.test", "t"))
    assert wanted(api, name="x", workspace="data").workspace == "data"


def test_a_project_brings_its_folder(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "projects" / "thesis").mkdir(parents=True)
    found = wanted(api, name="x", project="thesis")
    assert found.workspace == str(tmp_path / "projects" / "thesis")
    with pytest.raises(NotFound, match="no project other in ~/projects"):
        wanted(api, name="x", project="other")
    assert wanted(api, name="x", project="other", workspace="/w").workspace == "/w"


def test_a_terminal_in_a_container_is_on_the_server(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "find", lambda: places.hub_place("https://hub.test", "t"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert wanted(api, name="x", project="thesis").workspace is None
    monkeypatch.setenv("DS01_CONTAINER", "jupyter")
    (tmp_path / "projects" / "thesis").mkdir(parents=True)
    thesis = str(tmp_path / "projects" / "thesis")
    assert wanted(api, name="x", project="thesis").workspace == thesis
    assert wanted(api, name="x", workspace="projects/thesis").workspace == thesis


def test_the_workspace_of_a_container_is_named_as_the_server_knows_it(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "alice"
    thesis = home / "work" / "thesis"
    (thesis / "data").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    workspace = in_workspace(monkeypatch, home, thesis)
    assert wanted(api, name="x", workspace=".").workspace == str(thesis)
    chosen = wanted(api, name="x", workspace=str(workspace), data="data", folders=["new:/new"])
    assert (chosen.workspace, chosen.data) == (str(thesis), str(thesis / "data"))
    assert chosen.folders == (f"{thesis}/new:/new",)
    monkeypatch.chdir(tmp_path)
    assert wanted(api, name="x", workspace="/elsewhere").workspace == "/elsewhere"
    with pytest.raises(InvalidRequest, match="is a folder of this container"):
        wanted(api, name="x", workspace="elsewhere")


@pytest.mark.parametrize(("typed", "expected"), [("", "projects/thesis"), ("~", "~"), ("a", "~/a")])
def test_who_is_asked_for_a_folder_is_told_of_the_projects(
    api: FakeApi,
    types: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    typed: str,
    expected: str,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "projects" / "thesis").mkdir(parents=True)
    shown = types(f"thesis\n{typed}\n")
    chosen = wanted(api, project="thesis", cpu_only=True)
    assert "Enter: the project's folder" in shown.plain()
    assert "whole home" not in shown.plain()
    usual = expected.startswith("projects")
    assert chosen.workspace == (str(tmp_path / expected) if usual else expected)
