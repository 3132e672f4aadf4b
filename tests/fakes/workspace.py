"""A folder of the home that a container has as its workspace, without a container."""

import shutil
from pathlib import Path

import pytest

from ds01_spawner.home import mounts


def in_workspace(monkeypatch: pytest.MonkeyPatch, home: Path, folder: Path) -> Path:
    """Be in a container whose workspace is a folder of the home; where that stands."""
    workspace = home.with_name(f"{home.name}-workspace")
    shutil.copytree(folder, workspace)
    relative = folder.relative_to(home)
    found = (
        mounts.Mount("8:2", Path("/alice"), home),
        mounts.Mount("8:2", Path("/alice") / relative, workspace),
    )
    monkeypatch.setattr(mounts, "read", lambda: found)
    monkeypatch.setattr(mounts, "_same", lambda *_: True)
    monkeypatch.setenv("DS01_CONTAINER", "jupyter")
    monkeypatch.chdir(workspace)
    return workspace
