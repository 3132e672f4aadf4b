"""Puts the notebooks for beginners into a home; nothing that somebody changed is ever written over.

It runs at each start of a server, so it loads nothing but the standard library.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

FOLDER = "ds01-notebooks"
FIRST = "00-welcome.ipynb"
FIRST_GPU = "01-your-first-gpu.ipynb"
SOURCE = Path(__file__).with_name("notebooks")
_GIVEN = ".given.json"


def hand_out(home: Path, source: Path = SOURCE) -> Path | None:
    """The notebook to begin with, where somebody gets the notebooks for the first time.

    One that is missing is copied. One of a newer release takes the place of what was not changed,
    and is put beside what was.

    Args:
        home: Whose notebooks, in `ds01-notebooks`.
        source: Where the notebooks of this release are.

    Raises:
        OSError: There is no room, or the folder is not one's own.
    """
    every = sorted(source.glob("*.ipynb"))
    folder = home / FOLDER
    is_first = bool(every) and not folder.exists()
    if every:
        folder.mkdir(exist_ok=True)
    given = _given(folder)
    now = {each.name: _copied(each, folder, given.get(each.name)) for each in every}
    if now != given:
        _write(folder / _GIVEN, json.dumps(now, indent=1).encode())
    return folder / FIRST if is_first else None


def _copied(notebook: Path, folder: Path, before: str | None) -> str:
    """Digest of a notebook that was copied where that is due."""
    content = notebook.read_bytes()
    digest = _digest(content)
    target = folder / notebook.name
    if not target.exists():
        _write(target, content)
    elif before not in {None, digest}:
        unchanged = _digest(target.read_bytes()) == before
        _write(target if unchanged else folder / f"{notebook.stem}.new.ipynb", content)
    return digest


def _given(folder: Path) -> Mapping[str, str]:
    """Digests of what was given before, by name."""
    try:
        said = json.loads((folder / _GIVEN).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_bytes(content)
    fresh.replace(path)
