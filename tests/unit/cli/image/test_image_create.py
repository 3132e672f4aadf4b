from pathlib import Path

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Conflict, InvalidRequest, NotFound, QuotaExceeded
from ds01_spawner.home.builds import BuildFailed
from ds01_spawner.recipes.dockerfile_reading import kept
from ds01_spawner.recipes.recipe import Recipe, loaded
from fakes.api_app import Asked, FakeApi, build
from fakes.program import invoke, said, told

GIB = 1024**3
FLAGS = ("thesis", "--framework", "cpu", "--use-case", "ml", "--pip", "numpy>=1.26,<3")


def dockerfile(home: Path, name: str = "thesis") -> Path:
    return home / "ds01-images" / name / "Dockerfile"


def test_flags_become_a_dockerfile_and_an_image(api: FakeApi, home: Path) -> None:
    api.build_end = build(
        "thesis", size_bytes=2 * GIB, previous_size_bytes=GIB, largest_bytes=40 * GIB
    )
    printed = said("image create", *FLAGS, "--apt", "ffmpeg")
    assert "The image thesis is ready, 2 GB (before: 1 GB, limit: 40 GB)." in printed
    assert "~/ds01-images/thesis/Dockerfile" in printed
    text = dockerfile(home).read_text()
    recipe = Recipe("cpu", "ml", pip=("numpy>=1.26,<3",), apt=("ffmpeg",))
    assert kept(text).recipe == recipe
    sent = api.body("startBuild")
    assert (sent.name, sent.dockerfile, sent.files) == ("thesis", text, {})
    assert loaded(sent.recipe) == recipe


def test_answers_give_what_flags_give(api: FakeApi, home: Path, terminal: None) -> None:
    del terminal
    wizard = invoke(
        "image create", stdin="No Name!\nthesis\ncpu\ny\nn\ncv\nbad;name\npolars numpy<3\n\n"
    )
    assert wizard.exit_code == 0, wizard.output
    assert "cannot name an image" in wizard.output
    assert "is not a package that pip knows" in wizard.output
    text = dockerfile(home).read_text()
    flags = ("--framework", "cpu", "--no-data-science", "--use-case", "cv")
    assert (
        said("image create", "thesis", *flags, "--pip", "polars", "--pip", "numpy<3", "--dry-run")
        == text
    )
    assert api.operations().count("startBuild") == 1


def test_a_dry_run_prints_the_dockerfile_and_changes_nothing(api: FakeApi, home: Path) -> None:
    assert said("image create", *FLAGS, "--dry-run").startswith("# Image thesis: CPU only")
    assert told("image create", *FLAGS, "--dry-run")["name"] == "thesis"
    assert not any(home.iterdir())
    assert "startBuild" not in api.operations()


def test_without_a_terminal_the_flag_is_named(api: FakeApi) -> None:
    result = invoke("image create", "thesis")
    assert result.exit_code == 2
    assert "--framework" in result.output
    assert "startBuild" not in api.operations()


def test_guided_explains_each_choice(api: FakeApi, terminal: None) -> None:
    del api, terminal
    result = invoke("image create", "--guided", stdin="thesis\ncpu\n\n\n\n\n\n")
    assert result.exit_code == 0, result.output
    for words in ("An image has a name", "framework", "JupyterLab", "use case", "Dockerfile"):
        assert words in result.output


def test_json_is_for_programs(api: FakeApi, home: Path) -> None:
    del api
    found = told("image create", *FLAGS)
    assert found["build"]["state"] == "done"
    assert found["dockerfile"] == str(dockerfile(home))


def test_a_projects_dockerfile_and_requirements_are_in_the_project(
    api: FakeApi, home: Path
) -> None:
    project = home / "projects" / "Thesis"
    project.mkdir(parents=True)
    (project / "requirements.txt").write_text("pandas\n-r base.txt\n")
    (project / "base.txt").write_text("numpy\n")
    said("image create", "--project", "Thesis", "--framework", "cpu", "-r", "requirements.txt")
    sent = api.body("startBuild")
    assert sent.name == "thesis"
    assert sent.files == {"requirements.txt": "pandas\n-r base.txt\n", "base.txt": "numpy\n"}
    assert (project / "Dockerfile").read_text() == sent.dockerfile


def test_an_environment_of_condas_is_said_anew_beside_the_dockerfile(
    api: FakeApi, home: Path
) -> None:
    (home / "environment.yml").write_text("dependencies: [python=3.11, numpy=1.26]\n")
    result = invoke("image create", "x", "--framework", "cpu", "-r", "environment.yml")
    assert "python=3.11 is left out" in result.output
    files = api.body("startBuild").files
    assert "numpy==1.26.*" in files["requirements.from-environment.txt"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("Thesis!", "--framework", "cpu"), InvalidRequest, "cannot name an image"),
        (("x", "--framework", "mxnet"), NotFound, "no framework 'mxnet'"),
        (("x", "--framework", "cpu", "--use-case", "y"), NotFound, "Choose one of ml, cv"),
        (("x", "--framework", "cpu", "--pip", "a;b"), InvalidRequest, "not a package"),
        (("x", "--framework", "cpu", "--apt", "-y"), InvalidRequest, "not the name of an apt"),
        (("x", "--framework", "cpu", "-r", "none.txt"), NotFound, "no file none.txt"),
        (("--project", "none", "--framework", "cpu"), NotFound, "ds01 project init none"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_done(
    api: FakeApi, home: Path, arguments: tuple[str, ...], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        invoke("image create", *arguments)
    assert not any(home.iterdir())
    assert "startBuild" not in api.operations()


def test_a_dockerfile_that_was_changed_by_hand_is_not_written_over(
    api: FakeApi, home: Path
) -> None:
    said("image create", *FLAGS, "--no-build")
    changed = dockerfile(home).read_text() + "RUN true\n"
    dockerfile(home).write_text(changed)
    with pytest.raises(Conflict, match="changed by hand"):
        invoke("image create", *FLAGS)
    assert dockerfile(home).read_text() == changed
    said("image create", *FLAGS, "--overwrite")
    assert "RUN true" not in api.body("startBuild").dockerfile


def test_an_image_that_is_there_is_not_replaced_without_being_asked(api: FakeApi) -> None:
    there = {"reference": "ds01-alice/thesis:latest", "key": None, "title": "thesis:latest"}
    api.images.append(m.Image.model_validate({**there, "own": True, "present": True}))
    with pytest.raises(Conflict, match="ds01 image update thesis"):
        invoke("image create", *FLAGS)


def test_a_failing_package_is_named_with_its_line_and_the_fix(api: FakeApi, home: Path) -> None:
    said("image create", *FLAGS, "--pip", "nosuchthing", "--no-build")
    text = dockerfile(home).read_text()
    start = text.index("RUN", text.index("# Packages that you chose"))
    step = " ".join(text[start : text.index("\n#", start)].replace("\\\n", " ").split())
    api.build_log = (
        f"Step 1/1 : {step}\nERROR: Could not find a version that satisfies the requirement "
        "nosuchthing (from versions: none)\n"
    )
    api.build_end = build("thesis", state="failed", failure="returned a non-zero code: 1")
    with pytest.raises(BuildFailed) as failed:
        invoke("image create", *FLAGS, "--pip", "nosuchthing")
    line = next(n for n, each in enumerate(text.splitlines(), 1) if "'nosuchthing'" in each)
    assert f"Line {line} of ~/ds01-images/thesis/Dockerfile" in str(failed.value)
    assert "pip finds no package called nosuchthing" in str(failed.value)
    assert "PyPI" in failed.value.next_step
    assert dockerfile(home).exists()


@pytest.mark.parametrize("before", [False, True], ids=["a new one", "one that was there"])
def test_cancelling_leaves_nothing(api: FakeApi, home: Path, before: bool) -> None:
    if before:
        said("image create", "thesis", "--framework", "jax-cpu", "--no-build")
    text = dockerfile(home).read_text() if before else None

    def interrupted(_asked: Asked) -> m.Build:
        raise KeyboardInterrupt

    api.answers["followBuild"] = interrupted
    result = invoke("image create", *FLAGS)
    assert result.exit_code != 0
    assert "Cancelled: nothing was built." in result.output
    assert api.operations()[-1] == "cancelBuild"
    keys = {each.key for each in api.asked if each.operation == "startBuild"}
    assert len(keys) == 1
    assert (dockerfile(home).read_text() if dockerfile(home).exists() else None) == text
    assert before or not any((home / "ds01-images").iterdir())


def test_cancelling_leaves_a_project_as_it_was(api: FakeApi, home: Path) -> None:
    project = home / "projects" / "thesis"
    project.mkdir(parents=True)
    (project / "environment.yml").write_text("dependencies: [numpy]\n")

    def interrupted(_asked: Asked) -> m.Build:
        raise KeyboardInterrupt

    api.answers["followBuild"] = interrupted
    invoke("image create", "--project", "thesis", "--framework", "cpu", "-r", "environment.yml")
    assert "requirements.from-environment.txt" in api.body("startBuild").files
    assert [each.name for each in project.iterdir()] == ["environment.yml"]


def test_a_refusal_of_the_server_is_told(api: FakeApi) -> None:
    api.refuses["startBuild"] = QuotaExceeded(
        "Your storage is full.", "Make room.", limit="storage", used=1, asked=1, allowed=1
    )
    with pytest.raises(QuotaExceeded, match="storage is full"):
        invoke("image create", *FLAGS)


def test_steps_are_told_in_words(api: FakeApi, home: Path) -> None:
    said("image create", *FLAGS, "--no-build")
    lines = dockerfile(home).read_text().replace("\\\n", " ").splitlines()
    runs = [each for each in lines if each.startswith("RUN")]
    api.build_log = "".join(f"Step {n}/9 : {run}\n" for n, run in enumerate(runs, 1))
    result = invoke("image create", *FLAGS)
    assert "Data science" in result.output
    assert "Use case: Machine learning" in result.output
