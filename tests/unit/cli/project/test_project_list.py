from pathlib import Path

import pytest

from ds01_spawner.domain.errors import InvalidRequest, NotFound
from fakes.api_app import FakeApi
from fakes.built_project import has_image
from fakes.program import invoke, said, told


@pytest.fixture
def leaves(api: FakeApi, home: Path) -> Path:
    del api
    said("project init", "leaves", "--type", "cv")
    return home / "projects" / "leaves"


def test_none_yet(api: FakeApi) -> None:
    del api
    assert "Begin one: ds01 project init NAME" in said("project list")


def test_projects_and_what_runs(api: FakeApi, leaves: Path, home: Path) -> None:
    said("project init", "other")
    api.has("leaves", gpu_slots=("0:1",))
    (home / "projects" / "no-project").mkdir()
    printed = said("project list")
    assert "~/projects/leaves" in printed
    assert "0:1" in printed
    assert "no-project" not in printed
    found = told("project list")["projects"]
    assert [each["name"] for each in found] == ["leaves", "other"]
    assert found[0]["folder"] == str(leaves)
    assert [each["state"] for each in found] == ["running", None]


def test_settings_that_cannot_be_read_are_said(api: FakeApi, leaves: Path) -> None:
    del api
    (leaves / "pyproject.toml").write_text("[tool.ds01]\ngpus = 'two'\n")
    done = invoke("project list")
    assert done.exit_code == 0
    assert "expected a whole number" in done.stderr
    with pytest.raises(InvalidRequest):
        invoke("project status", "leaves")


def test_the_project_that_one_is_in(
    api: FakeApi, leaves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del api
    monkeypatch.chdir(leaves / "data" / "raw")
    assert "leaves (cv) in ~/projects/leaves" in said("project status")


def test_nowhere(api: FakeApi) -> None:
    del api
    with pytest.raises(NotFound, match="not in a project's folder"):
        invoke("project status")
    with pytest.raises(NotFound, match="no project 'missing'"):
        invoke("project status", "missing")


def test_what_is_to_be_done_next(api: FakeApi, leaves: Path) -> None:
    assert leaves.is_dir()
    printed = said("project status", "leaves")
    assert "not built yet" in printed
    assert "Next: ds01 project launch leaves" in printed
    api.has("leaves", gpu_slots=("0:1",))
    facts = told("project status", "leaves")
    assert facts["container"]["gpu_slots"] == ["0:1"]
    assert facts["image_problem"] == "not built yet"


def test_an_image_is_that_of_the_files_until_one_is_changed(api: FakeApi, leaves: Path) -> None:
    has_image(api, leaves)
    assert "as the Dockerfile says" in said("project status", "leaves")
    (leaves / "requirements.txt").write_text("numpy>=1.26,<3\n")
    assert "not of the files that are here now" in said("project status", "leaves")
    (leaves / "Dockerfile").unlink()
    with pytest.raises(NotFound, match="has no Dockerfile"):
        invoke("project status", "leaves")


def test_states_are_told_as_people_say_them(api: FakeApi, leaves: Path) -> None:
    assert leaves.is_dir()
    api.has("leaves", state="exited")
    assert "stopped" in said("project list")
    assert "Container: stopped." in said("project status", "leaves")
    assert told("project list")["projects"][0]["state"] == "exited"
