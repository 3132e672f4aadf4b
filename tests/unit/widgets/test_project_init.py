from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.recipes.dockerfile_reading import kept
from ds01_spawner.recipes.project import read_settings
from ds01_spawner.recipes.starter import STARTER
from ds01_widgets.models.project_init import ANY, DESCRIPTION, NAME, ProjectInitModel
from ds01_widgets.views.project_init import ProjectInit
from fakes.api_app import NOW, FakeApi, build

SLOT = m.GpuSlot(
    slot="0:1",
    profile="1g.5gb",
    memory_bytes=5 * 1024**3,
    equivalents=1 / 7,
    state="free",
    mine=False,
    user=None,
    container=None,
    since=None,
    until=None,
    use="interactive",
    utilisation=None,
    memory_used_bytes=None,
    processes=None,
)
FULL = SLOT.model_copy(update={"slot": "1", "profile": "full", "equivalents": 1.0})


def size(name: str, equivalents: float) -> m.ServerSize:
    return m.ServerSize(size=name, memory_bytes=None, equivalents=equivalents, most=1)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def model(api: FakeApi, home: Path) -> ProjectInitModel:
    assert home.is_dir()
    api.options = m.ImageOptions.model_validate(asdict(STARTER))
    api.sizes = (size("none", 0.0), size(str(SLOT.profile), 1 / 7))
    gpus = m.Gpus(taken_at=NOW, source="nvml", slots=(SLOT, FULL))
    api.answers["listGpus"] = lambda _asked: gpus
    model = ProjectInitModel(api.client)
    model.load()
    return model


@pytest.fixture
def view(model: ProjectInitModel) -> Iterator[ProjectInit]:
    view = ProjectInit(model=model)
    yield view
    view.close()


def test_a_project_is_made_with_all_that_was_chosen(home: Path, view: ProjectInit) -> None:
    view.name.value = "leaves"
    view.description.value = "Blätter <zählen>"
    view.kind.value = "cv"
    view.framework.value = "pytorch-cpu"
    view.devcontainer.value = True
    assert "Dockerfile" in view.files.value
    view.make.click()
    folder = home / "projects" / "leaves"
    project = read_settings((folder / "pyproject.toml").read_text(), "leaves")
    assert (project.name, project.kind, project.gpu) == ("leaves", "cv", "none")
    assert project.description == "Blätter <zählen>"
    recipe = kept((folder / "Dockerfile").read_text()).recipe
    assert recipe is not None
    assert (recipe.framework, recipe.use_case) == ("pytorch-cpu", "cv")
    assert (folder / ".devcontainer" / "devcontainer.json").exists()
    assert (folder / ".git").exists()
    assert "The project leaves is in ~/projects/leaves." in view.told.value
    assert view.name.value == ""


def test_what_is_made_is_shown_before(home: Path, view: ProjectInit) -> None:
    view.name.value = "leaves"
    assert "data/raw/.gitkeep" in view.files.value
    assert not (home / "projects").exists()


def test_gpus_that_the_policy_refuses_are_not_offered(
    model: ProjectInitModel, view: ProjectInit
) -> None:
    assert [size for _, size in view.gpu.options] == [ANY, "none", "1g.5gb"]
    assert view.gpu.value == ANY, "the first framework uses one"
    view.framework.value = "cpu"
    assert view.gpu.value == "none"
    view.gpu.value = "1g.5gb"
    assert model.wishes.gpu == "1g.5gb"


def test_another_declaration_makes_another_wizard(
    api: FakeApi, model: ProjectInitModel, view: ProjectInit
) -> None:
    view.kind.value = "nlp"
    assert api.options is not None
    api.options = api.options.model_copy(
        update={
            "frameworks": api.options.frameworks[3:4],
            "use_cases": tuple(each for each in api.options.use_cases if each.key != "nlp"),
        }
    )
    api.answers["listGpus"] = lambda _asked: m.Gpus(taken_at=NOW, source="nvml", slots=())
    model.load()
    assert view.framework.options == (("CPU only", "cpu"),)
    assert view.kind.value == "custom"
    assert view.gpu.options == (("No GPU", "none"),)


@pytest.mark.parametrize("name", ["Leaves", "a b", "../x", "x" * 31])
def test_a_name_that_nothing_can_have_is_told(
    model: ProjectInitModel, view: ProjectInit, name: str
) -> None:
    view.name.value = name
    assert "cannot name a project" in view.faults[NAME].value
    assert view.make.disabled
    model.make()
    assert model.made is None


def test_what_is_there_is_not_written_over(home: Path, view: ProjectInit) -> None:
    (home / "projects" / "leaves").mkdir(parents=True)
    (home / "projects" / "leaves" / "thesis.tex").write_text("all of it")
    view.name.value = "leaves"
    assert "is there already, and nothing in it was changed" in view.faults[NAME].value
    assert view.make.disabled


def test_a_description_of_several_lines_is_told(view: ProjectInit) -> None:
    view.description.value = "x" * 301
    assert "one line" in view.faults[DESCRIPTION].value


def test_without_git_it_is_said(view: ProjectInit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    view.name.value = "leaves"
    view.make.click()
    assert "git is not installed here" in view.told.value


def test_its_image_is_built_with_its_requirements(
    api: FakeApi, home: Path, view: ProjectInit
) -> None:
    assert view.build.layout.display == "none"
    view.name.value = "leaves"
    view.framework.value = "cpu"
    view.make.click()
    (home / "projects" / "leaves" / "requirements.txt").write_text("einops\n")
    assert view.build.description == "Build the image of leaves"
    view.build.click()
    sent = api.body("startBuild")
    assert sent.name == "leaves"
    assert sent.files == {"requirements.txt": "einops\n"}
    assert "The image leaves is ready" in view.told.value


def test_a_build_that_fails_or_is_cancelled_is_told(api: FakeApi, view: ProjectInit) -> None:
    view.name.value = "leaves"
    view.make.click()
    api.build_end = build("leaves", state="failed", failure="It broke.")
    view.build.click()
    assert "leaves was not built. It broke." in view.progress.failure.value
    api.build_end = build("leaves", state="cancelled")
    view.build.click()
    assert "Cancelled: nothing was built." in view.told.value
    api.refuses["startBuild"] = Unavailable("The engine does not answer.")
    view.build.click()
    assert "The engine does not answer." in view.problem.value


def test_a_full_disk_makes_nothing_and_is_told(
    home: Path, view: ProjectInit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    view.name.value = "leaves"
    monkeypatch.setattr("os.fsync", full)
    view.make.click()
    assert "cannot be made: No space left on device" in view.problem.value
    assert not (home / "projects" / "leaves").exists()


def test_without_an_api_it_is_said(api: FakeApi, home: Path) -> None:
    assert home.is_dir()
    api.refuses["getImageOptions"] = Unavailable("The gateway is away.")
    view = ProjectInit(model=ProjectInitModel(api.client))
    assert "The gateway is away." in view.problem.value
    assert view.form.layout.display == "none"
    view.close()
