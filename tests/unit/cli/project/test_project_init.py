import json
import os
from pathlib import Path

import pytest

from ds01_cli.project import init
from ds01_spawner.domain.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unavailable
from ds01_spawner.home import project_files
from ds01_spawner.recipes.dockerfile_reading import kept
from ds01_spawner.recipes.project import read_settings
from ds01_spawner.recipes.recipe import Recipe
from fakes.api_app import FakeApi
from fakes.program import invoke, said, told


def files(folder: Path) -> set[str]:
    found = (each for each in folder.rglob("*") if each.is_file() and ".git" not in each.parts)
    return {str(each.relative_to(folder)) for each in found}


@pytest.mark.usefixtures("api")
def test_flags_make_a_project(home: Path) -> None:
    printed = said("project init", "leaves", "--type", "cv", "--framework", "jax", "--gpu", "20gb")
    folder = home / "projects" / "leaves"
    assert "~/projects/leaves" in printed
    assert "ds01 project launch leaves --open" in printed
    assert (folder / "data" / "raw").is_dir()
    assert (folder / ".git").is_dir()
    recipe = kept((folder / "Dockerfile").read_text()).recipe
    assert recipe == Recipe("jax", "cv", requirements=("requirements.txt",))
    project = read_settings((folder / "pyproject.toml").read_text(), "x")
    assert (project.name, project.kind, project.gpu) == ("leaves", "cv", "20gb")
    assert folder.stat().st_mode & 0o777 == 0o755
    assert [each.name for each in folder.parent.iterdir()] == ["leaves"]


@pytest.mark.usefixtures("api", "terminal")
def test_answers_give_what_flags_give(home: Path) -> None:
    done = invoke("project init", stdin="Bad Name\nleaves\ncv\njax\n")
    assert done.exit_code == 0, done.output
    assert "cannot name a project" in done.output
    said("project init", "other", "--type", "cv", "--framework", "jax")
    one, two = home / "projects" / "leaves", home / "projects" / "other"
    assert files(one) == files(two)
    for path in files(one):
        assert (one / path).read_text().replace("leaves", "other") == (two / path).read_text() or (
            path == "Dockerfile"  # its digest differs with its name
        )


@pytest.mark.usefixtures("api", "terminal")
def test_quick_asks_nothing(home: Path) -> None:
    assert invoke("project init", "leaves", "--quick", stdin="").exit_code == 0
    project = read_settings((home / "projects/leaves/pyproject.toml").read_text(), "x")
    assert project.kind == "custom"


@pytest.mark.usefixtures("api")
def test_without_a_gpu_none_is_asked_for(home: Path) -> None:
    said("project init", "tables", "--framework", "cpu")
    assert 'gpu = "none"' in (home / "projects/tables/pyproject.toml").read_text()


@pytest.mark.usefixtures("api")
def test_no_git_and_a_dev_container(home: Path) -> None:
    said("project init", "leaves", "--no-git", "--devcontainer")
    folder = home / "projects" / "leaves"
    assert not (folder / ".git").exists()
    assert json.loads((folder / ".devcontainer/devcontainer.json").read_text())["name"] == "leaves"


@pytest.mark.usefixtures("api")
def test_without_git_it_is_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    done = invoke("project init", "leaves")
    assert done.exit_code == 0
    assert "git is not installed here" in done.stderr
    assert (home / "projects/leaves/README.md").is_file()


@pytest.mark.usefixtures("api")
def test_a_dry_run_and_json(home: Path) -> None:
    assert "requirements.txt" in said("project init", "leaves", "--dry-run")
    assert not (home / "projects").exists()
    assert told("project init", "leaves", "--type", "nlp")["type"] == "nlp"


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("kind", ["file", "full", "link"])
def test_what_is_there_is_left_alone(home: Path, kind: str) -> None:
    folder = home / "projects" / "leaves"
    folder.parent.mkdir()
    if kind == "file":
        folder.write_text("mine")
    elif kind == "link":
        folder.symlink_to(home)
    else:
        folder.mkdir()
        (folder / "mine").write_text("mine")
    with pytest.raises(Conflict, match="is there already"):
        invoke("project init", "leaves")


@pytest.mark.usefixtures("api")
def test_an_empty_folder_is_filled(home: Path) -> None:
    (home / "projects" / "leaves").mkdir(parents=True)
    said("project init", "leaves")
    assert (home / "projects/leaves/README.md").is_file()


@pytest.mark.usefixtures("api")
@pytest.mark.parametrize("name", ["Leaves", "a/b", "../x", "ä", "x" * 31])
def test_names_that_cannot_be(name: str, home: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot name a project"):
        invoke("project init", name)
    assert not any(home.iterdir())


@pytest.mark.usefixtures("api")
def test_a_type_that_is_not_offered(home: Path) -> None:
    with pytest.raises(NotFound, match="Choose one of"):
        invoke("project init", "leaves", "--type", "cooking")
    assert not any(home.iterdir())


def test_without_a_server_nothing_is_made(api: FakeApi, home: Path) -> None:
    api.refuses["getImageOptions"] = Unavailable("The gateway does not answer.")
    with pytest.raises(Unavailable):
        invoke("project init", "leaves")
    assert not any(home.iterdir())


@pytest.mark.usefixtures("api")
def test_a_full_disk_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 0

    def full(_: int) -> None:
        nonlocal count
        count += 1
        if count > 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Unavailable, match="No space left on device"):
        invoke("project init", "leaves")
    assert not any((home / "projects").iterdir())


def test_an_interrupt_leaves_nothing(
    api: FakeApi, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del api

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        project_files.make(home / "projects" / "leaves", {"README.md": "x"})
    assert not any((home / "projects").iterdir())


@pytest.mark.usefixtures("api", "terminal")
def test_guided_explains_each_step() -> None:
    done = invoke("project init", "--guided", stdin="leaves\ncv\njax\n")
    assert done.exit_code == 0, done.output
    for words in ("A project has a name", "framework", "folders"):
        assert words in done.output


@pytest.mark.usefixtures("api")
def test_root_makes_nothing_in_somebodys_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    if os.geteuid() == 0:
        os.chown(theirs, 1000, 1000)
    monkeypatch.setattr(init, "is_root", lambda: True)
    with pytest.raises(Forbidden, match="belongs to the user"):
        told("project init", "leaves", "--in", str(theirs / "deep"))
    assert list(theirs.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a folder that is root's")
@pytest.mark.parametrize(("mode", "group"), [(0o777, 0), (0o775, 100)], ids=["everybody", "group"])
def test_root_makes_nothing_where_others_may_write(tmp_path: Path, mode: int, group: int) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chown(shared, 0, group)
    shared.chmod(mode)
    with pytest.raises(Forbidden, match="others may write"):
        project_files.check_roots(shared)
    shared.chmod(mode | 0o1000)
    project_files.check_roots(shared)
