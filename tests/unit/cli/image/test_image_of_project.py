"""The image of a project: its Dockerfile is the project's, whoever changes the image."""

from pathlib import Path

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.client.streams import STDOUT
from ds01_spawner.domain.errors import Conflict, InvalidRequest, NotFound
from ds01_spawner.home.image_places import place_of_image
from ds01_spawner.recipes.dockerfile_reading import kept
from ds01_spawner.recipes.recipe import Recipe, dumped
from fakes.api_app import Asked, FakeApi
from fakes.built_project import has_image
from fakes.program import invoke, said, told
from fakes.workspace import in_workspace

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
    assert place_of_image("leaves", None, "trees").folder == trees
    monkeypatch.chdir(trees / "data")
    assert place_of_image("leaves", None).folder == trees


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


def test_in_a_container_an_image_of_the_workspace_is_the_projects(
    api: FakeApi, leaves: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (leaves / "Dockerfile").unlink()
    in_workspace(monkeypatch, home, leaves)
    flags = ("--framework", "cpu", "-r", "requirements.txt")
    made = told("image create", "leaves", "--project", ".", *flags)
    assert made["dockerfile"] == str(leaves / "Dockerfile")
    assert set(api.body("startBuild").files) == {"requirements.txt"}
    assert not list(leaves.glob("requirements.from-*"))


def test_creating_a_projects_image_by_its_name_writes_the_projects_dockerfile(
    api: FakeApi, leaves: Path, home: Path
) -> None:
    done = invoke("image create", "leaves", "--framework", "jax-cpu")
    assert done.exit_code == 0, done.output
    assert "leaves is the image of a project" in done.stderr
    assert not (home / "ds01-images").exists()
    recipe = kept((leaves / "Dockerfile").read_text()).recipe
    assert recipe is not None
    assert (recipe.framework, recipe.requirements) == ("jax-cpu", ("requirements.txt",))
    assert set(api.body("startBuild").files) == {"requirements.txt"}
    said("image create", "green", "--framework", "cpu", "--no-build")
    assert (home / "ds01-images" / "green" / "Dockerfile").is_file()


def test_who_is_asked_may_leave_the_project_as_it_is(
    api: FakeApi, leaves: Path, terminal: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del terminal
    monkeypatch.chdir(leaves)
    before = (leaves / "Dockerfile").read_text()
    with pytest.raises(Conflict, match="Nothing was made"):
        invoke("image create", "--framework", "jax-cpu", stdin="\nn\n")
    assert (leaves / "Dockerfile").read_text() == before
    done = invoke("image create", "--framework", "jax-cpu", stdin="\ny\n")
    assert "Name of the image [leaves]" in done.output
    assert api.body("startBuild").name == "leaves"


def test_deleting_tells_of_the_projects_dockerfile(api: FakeApi, leaves: Path) -> None:
    has_image(api, leaves)
    shown = "Still there: ~/projects/leaves/Dockerfile"
    assert shown in said("image delete", "leaves", "--yes", "--with-dockerfile")
    assert told("image delete", "leaves", "--yes")["files_left"] == [str(leaves / "Dockerfile")]
    assert (leaves / "Dockerfile").is_file()


def test_a_list_that_is_made_of_another_file_is_as_it_was_when_the_build_is_cancelled(
    api: FakeApi, leaves: Path
) -> None:
    environment = leaves / "environment.yml"
    environment.write_text("dependencies: [numpy=1.26]\n")
    said("image create", "--project", "leaves", "--framework", "cpu", "-r", str(environment))
    made = leaves / "requirements.from-environment.txt"
    before = made.read_text()
    environment.write_text("dependencies: [numpy=2.0]\n")

    def interrupted(_asked: Asked) -> m.Build:
        raise KeyboardInterrupt

    for words in (("image update", "leaves"), ("image create", "leaves", "--framework", "cpu")):
        api.answers["followBuild"] = interrupted
        invoke(*words)
        assert "numpy==2.0.*" in api.body("startBuild").files[made.name]
        assert made.read_text() == before
    del api.answers["followBuild"]
    said("image update", "leaves")
    assert "numpy==2.0.*" in made.read_text()
