import os
import stat
import subprocess
from pathlib import Path

import pytest

from ds01_cli.admin import aliases
from ds01_cli.commands import PROGRAM
from ds01_cli.frame.table import Command, Group
from ds01_spawner.domain.errors import Conflict, NotFound, Unavailable
from fakes.program import invoke, said

ENTRY = Command("module", "function", "Does it.")
TABLE = Group(
    "All.",
    {
        "container": Group("Them.", {"deploy": ENTRY, "list": ENTRY}),
        "image": Group("None yet.", {}),
        "gpu": Group("Them.", {"status": ENTRY}),
        "check-limits": ENTRY,
        "why": ENTRY,
        "admin": Group("It.", {"user": Group("They.", {"add": ENTRY})}),
    },
)


def test_the_names_that_people_know_call_what_there_is() -> None:
    assert aliases.aliases(TABLE) == {
        "container": "container",
        "container-deploy": "container deploy",
        "container-list": "container list",
        "gpu-status": "gpu status",
        "check-limits": "check-limits",
        "add-user": "admin user add",
    }


def test_a_script_hands_everything_on(tmp_path: Path) -> None:
    path = tmp_path / "container-deploy"
    path.write_text(aliases.script("container deploy", "echo"))
    ran = subprocess.run(
        ["sh", str(path), "my thesis", "*", "--json"], capture_output=True, text=True, check=True
    )
    assert ran.stdout == "container deploy my thesis * --json\n"


def test_a_program_in_a_folder_with_a_space_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my tools"
    folder.mkdir()
    (folder / "ds01").write_text("#!/bin/sh\necho called\n")
    (folder / "ds01").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    path = tmp_path / "x"
    path.write_text(aliases.script("x", aliases.program()))
    assert subprocess.run(["sh", str(path)], capture_output=True, check=True).stdout == b"called\n"


def test_they_are_written_said_and_removed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    text = said("admin aliases install", str(tmp_path))
    assert "container-list" in text
    wanted = set(aliases.aliases(PROGRAM))
    assert {each.name for each in tmp_path.iterdir()} == wanted | {"mine"}
    assert stat.S_IMODE((tmp_path / "gpu-status").stat().st_mode) == 0o755
    assert said("admin aliases install", str(tmp_path)) == text
    said("admin aliases remove", str(tmp_path))
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_a_dry_run_changes_nothing(tmp_path: Path) -> None:
    assert "would be written" in said("admin aliases install", str(tmp_path), "--dry-run")
    assert list(tmp_path.iterdir()) == []
    said("admin aliases install", str(tmp_path))
    before = sorted(tmp_path.iterdir())
    assert "would be removed" in said("admin aliases remove", str(tmp_path), "--dry-run")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_what_belongs_to_others_is_left_alone(tmp_path: Path, kind: str) -> None:
    there = tmp_path / "container-list"
    if kind == "file":
        there.write_text("#!/bin/sh\n")
    elif kind == "link":
        there.symlink_to("/nonexistent")
    else:
        there.mkdir()
    with pytest.raises(Conflict, match="container-list"):
        invoke("admin aliases install", str(tmp_path))
    assert list(tmp_path.iterdir()) == [there]
    said("admin aliases remove", str(tmp_path))
    assert list(tmp_path.iterdir()) == [there]


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    for command in ("install", "remove"):
        with pytest.raises(NotFound, match="There is no folder"):
            invoke(f"admin aliases {command}", str(tmp_path / "none"))


def test_a_folder_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(Unavailable, match="No space left"):
        invoke("admin aliases install", str(tmp_path))
    assert list(tmp_path.iterdir()) == []
