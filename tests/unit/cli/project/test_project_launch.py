from pathlib import Path

import pytest

from ds01_spawner.domain.errors import Conflict, Forbidden, InvalidRequest, NoCapacity
from fakes.api_app import FakeApi
from fakes.built_project import has_image
from fakes.program import invoke, said, told
from fakes.workspace import in_workspace


@pytest.fixture
def leaves(api: FakeApi, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose image is not built yet, on the server."""
    assert api.user
    monkeypatch.setenv("DS01_CONTAINER", "jupyter")
    said("project init", "leaves", "--type", "cv", "--gpu", "20gb")
    return home / "projects" / "leaves"


def test_it_builds_and_makes_and_tells_how_to_get_in(api: FakeApi, leaves: Path) -> None:
    done = invoke("project launch", "leaves")
    assert done.exit_code == 0, done.output
    assert "not built yet: building it" in done.stderr
    assert "ds01 container attach leaves" in done.stdout
    built = api.body("startBuild")
    assert built.name == "leaves"
    assert set(built.files) == {"requirements.txt"}
    made = api.body("createContainer")
    assert made.image == made.name == made.project == "leaves"
    assert (made.gpu, made.gpus, made.wait) == ("20gb", 1, "24h")
    assert made.workspace == str(leaves)


def test_an_image_of_the_files_is_not_built_again(api: FakeApi, leaves: Path) -> None:
    has_image(api, leaves)
    assert told("project launch", "leaves")["built"] is False
    assert "startBuild" not in api.operations()
    api.containers.clear()
    assert told("project launch", "leaves", "--rebuild")["built"] is True
    assert api.operations().count("startBuild") == 1


def test_never_built_when_told_so(api: FakeApi, leaves: Path) -> None:
    assert leaves.is_dir()
    invoke("project launch", "leaves", "--no-build")
    assert "startBuild" not in api.operations()


def test_what_runs_is_used(api: FakeApi, leaves: Path) -> None:
    has_image(api, leaves)
    api.has("leaves", gpu_slots=("0:1",))
    assert "leaves runs" in said("project launch", "leaves")
    assert "createContainer" not in api.operations()


def test_what_is_stopped_is_started(api: FakeApi, leaves: Path) -> None:
    has_image(api, leaves)
    api.has("leaves", state="exited")
    said("project launch", "leaves")
    assert "startContainer" in api.operations()


def test_what_is_paused_is_not_touched(api: FakeApi, leaves: Path) -> None:
    has_image(api, leaves)
    api.has("leaves", state="paused")
    with pytest.raises(Conflict, match="unpause leaves"):
        invoke("project launch", "leaves")


def test_a_container_of_the_image_before_is_said_to_be_one(api: FakeApi, leaves: Path) -> None:
    assert leaves.is_dir()
    api.has("leaves")
    done = invoke("project launch", "leaves")
    assert "still has the image of then" in done.stderr
    assert "ds01 container retire leaves" in done.stderr


@pytest.mark.parametrize(
    ("setting", "flags", "size", "count"),
    [
        ("none", [], "none", 0),
        ("none", ["--gpu", "mig"], "mig", 1),
        ("", [], None, 1),
        ("20gb", ["--gpu", "full"], "full", 1),
        ("20gb", ["--num-gpus", "2"], "20gb", 2),
        ("20gb", ["--num-gpus", "0"], "none", 0),
        ("none", ["--num-gpus", "2"], None, 2),
        ("none", ["--num-gpus", "0"], "none", 0),
    ],
)
def test_which_gpu(
    api: FakeApi, leaves: Path, *, setting: str, flags: list[str], size: str | None, count: int
) -> None:
    settings = leaves / "pyproject.toml"
    settings.write_text(settings.read_text().replace('gpu = "20gb"', f'gpu = "{setting}"'))
    has_image(api, leaves)
    said("project launch", "leaves", *flags)
    made = api.body("createContainer")
    assert (made.gpu, made.gpus) == (size, count)


def test_a_dry_run_does_nothing(api: FakeApi, leaves: Path) -> None:
    assert leaves.is_dir()
    printed = said("project launch", "leaves", "--dry-run")
    assert "would be built: it is not built yet" in printed
    assert not {"startBuild", "createContainer"} & set(api.operations())


def test_no_gpu_is_free(api: FakeApi, leaves: Path) -> None:
    has_image(api, leaves)
    api.refuses["createContainer"] = NoCapacity("All 4 slots are in use.", "Try later.")
    with pytest.raises(NoCapacity):
        invoke("project launch", "leaves", "--wait", "0")


def test_a_folder_of_ones_own_computer_is_not_on_the_server(
    leaves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert leaves.is_dir()
    monkeypatch.delenv("DS01_CONTAINER")
    monkeypatch.setenv("DS01_URL", "https://hub.example.org")
    monkeypatch.setenv("DS01_TOKEN", "t")
    with pytest.raises(Forbidden, match="is on this computer"):
        invoke("project launch", "leaves")


def test_a_shell_needs_a_terminal(api: FakeApi, leaves: Path) -> None:
    assert leaves.is_dir()
    done = invoke("project launch", "leaves", "--open")
    assert done.exit_code == 2
    assert "createContainer" not in api.operations()


def test_a_container_that_is_there_keeps_its_gpu_and_it_is_said(api: FakeApi, leaves: Path) -> None:
    has_image(api, leaves)
    api.has("leaves", state="dead", gpu_slots=("0:1",))
    dry = invoke("project launch", "leaves", "--gpu", "full", "--dry-run")
    assert "The container leaves (broken) would be started." in dry.stdout
    assert "keeps the GPU that it has" in dry.stderr
    done = invoke("project launch", "leaves", "--num-gpus", "2")
    assert "ds01 container retire leaves, and launch again" in done.stderr
    assert "startContainer" in api.operations()
    assert "keeps" not in invoke("project launch", "leaves").stderr


@pytest.mark.parametrize("setting", ["20gb", "none", ""])
def test_without_a_gpu_whatever_the_project_says(api: FakeApi, leaves: Path, setting: str) -> None:
    settings = leaves / "pyproject.toml"
    settings.write_text(settings.read_text().replace('gpu = "20gb"', f'gpu = "{setting}"'))
    has_image(api, leaves)
    said("project launch", "leaves", "--cpu-only", "--background")
    made = api.body("createContainer")
    assert (made.gpu, made.gpus) == ("none", 0)


def test_a_folder_of_data(api: FakeApi, leaves: Path, home: Path) -> None:
    has_image(api, leaves)
    said("project launch", "leaves", "-d", "data")
    assert api.body("createContainer").data == str(home / "data")
    done = invoke("project launch", "leaves", "-d", "data")
    assert "keeps what it was made with" in done.stderr


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--cpu-only", "--gpu", "full"], "--cpu-only is without a GPU"),
        (["--open", "--background"], "cannot go with --background"),
        (["--open", "--json"], "cannot go with --json"),
    ],
)
def test_flags_that_contradict_each_other(leaves: Path, flags: list[str], words: str) -> None:
    assert leaves.is_dir()
    done = invoke("project launch", "leaves", *flags)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())


def test_in_a_container_the_workspace_is_the_project_of_the_home(
    api: FakeApi, leaves: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_image(api, leaves)
    workspace = in_workspace(monkeypatch, home, leaves)
    assert told("project status")["folder"] == str(leaves)
    assert "~/projects/leaves" in said("project status", str(workspace))
    said("project launch")
    assert api.body("createContainer").workspace == str(leaves)


def test_a_project_that_only_this_container_has_is_not_launched(
    api: FakeApi, leaves: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = leaves.rename(home.with_name(f"{home.name}-own"))
    monkeypatch.chdir(own)
    with pytest.raises(InvalidRequest, match="is a folder of this container"):
        invoke("project launch")
    assert api.operations().count("createContainer") == 0
