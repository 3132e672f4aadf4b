"""A project: a folder with a tree that everybody in a lab finds their way in.

What is worth keeping is kept by git: programs, notebooks, settings, the Dockerfile. What is large,
or can be made again, is not: data, checkpoints, results.
"""

import json
import re
import tomllib
from dataclasses import dataclass
from typing import TypeVar

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown
from ds01_spawner.recipes import dockerfile
from ds01_spawner.recipes.catalogue import Catalogue
from ds01_spawner.recipes.recipe import Recipe

REQUIREMENTS = "requirements.txt"
SETTINGS = "pyproject.toml"
FOLDERS = (
    "configs",
    "data/external",
    "data/processed",
    "data/raw",
    "models/checkpoints",
    "notebooks",
    "outputs/figures",
    "outputs/logs",
    "scripts",
    "tests",
)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,28}[a-z0-9])?")
_GPU = re.compile(r"[a-z0-9.]{1,32}")
_LONGEST_TEXT = 300
_CELL_ID = 8
_T = TypeVar("_T", str, int)


@dataclass(frozen=True, slots=True)
class Project:
    """What `pyproject.toml` says of a project, below `[tool.ds01]`.

    Attributes:
        name: Of its folder, its image and its container.
        kind: Use case of the catalogue.
        gpu: Size of the GPU slots that it is launched with: `mig`, `full`, `20gb`; `none` is none.
        gpus: How many of them.
        image: What its image is called; empty: as the project.
        description: One line.
    """

    name: str
    kind: str = "custom"
    gpu: str = ""
    gpus: int = 1
    image: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        project_name(self.name)
        if self.gpu and not _GPU.fullmatch(self.gpu):
            raise InvalidRequest(
                f"{shown(self.gpu)} is no size of a GPU.", "Say mig, full, 20gb or none."
            )
        if len(self.description) > _LONGEST_TEXT or not self.description.isprintable():
            raise InvalidRequest("The description has to be one line.", "Shorten it.")

    @property
    def image_name(self) -> str:
        """What its image is called."""
        return self.image or self.name


def project_name(text: str) -> str:
    """`text`, unchanged, when a folder, an image and a container can be called so.

    Raises:
        InvalidRequest: It cannot.
    """
    if not _NAME.fullmatch(text):
        raise InvalidRequest(
            f"{shown(text)} cannot name a project.",
            "Use 1 to 30 lower-case letters, digits and hyphens, such as leaf-segmentation.",
        )
    return text


def files_of(project: Project, recipe: Recipe, catalogue: Catalogue) -> dict[str, str]:
    """Every file of a new project, by its path; folders that begin empty have a `.gitkeep`.

    Args:
        project: What it is.
        recipe: What its image is made of; it reads the project's `requirements.txt`.
        catalogue: What there is to choose from.

    Raises:
        NotFound: The catalogue has not what was chosen.
        InvalidRequest: The image cannot be called so.
    """
    title = catalogue.use_case(project.kind).title
    found = {
        ".dockerignore": _DOCKERIGNORE,
        ".gitignore": _GITIGNORE,
        "Dockerfile": dockerfile.written(recipe, catalogue, project.image_name),
        "README.md": _readme(project, title, recipe.sentence(catalogue)),
        REQUIREMENTS: _REQUIREMENTS,
        SETTINGS: settings(project),
        "configs/default.yaml": _CONFIG,
        "notebooks/01-first-look.ipynb": _notebook(project),
        "scripts/train.py": _TRAIN.format(name=project.name),
        "tests/test_configuration.py": _TEST,
    }
    filled = {path.rpartition("/")[0] for path in found}
    return found | {f"{folder}/.gitkeep": "" for folder in FOLDERS if folder not in filled}


def settings(project: Project) -> str:
    """`pyproject.toml` of a new project."""
    lines = [
        "[project]",
        f"name = {_toml(project.name)}",
        'version = "0.1.0"',
        f"description = {_toml(project.description)}",
        'requires-python = ">=3.11"',
        "",
        "# What ds01 project launch goes by.",
        "[tool.ds01]",
        f"type = {_toml(project.kind)}",
        f"image = {_toml(project.image_name)}",
        "# GPU slots: mig, full, a profile such as 2g.10gb, or at least so much memory: 20gb.",
        f"gpu = {_toml(project.gpu)}",
        f"gpus = {project.gpus}",
        "",
    ]
    return "\n".join(lines)


def read_settings(text: str, folder: str) -> Project:
    """The project that a `pyproject.toml` describes.

    Args:
        text: What is in it.
        folder: Name of its folder, for a file that says no name.

    Raises:
        InvalidRequest: It cannot be read, or says something that cannot be.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise InvalidRequest(f"{SETTINGS} cannot be read: {exc}.", "Correct it.") from exc
    tools = document.get("tool")
    table = tools.get("ds01") if isinstance(tools, dict) else None
    if not isinstance(table, dict):
        raise InvalidRequest(
            f"{SETTINGS} has no table [tool.ds01]: this is no project of ds01.",
            "Make one: ds01 project init NAME, or add the table.",
        )
    about = document.get("project", {})
    return Project(
        name=_said(about, "name", folder),
        kind=_said(table, "type", "custom"),
        gpu=_said(table, "gpu", ""),
        gpus=_said(table, "gpus", 1),
        image=_said(table, "image", ""),
        description=_said(about, "description", ""),
    )


def _said(table: object, key: str, usual: _T) -> _T:
    value = table.get(key, usual) if isinstance(table, dict) else usual
    if type(value) is not type(usual):
        wanted = "a whole number" if isinstance(usual, int) else "a text in quotes"
        raise InvalidRequest(
            f"{SETTINGS}: {key} is {shown(str(value))}; expected {wanted}.", "Correct it."
        )
    return value


def _toml(text: str) -> str:
    """A basic string of TOML, which JSON's strings are but for U+007F."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _readme(project: Project, kind: str, content: str) -> str:
    about = project.description or f"{kind}."
    return f"""# {project.name}

{about}

## Work on it

    ds01 project launch {project.name} --open

builds the image if something in it has changed, starts a container with this folder as
`/workspace`, and opens a shell. `ds01 vscode {project.name}` opens it in VS Code, and
`ds01 container retire {project.name}` gives the GPU back when you are done.

Containers are thrown away; this folder and the image stay. What you install with
`pip install` in a container goes to your home (`~/.local`), which all your containers share, and is
not in the image: write it into `requirements.txt` and launch with `--rebuild`.

## What is where

| folder | what | in git |
|---|---|---|
| `data/raw` | as it came; never changed | no |
| `data/processed`, `data/external` | made from it; from elsewhere | no |
| `notebooks` | to look and to try | yes |
| `scripts` | what is run again | yes |
| `configs` | settings of runs | yes |
| `models/checkpoints` | trained weights | no |
| `outputs/logs`, `outputs/figures` | results of runs | no |
| `tests` | what must hold | yes |

The image has {content}. It is made from `Dockerfile`, which you may change by hand.
"""


def _notebook(project: Project) -> str:
    def cell(number: int, kind: str, *lines: str) -> dict[str, object]:
        source = [f"{line}\n" for line in lines[:-1]] + [lines[-1]]
        found: dict[str, object] = {
            "cell_type": kind,
            "id": f"{number:0{_CELL_ID}x}",
            "metadata": {},
            "source": source,
        }
        return found | ({"execution_count": None, "outputs": []} if kind == "code" else {})

    cells = [
        cell(
            1, "markdown", f"# {project.name}", "", "A first look: is the GPU there, is the data?"
        ),
        cell(2, "code", "import os", "", 'os.environ.get("NVIDIA_VISIBLE_DEVICES", "none")'),
        cell(
            3,
            "code",
            "from pathlib import Path",
            "",
            'root = Path("/workspace") if Path("/workspace/data").is_dir() else Path.cwd().parent',
            'sorted(path.name for path in (root / "data" / "raw").iterdir())',
        ),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return f"{json.dumps(notebook, indent=1, ensure_ascii=False)}\n"


_REQUIREMENTS = """\
# Packages of this project, one on a line: numpy>=1.26,<3
# The image is built with them: ds01 project launch --rebuild
"""

_CONFIG = """\
# Settings of a run; scripts/train.py reads them.
seed: 0
epochs: 10
batch_size: 32
learning_rate: 0.001
"""

_TRAIN = '''\
"""Train, with the settings of configs/: python scripts/train.py configs/default.yaml"""

import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def settings(path: Path) -> dict[str, float]:
    """What a file of `name: number` lines says."""
    found = {{}}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, colon, value = line.partition("#")[0].partition(":")
        if colon:
            found[name.strip()] = float(value)
    return found


def main() -> None:
    """Read the settings; the training is yours to write."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "configs" / "default.yaml"
    run = settings(path)
    random.seed(int(run["seed"]))
    print(f"{name}: {{int(run['epochs'])}} epochs, checkpoints in {{ROOT / 'models/checkpoints'}}")


if __name__ == "__main__":
    main()
'''

_TEST = '''\
"""python -m unittest discover tests"""

import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from train import settings  # noqa: E402


class Configuration(unittest.TestCase):
    def test_what_a_run_needs_is_said(self) -> None:
        run = settings(ROOT / "configs" / "default.yaml")
        self.assertLessEqual({"seed", "epochs"}, run.keys())


if __name__ == "__main__":
    unittest.main()
'''

_GITIGNORE = """\
# Large, or made again from what is here. Notebooks are kept.
/data/**
!/data/**/
/models/**
!/models/**/
/outputs/**
!/outputs/**/
!.gitkeep

__pycache__/
*.py[cod]
.ipynb_checkpoints/
.venv/
.cache/
.pytest_cache/

# Secrets
.env
*.pem
*.key
"""

_DOCKERIGNORE = """\
# A build reads the Dockerfile and the requirements, and nothing else of this folder.
*
!Dockerfile
!requirements*.txt
!**/requirements*.txt
!environment.yml
!pyproject.toml
"""
