"""The image of a project: its Dockerfile is the project's, whoever changes the image."""

from pathlib import Path

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.client.streams import STDOUT
from ds01_spawner.domain.errors import Conflict, InvalidRequest, NotFound
from ds01_spawner.home import image_places
from ds01_spawner.recipes.dockerfile_reading import kept
from ds01_spawner.recipes.recipe import Recipe, dumped
from fakes.api_app import FakeApi
from fakes.program import invoke, said, told

MARK = "--ds01--\n"


@pytest.fixture
def leaves(api: FakeApi, home: Path) -> Path:
    """A project with a container in which rich was installed by hand."""
    said("project init", "leaves", "--framework", "cpu")
    api.has("run", image="ds01-alice/leaves:latest", project="leaves")
    now = "numpy==1.0\nrich==14.0\n"
    api.outputs["sh"] = (((STDOUT, MARK.join(("numpy==1.0\n", now, now)).encode()),), 0)
    return home / "projects" / "leaves"


def pip(folder: Path) -> tuple[str, ...]:
    recipe = kept((folder / "Dockerfile").read_text()).recipe
    assert recipe is not None
    return recipe.pip


def test_what_is_saved_goes_into_the_projects_dockerfile(api: FakeApi, leaves: Path) -> None:
    said("image save-from", "run", "--yes")
    assert pip(leaves) == ("rich==14.0",)
    assert set(api.body("startBuild").files) == {"requirements.txt"}


def test_retiring_saves_into_the_projects_dockerfile(api: FakeApi, leaves: Path) -> None:
    done = invoke("container retire", "run", "--save", "--json")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip().startswith("{")
    assert pip(leaves) == ("rich==14.0",)
    assert api.containers == {}


def test_update_and_show_find_the_project_by_its_image(
    api: FakeApi, leaves: Path, home: Path
) -> None:
    settings = leaves / "pyproject.toml"
    settings.write_text(settings.read_text().replace('image = "leaves"', 'image = "green"'))
    said("image update", "green", "--add", "rich")
    assert pip(leaves) == ("rich",)
    assert said("image show", "green", "--dockerfile") == (leaves / "Dockerfile").read_text()
    assert not (home / "ds01-images").exists()
    said("image update", "--project", "leaves", "--add", "polars")
    assert api.body("startBuild").name == "green"


def test_of_several_projects_the_containers_or_ones_own_is_meant(
    leaves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said("project init", "trees", "--framework", "cpu")
    trees = leaves.parent / "trees"
    settings = trees / "pyproject.toml"
    settings.write_text(settings.read_text().replace('image = "trees"', 'image = "leaves"'))
    with pytest.raises(InvalidRequest, match="Several projects"):
        invoke("image update", "leaves", "--add", "rich")
    assert image_places.place_of_image("leaves", None, "trees").folder == trees
    monkeypatch.chdir(trees / "data")
    assert image_places.place_of_image("leaves", None).folder == trees


def test_a_project_that_is_elsewhere_is_asked_for(api: FakeApi) -> None:
    api.details["leaves"] = m.ImageDetail(
        reference="ds01-alice/leaves:latest",
        key=None,
        title="leaves:latest",
        own=True,
        present=True,
        layers=(),
        recipe=dumped(Recipe("cpu", requirements=("requirements.txt",))),
        labels={},
        used_by=(),
    )
    with pytest.raises(NotFound, match="--project FOLDER"):
        invoke("image update", "leaves", "--add", "rich")


def test_next_steps_name_the_image_and_its_project(leaves: Path) -> None:
    dockerfile = leaves / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "RUN true\n")
    with pytest.raises(Conflict) as refused:
        invoke("image create", "--project", "leaves", "--framework", "cpu")
    assert "ds01 image update leaves --project leaves --rebuild" in refused.value.next_step
    odd = leaves.parent / "_odd_"
    odd.mkdir()
    with pytest.raises(InvalidRequest) as odd_name:
        invoke("image create", "--project", "_odd_", "--framework", "cpu")
    assert "--name" not in odd_name.value.next_step


def test_programs_get_json_when_nothing_is_built(api: FakeApi, leaves: Path) -> None:
    made = told("image create", "thesis", "--framework", "cpu", "--no-build")
    assert made["build"] is None
    assert Path(made["dockerfile"]).is_file()
    said("image update", "leaves", "--add", "rich")
    assert told("image update", "leaves") == {
        "build": None,
        "dockerfile": str(leaves / "Dockerfile"),
    }
    dry = told("image update", "leaves", "--add", "polars", "--dry-run")
    assert dry["name"] == "leaves"
    assert "polars" in dry["dockerfile"]
    api.outputs["sh"] = (((STDOUT, MARK.join(("numpy==1.0\n",) * 3).encode()),), 0)
    assert told("image save-from", "run") == {"build": None, "packages": []}
