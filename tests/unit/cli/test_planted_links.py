"""What somebody else put into a folder beforehand is never written through."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ds01_cli.admin import aliases, report
from ds01_cli.ssh import proxy, setup
from ds01_spawner.client import logins
from ds01_spawner.home.image_places import Place

WRITERS: dict[str, Callable[[Path], object]] = {
    "a Dockerfile": lambda path: Place(path.parent, "leaves").write("mine", path.name),
    "an alias": lambda path: aliases._write(path, "mine"),
    "a report": lambda path: report._write(path, "mine"),
    "settings of ssh": lambda path: setup.write(path, "mine"),
    "a container's key": lambda path: proxy._keep(str(path), "mine"),
    "a login": lambda _: logins.keep_login(logins.Login("https://hub.example", "x", "alice")),
}


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_draft_is_never_a_link_that_waits_for_it(
    write: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, victim = tmp_path / "shared", tmp_path / "victim"
    folder.mkdir()
    victim.write_text("precious")
    path = folder / "login.json"
    for name in (f"{path.name}.", f".{path.name}.", "login."):
        (folder / f"{name}{os.getpid()}").symlink_to(victim)
    monkeypatch.setenv(logins.CONFIG_VARIABLE, str(folder))
    before = set(folder.iterdir())

    write(path)

    assert victim.read_text() == "precious"
    assert path.is_file()
    assert set(folder.iterdir()) == before | {path}
