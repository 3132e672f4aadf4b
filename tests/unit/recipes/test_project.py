import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ds01_spawner.domain.errors import InvalidRequest, NotFound
from ds01_spawner.recipes.devcontainer import devcontainer
from ds01_spawner.recipes.dockerfile_reading import kept
from ds01_spawner.recipes.project import (
    FOLDERS,
    Project,
    files_of,
    project_name,
    read_settings,
    settings,
)
from ds01_spawner.recipes.recipe import Recipe
from ds01_spawner.recipes.starter import STARTER

LEAVES = Project("leaves", kind="cv", gpu="20gb", description='Who eats "my" plants? Größe')
RECIPE = Recipe("pytorch", "cv", requirements=("requirements.txt",))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path, text in files_of(LEAVES, RECIPE, STARTER).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


def git(tree: Path, *arguments: str) -> str:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    done = subprocess.run(
        ["git", *arguments], cwd=tree, check=True, capture_output=True, text=True, env=environment
    )
    return done.stdout


def test_it_has_every_folder(tree: Path) -> None:
    assert all((tree / folder).is_dir() for folder in FOLDERS)
    for name in ("README.md", "requirements.txt", "Dockerfile", "pyproject.toml", ".gitignore"):
        assert (tree / name).is_file()


def test_git_keeps_what_people_write_and_not_what_is_large(tree: Path) -> None:
    for path in ("data/raw/a.csv", "data/raw/deep/b.csv", "models/checkpoints/x.pt", ".env"):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text("x")
    (tree / "notebooks" / "mine.ipynb").write_text("{}")
    git(tree, "init", "--quiet")
    git(tree, "add", ".")
    kept = set(git(tree, "ls-files").splitlines())
    assert {"notebooks/mine.ipynb", "data/raw/.gitkeep", "models/checkpoints/.gitkeep"} <= kept
    assert not {path for path in kept if path.endswith((".csv", ".pt", ".env"))}


@pytest.mark.parametrize("kind", [each.key for each in STARTER.use_cases])
def test_each_kind_has_its_image(kind: str) -> None:
    files = files_of(Project("p", kind=kind), Recipe("cpu", kind), STARTER)
    found = kept(files["Dockerfile"])
    assert found.recipe is not None
    assert found.recipe.use_case == kind


def test_the_image_reads_the_requirements_when_it_is_built(tree: Path) -> None:
    text = (tree / "Dockerfile").read_text()
    assert 'COPY ["requirements.txt", "/tmp/requirements/requirements.txt"]' in text
    ignored = (tree / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert "!requirements*.txt" in ignored


def test_a_kind_that_is_not_offered() -> None:
    with pytest.raises(NotFound, match="Choose one of"):
        files_of(Project("p", kind="cooking"), RECIPE, STARTER)


def test_settings_are_read_back() -> None:
    text = settings(LEAVES)
    assert read_settings(text, "elsewhere") == replace(LEAVES, image=LEAVES.name)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.ds01", "cannot be read"),
        ("[project]\nname = 'x'", "no table"),
        ("tool = 3", "no table"),
        ("[tool]\nds01 = 3", "no table"),
        ("[tool.ds01]\ngpus = 'two'", "expected a whole number"),
        ("[tool.ds01]\ngpus = true", "expected a whole number"),
        ("[tool.ds01]\ngpu = 1", "expected a text in quotes"),
        ("[tool.ds01]\ngpu = 'a b'", "no size"),
        ("[project]\nname = 'A b'\n[tool.ds01]", "cannot name a project"),
    ],
)
def test_settings_that_cannot_be(text: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        read_settings(text, "folder")


@pytest.mark.parametrize("text", ["", "A", "a_b", "-a", "a-", "a" * 31, "a/b", "ä", "a b"])
def test_names_that_cannot_be(text: str) -> None:
    with pytest.raises(InvalidRequest):
        project_name(text)


def test_what_it_comes_with_runs(tree: Path) -> None:
    run = [sys.executable, "-B"]
    done = subprocess.run(
        [*run, "scripts/train.py"], cwd=tree, check=True, capture_output=True, text=True
    )
    assert done.stdout.startswith("leaves: 10 epochs")
    subprocess.run(
        [*run, "-m", "unittest", "discover", "tests"], cwd=tree, check=True, capture_output=True
    )
    notebook = json.loads((tree / "notebooks/01-first-look.ipynb").read_text())
    assert notebook["nbformat"] == 4
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            compile("".join(cell["source"]), "cell", "exec")


@pytest.mark.parametrize(
    ("project", "arguments"),
    [
        (LEAVES, ["--label", "ds01.project=leaves", "--gpus", "1", "--label", "ds01.gpu=20gb"]),
        (Project("p"), ["--label", "ds01.project=p", "--gpus", "1"]),
        (Project("p", gpu="none"), ["--label", "ds01.project=p"]),
        (Project("p", gpus=0), ["--label", "ds01.project=p"]),
    ],
)
def test_a_dev_container_asks_for_the_same(project: Project, arguments: list[str]) -> None:
    described = json.loads(devcontainer(project))
    assert described["runArgs"] == arguments
    assert described["updateRemoteUserUID"] is False
    assert described["workspaceFolder"] == "/workspace"
