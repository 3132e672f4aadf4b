from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.home.project_files import make, planned
from ds01_spawner.recipes.dockerfile_reading import kept
from ds01_spawner.recipes.project import Project
from ds01_spawner.recipes.recipe import Recipe, dumped
from ds01_spawner.recipes.starter import BASE, STARTER
from ds01_widgets.models.image_builder import ImageBuilderModel
from ds01_widgets.models.image_choices import FRAMEWORK, NAME, PIP, REQUIREMENTS
from ds01_widgets.models.image_draft import ImageDraft
from ds01_widgets.views.image_builder import ImageBuilder
from ds01_widgets.views.parts import Log
from fakes.api_app import NOW, FakeApi, build

GB = 1024**3


def options(**facts: Any) -> m.ImageOptions:
    usual = {**asdict(STARTER), "bases": (base(BASE, present=True, size_bytes=GB),)}
    return m.ImageOptions.model_validate({**usual, **facts})


def base(reference: str, **facts: Any) -> m.BaseOption:
    usual: dict[str, Any] = {"reference": reference, "present": False, "fetchable": False}
    return m.BaseOption.model_validate({**usual, **facts})


def own(name: str, **facts: Any) -> m.Image:
    reference = f"ds01-alice/{name}:latest"
    usual: dict[str, Any] = {
        "reference": reference,
        "key": None,
        "title": f"{name}:latest",
        "own": True,
        "present": True,
        "size_bytes": 2 * GB,
        "created_at": NOW,
    }
    return m.Image.model_validate({**usual, **facts})


def detail(name: str, **facts: Any) -> m.ImageDetail:
    usual: dict[str, Any] = {"layers": (), "recipe": None, "labels": {}, "used_by": ()}
    return m.ImageDetail.model_validate({**own(name).model_dump(), **usual, **facts})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def model(api: FakeApi, home: Path) -> ImageBuilderModel:
    assert home.is_dir()
    api.options = options()
    model = ImageBuilderModel(api.client)
    model.load()
    return model


@pytest.fixture
def draft(model: ImageBuilderModel) -> ImageDraft:
    assert model.draft is not None
    return model.draft


@pytest.fixture
def view(model: ImageBuilderModel) -> Iterator[ImageBuilder]:
    view = ImageBuilder(model=model)
    yield view
    view.close()


def dockerfile(home: Path, name: str) -> Path:
    return home / "ds01-images" / name / "Dockerfile"


def test_what_the_server_declares_is_what_can_be_chosen(draft: ImageDraft) -> None:
    assert [each.key for each in draft.frameworks] == [each.key for each in STARTER.frameworks]
    assert draft.choices.framework == STARTER.frameworks[0].key
    assert draft.choices.use_case == "custom"


def test_another_declaration_makes_another_wizard(
    api: FakeApi, model: ImageBuilderModel, view: ImageBuilder
) -> None:
    assert ("JAX", "jax") in view.phases.framework.options
    view.phases.framework.value = "jax"
    view.phases.use_case.value = "cv"
    declared = options()
    api.options = declared.model_copy(
        update={
            "frameworks": tuple(each for each in declared.frameworks if each.key == "cpu"),
            "use_cases": tuple(each for each in declared.use_cases if each.key != "cv"),
            "data_science": ("polars",),
        }
    )
    model.load()
    assert view.phases.framework.options == (("CPU only", "cpu"),)
    assert view.phases.framework.value == "cpu"
    assert view.phases.use_case.value == "custom"
    assert "polars" in view.phases.about_data_science.value
    assert "jax is not offered here any more" in view.outlook.value


def test_a_framework_whose_base_can_neither_be_found_nor_fetched_is_not_offered(
    api: FakeApi, model: ImageBuilderModel
) -> None:
    declared = options()
    other = declared.frameworks[0].model_copy(update={"key": "aime", "base": "aimehub/x:1"})
    api.options = declared.model_copy(
        update={
            "frameworks": (*declared.frameworks, other),
            "bases": (*declared.bases, base("aimehub/x:1")),
        }
    )
    model.load()
    assert model.draft is not None
    assert "aime" not in [each.key for each in model.draft.frameworks]
    api.options = api.options.model_copy(
        update={"bases": (*declared.bases, base("aimehub/x:1", fetchable=True))}
    )
    model.load()
    model.choose(framework="aime")
    assert any("has to be fetched first" in each for each in model.draft.hints)


def test_where_nothing_can_be_built_that_is_said(api: FakeApi, model: ImageBuilderModel) -> None:
    api.options = options(bases=(base(BASE),))
    model.load()
    assert model.draft is not None
    assert "no base image" in model.draft.faults[FRAMEWORK]
    assert not model.can_build


def test_what_is_typed_wrong_is_said_below_the_field_and_cannot_be_built(
    model: ImageBuilderModel, draft: ImageDraft, view: ImageBuilder
) -> None:
    view.build.name.value = "thesis"
    view.phases.pip.value = "numpy >> 3"
    assert PIP in draft.faults
    assert 'role="alert"' in view.phases.faults[PIP].value
    assert not model.can_build
    assert view.build.start.disabled
    view.phases.pip.value = "numpy pandas  # for tables\n# more\nrich>=13, <15"
    assert view.phases.faults[PIP].value == ""
    assert draft.recipe is not None
    assert draft.recipe.pip == ("numpy", "pandas", "rich>=13, <15")
    assert not view.build.start.disabled


@pytest.mark.parametrize("name", ["", "Thesis", "../x", "a b"])
def test_a_name_that_nothing_can_have_is_told(
    model: ImageBuilderModel, draft: ImageDraft, name: str
) -> None:
    model.call(name)
    assert NAME in draft.faults
    assert not model.can_build


def test_the_size_is_told_while_one_chooses_and_compared_with_what_is_allowed(
    api: FakeApi, model: ImageBuilderModel, view: ImageBuilder
) -> None:
    api.options = options(largest_bytes=3 * GB)
    model.load()
    view.phases.framework.value = "cpu"
    assert "about 1." in view.outlook.value
    assert "leave something out" not in view.outlook.value
    view.phases.framework.value = "pytorch"
    assert "may take 3 GB here: leave something out" in view.outlook.value
    view.phases.pip.value = "sklearn"
    assert "scikit-learn" in view.outlook.value
    assert "How large sklearn is" in view.outlook.value


def test_the_dockerfile_follows_the_choices_until_somebody_writes_it(
    draft: ImageDraft, view: ImageBuilder
) -> None:
    view.build.name.value = "thesis"
    view.dockerfile.opened.value = True
    assert view.dockerfile.text.disabled
    view.phases.pip.value = "rich"
    assert "'rich'" in view.dockerfile.text.value
    view.dockerfile.by_hand.value = True
    assert not view.dockerfile.text.disabled
    view.dockerfile.text.value += "RUN true\n"
    assert draft.by_hand is not None
    assert kept(draft.dockerfile).edited
    assert view.phases.framework.disabled
    assert "changed by hand" in view.dockerfile.hint.value
    view.dockerfile.anew.click()
    assert draft.by_hand is None
    assert not view.phases.framework.disabled
    assert "RUN true" not in view.dockerfile.text.value


def test_an_image_is_built_and_its_dockerfile_kept(
    api: FakeApi, home: Path, view: ImageBuilder
) -> None:
    api.answers["getMe"] = lambda asked: api._get_me(asked).model_copy(
        update={"hub_url": "https://hub.example.org/"}
    )
    api.build_log = "Step 1/9 : FROM ds01/base:bookworm AS tools\n ---> 1\n"
    view.phases.framework.value = "cpu"
    view.build.name.value = "thesis"
    api.images = [own("thesis")]
    view.build.start.click()
    sent = api.body("startBuild")
    assert sent.name == "thesis"
    assert kept(sent.dockerfile).recipe == Recipe("cpu")
    assert sent.recipe == dumped(Recipe("cpu"))
    assert dockerfile(home, "thesis").read_text() == sent.dockerfile
    assert "The image thesis is ready" in view.told.value
    assert "https://hub.example.org/hub/home" in view.told.value
    assert "thesis" in view.own.table.value
    view.build.progress.opened.value = True
    assert "FROM ds01/base:bookworm" in view.build.progress.text.value


def test_what_somebody_wrote_is_built_as_it_stands(
    api: FakeApi, model: ImageBuilderModel, draft: ImageDraft
) -> None:
    model.call("thesis")
    model.write("FROM starter\nRUN true\n")
    model.build()
    sent = api.body("startBuild")
    assert sent.dockerfile == "FROM starter\nRUN true\n"
    assert sent.recipe is None
    assert draft.changing


def test_progress_is_told_by_step_while_it_is_built(
    api: FakeApi, model: ImageBuilderModel, draft: ImageDraft, view: ImageBuilder
) -> None:
    model.call("thesis")
    step = next(line for line in draft.dockerfile.splitlines() if line.startswith("FROM"))
    seen: list[tuple[str, str]] = []
    model.observe(
        lambda: seen.append(
            (
                view.build.progress.progress.text.value,
                view.build.progress.progress.bar.value,
            )
        )
    )
    lines = "RUN python3 -m venv --system-site-packages /opt/ds01"
    instruction = next(
        each for each in draft.dockerfile.replace("\\\n", "").splitlines() if each.startswith(lines)
    )
    api.build_log = f"Step 1/9 : {step}\nStep 4/9 : {' '.join(instruction.split())}\n"
    model.build()
    assert any("Step 4 of 9: The Python environment" in words for words, _ in seen)
    assert any('value="4" max="9"' in bar for _, bar in seen)


def test_a_failure_is_shown_at_its_line_with_advice_for_a_notebook(
    api: FakeApi, model: ImageBuilderModel, view: ImageBuilder
) -> None:
    model.call("thesis")
    model.choose(framework="cpu", pip="nmupy")
    assert model.draft is not None
    lines = model.draft.dockerfile.splitlines()
    line = next(number for number, each in enumerate(lines, 1) if "'nmupy'" in each)
    instruction = "RUN python -m pip install --no-cache-dir 'nmupy'"
    api.build_log = (
        f"Step 9/12 : {instruction}\nERROR: Could not find a version that satisfies the "
        "requirement nmupy (from versions: none)\n"
    )
    api.build_end = build("thesis", state="failed", failure="returned a non-zero code: 1")
    model.build()
    told = view.build.progress.failure.value
    assert "pip finds no package called nmupy" in told
    assert "spelled as on PyPI" in told
    assert f'<span class="ds01-failed-line">{line:>4} ' in told
    assert not model.is_building
    assert model.can_build, "it can be put right and built again"
    api.build_end = None
    model.choose(pip="numpy")
    model.build()
    assert view.build.progress.failure.value == ""
    assert "is ready" in view.told.value


@pytest.mark.parametrize(
    "log",
    [
        "error: command 'gcc' failed\nERROR: Failed building wheel for dlib\n",
        "E: Unable to locate package numpy\n",
        "COPY failed: file not found in build context: stat x: file does not exist\n",
        "OSError: No space left on device\n",
        "The command returned a non-zero code: 137\n",
        "something else\n",
    ],
)
def test_no_advice_is_for_a_command_line(api: FakeApi, model: ImageBuilderModel, log: str) -> None:
    model.call("thesis")
    api.build_log = f"Step 1/1 : RUN x\n{log}"
    api.build_end = build("thesis", state="failed", failure="")
    model.build()
    assert model.building is not None
    assert model.building.advice
    assert "ds01 " not in model.building.advice
    assert "--" not in model.building.advice


def test_a_build_is_cancelled_and_leaves_nothing(
    api: FakeApi, home: Path, model: ImageBuilderModel, view: ImageBuilder
) -> None:
    def press() -> None:
        if model.is_building and model.building and model.building.build is not None:
            view.build.progress.cancel.click()

    model.observe(press)
    api.build_end = build("thesis", state="cancelled")
    view.build.name.value = "thesis"
    view.build.start.click()
    assert api.operations().count("cancelBuild") == 1
    assert "Cancelled: nothing was built." in view.told.value
    assert not dockerfile(home, "thesis").exists()
    assert model.can_build


def test_what_is_cancelled_before_it_was_begun_is_cancelled_when_it_is(
    api: FakeApi, model: ImageBuilderModel
) -> None:
    def press() -> None:
        if model.is_building and model.building and model.building.build is None:
            model.cancel()

    model.observe(press)
    api.build_end = build("thesis", state="cancelled")
    model.call("thesis")
    model.build()
    assert "cancelBuild" in api.operations()
    assert model.told == ("Cancelled: nothing was built.",)


def test_a_build_that_cannot_begin_is_told(
    api: FakeApi, model: ImageBuilderModel, view: ImageBuilder
) -> None:
    api.refuses["startBuild"] = Unavailable("Two builds run already.", "Wait for one.")
    view.build.name.value = "thesis"
    view.build.start.click()
    assert "Two builds run already." in view.problem.value
    assert not model.is_building


def test_a_dockerfile_that_is_too_long_is_told(
    api: FakeApi, model: ImageBuilderModel, view: ImageBuilder
) -> None:
    view.build.name.value = "thesis"
    model.write("FROM starter\n" + "RUN true\n" * 30_000)
    view.build.start.click()
    assert "cannot be sent: dockerfile" in view.problem.value
    assert "startBuild" not in api.operations()
    assert model.can_build


def test_a_build_that_runs_is_gone_on_with_when_the_cell_is_run_again(
    api: FakeApi, model: ImageBuilderModel, view: ImageBuilder
) -> None:
    running = build("thesis", state="running")
    listed = [running]
    api.answers["listBuilds"] = lambda _asked: m.BuildList(builds=tuple(listed))
    end = build("thesis", image_id="sha256:1", size_bytes=GB)

    def follow(_asked: object) -> list[tuple[str, m.Wire]]:
        listed.clear()
        return [("log", m.BuildLog(text="Step 1/1 : FROM x\n")), ("end", end)]

    api.answers["followBuild"] = follow
    model.load()
    assert "startBuild" not in api.operations()
    assert "The image thesis is ready, 1 GB" in view.told.value


def test_packages_of_a_file_are_read_by_the_build(
    api: FakeApi, home: Path, model: ImageBuilderModel, view: ImageBuilder
) -> None:
    (home / "environment.yml").write_text("dependencies:\n  - numpy=1.26\n  - cudatoolkit\n")
    view.build.name.value = "thesis"
    view.phases.requirements.value = "~/environment.yml"
    assert "its own cudatoolkit" in view.outlook.value
    view.build.start.click()
    sent = api.body("startBuild")
    assert "numpy==1.26.*" in sent.files["requirements.from-environment.txt"]
    assert (home / "ds01-images/thesis/requirements.from-environment.txt").exists()
    assert model.problem is None


def test_a_file_that_is_not_there_is_told(view: ImageBuilder) -> None:
    view.phases.requirements.value = "nowhere.txt"
    assert "There is no file" in view.phases.faults[REQUIREMENTS].value


def test_a_name_that_is_taken_is_refused_and_says_what_to_do(
    api: FakeApi, home: Path, model: ImageBuilderModel, view: ImageBuilder
) -> None:
    api.images = [own("thesis")]
    model.load()
    view.build.name.value = "thesis"
    assert "change that, or choose another name" in view.build.fault.value
    dockerfile(home, "old").parent.mkdir(parents=True)
    dockerfile(home, "old").write_text("FROM starter\nRUN true\n")
    view.build.name.value = "old"
    assert "is there already: open it" in view.build.fault.value
    assert view.build.open_kept.layout.display is None
    view.build.open_kept.click()
    assert model.draft is not None
    assert model.draft.by_hand == "FROM starter\nRUN true\n"
    assert model.can_build


def test_an_image_is_changed_by_what_it_was_made_of(
    api: FakeApi, home: Path, model: ImageBuilderModel, view: ImageBuilder
) -> None:
    recipe = Recipe("cpu", "cv", jupyter=True, data_science=False, pip=("rich",), apt=("ffmpeg",))
    api.images = [own("thesis")]
    api.details["thesis"] = detail("thesis", recipe=dumped(recipe))
    model.load()
    view.own.change.click()
    assert (view.phases.framework.value, view.phases.use_case.value) == ("cpu", "cv")
    assert (view.phases.pip.value, view.phases.apt.value) == ("rich", "ffmpeg")
    assert not view.phases.data_science.value
    assert view.build.name.disabled
    assert "Change thesis" in view.what.value
    view.phases.pip.value = "rich\neinops"
    view.build.fresh.value = True
    view.build.start.click()
    sent = api.body("startBuild")
    assert (sent.no_cache, sent.pull) == (True, True)
    assert "'einops'" in dockerfile(home, "thesis").read_text()
    assert not view.build.fresh.value


def test_the_image_of_a_project_is_changed_in_the_project(
    api: FakeApi, home: Path, model: ImageBuilderModel, view: ImageBuilder
) -> None:
    folder = home / "projects" / "leaves"
    project = Project("leaves", "custom", "none")
    make(folder, planned(project, "cpu", STARTER))
    (folder / "requirements.txt").write_text("einops\n")
    api.images = [own("leaves")]
    api.details["leaves"] = detail("leaves", recipe=None)
    model.load()
    view.own.change.click()
    assert view.phases.requirements.value == "requirements.txt"
    view.phases.pip.value = "rich"
    view.build.start.click()
    assert api.body("startBuild").files == {"requirements.txt": "einops\n"}
    assert "'rich'" in (folder / "Dockerfile").read_text()
    assert not dockerfile(home, "leaves").exists()


def test_an_image_that_was_made_with_docker_is_deleted_by_its_tag(
    api: FakeApi, model: ImageBuilderModel
) -> None:
    api.images = [own("thesis", title="thesis:v2")]
    api.details["thesis:v2"] = detail("thesis")
    model.load()
    model.delete("thesis:v2", with_dockerfile=True)
    assert model.told == ("Deleted the image thesis:v2.",)
    assert model.problem is None


def test_a_change_that_fails_leaves_the_dockerfile_as_it_was(
    api: FakeApi, home: Path, model: ImageBuilderModel
) -> None:
    model.call("thesis")
    model.build()
    before = dockerfile(home, "thesis").read_text()
    model.choose(pip="einops")
    api.build_end = build("thesis", state="failed", failure="no")
    model.build()
    assert dockerfile(home, "thesis").read_text() == before


def test_a_dockerfile_that_was_changed_by_hand_is_opened_as_it_stands(
    api: FakeApi, home: Path, model: ImageBuilderModel
) -> None:
    model.call("thesis")
    model.build()
    text = dockerfile(home, "thesis").read_text() + "RUN true\n"
    dockerfile(home, "thesis").write_text(text)
    api.images = [own("thesis")]
    api.details["thesis"] = detail("thesis", recipe=dumped(Recipe("pytorch")))
    model.load()
    model.change("thesis")
    assert model.draft is not None
    assert model.draft.by_hand == text


def test_an_image_that_nothing_tells_about_begins_with_what_is_usual(
    api: FakeApi, model: ImageBuilderModel
) -> None:
    api.images = [own("thesis")]
    api.details["thesis"] = detail("thesis", recipe="{")
    model.load()
    model.change("thesis")
    assert model.problem is not None
    assert "recipe cannot be read" in model.problem.message


def test_who_uses_an_image_is_shown_and_it_cannot_be_deleted(
    api: FakeApi, model: ImageBuilderModel, view: ImageBuilder
) -> None:
    api.images = [own("thesis"), own("old")]
    api.has("run", image="ds01-alice/thesis:latest")
    model.load()
    assert "run" in view.own.table.value
    assert view.own.delete.disabled
    assert view.own.delete.tooltip == "In use by run"
    api.details["thesis"] = detail("thesis", used_by=("run",))
    model.delete("thesis")
    assert "in use by run" in view.problem.value
    assert "deleteImage" not in api.operations()


def test_an_image_is_deleted_after_a_question_with_its_dockerfile_where_wanted(
    api: FakeApi, home: Path, model: ImageBuilderModel, view: ImageBuilder
) -> None:
    model.call("old")
    model.build()
    api.images = [own("old")]
    api.details["old"] = detail("old")
    model.load()
    view.own.delete.click()
    assert "Delete the image old?" in view.own.question.value
    view.own.no.click()
    assert view.own.sure.layout.display == "none"
    view.own.delete.click()
    view.own.with_dockerfile.value = True
    api.images = []
    view.own.yes.click()
    assert "deleteImage" in api.operations()
    assert not dockerfile(home, "old").exists()
    assert "Deleted the image old." in view.told.value
    assert "You have no images yet." in view.own.table.value


def test_without_an_api_nothing_can_be_chosen_and_it_is_said(api: FakeApi, home: Path) -> None:
    assert home.is_dir()
    api.options = options()
    api.refuses["getImageOptions"] = Unavailable("The gateway is away.", "Try again.")
    view = ImageBuilder(model=ImageBuilderModel(api.client))
    assert "The gateway is away." in view.problem.value
    assert view.phases.layout.display == "none"
    del api.refuses["getImageOptions"]
    view.again.click()
    assert view.phases.layout.display is None
    view.close()


def test_the_explanations_of_the_phases_are_those_of_the_handbook(view: ImageBuilder) -> None:
    whys = [each for each in view.phases.children if hasattr(each, "button")]
    for each in whys:
        each.button.value = True
        assert each.text.outputs[0]["data"]["text/markdown"]
    assert len(whys) == 5


def test_colours_of_programs_are_left_out_of_a_log() -> None:
    log = Log()
    log.show("\x1b[91mERROR: no such package\x1b[0m")
    assert "<pre>ERROR: no such package</pre>" in log.value
