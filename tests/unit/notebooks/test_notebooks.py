"""The notebooks for beginners: clean files, in words that beginners know, about what there is."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

import ds01_widgets
from ds01_spawner import handbook
from ds01_widgets.handing_out import FIRST

FOLDER = Path(__file__).parents[3] / "widgets" / "notebooks"
NAMES = (
    "00-welcome",
    "01-your-first-gpu",
    "02-your-own-image",
    "03-projects-and-data",
    "04-ssh-and-vscode",
    "05-containers-explained",
)
BOOKS = [FOLDER / f"{name}.ipynb" for name in NAMES]
FORBIDDEN = {
    *("docker", "daemon", "socket", "cgroup", "namespace", "hypervisor", "kubernetes", "mount"),
    *("simply", "just", "obviously", "easy", "easily", "trivial"),
}
"""What beginners do not know, or need not be told."""

MOST_WORDS_OF_A_TEXT = 90
LESSON_MINUTES = 40
LONGEST_LINE = 130
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
_LINK = re.compile(r"\]\(([^)]+)\)")
_TYPED = re.compile(r"^\s*!ds01 ((?:[a-z-]+ ?)+)", re.MULTILINE)

books = pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[str]:
    return [
        "".join(cell["source"])
        for cell in json.loads(path.read_text("utf-8"))["cells"]
        if cell["cell_type"] == kind
    ]


def python_of(path: Path) -> ast.Module:
    """The code of a notebook, without the lines that are typed into a terminal."""
    lines = [line for cell in cells(path, "code") for line in cell.splitlines()]
    return ast.parse("\n".join(line for line in lines if not line.startswith("!")))


def test_there_is_one_for_each_part_of_the_lesson() -> None:
    assert sorted(FOLDER.iterdir()) == BOOKS
    assert BOOKS[0].name == FIRST


@books
def test_a_notebook_is_valid_and_has_not_been_run(path: Path) -> None:
    raw: dict[str, Any] = json.loads(path.read_text("utf-8"))
    nbformat.validate(raw)
    assert (raw["nbformat"], raw["nbformat_minor"]) == (4, 5)
    assert raw["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in raw["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in raw["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
    assert path.read_text("utf-8") == json.dumps(raw, indent=1, ensure_ascii=False) + "\n"


@books
def test_it_begins_with_its_title_and_leads_to_the_next(path: Path) -> None:
    texts = cells(path, "markdown")
    assert texts[0].startswith("# ")
    following = BOOKS[BOOKS.index(path) + 1 :]
    if following:
        assert f"({following[0].name})" in texts[-1]
    else:
        assert "Stop My Server" in texts[-1]


@books
def test_every_idea_that_is_shown_is_explained(path: Path) -> None:
    shown = {
        call.args[0].value
        for call in ast.walk(python_of(path))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id == "concept"
        and isinstance(call.args[0], ast.Constant)
    }
    assert shown
    assert shown <= set(handbook.concepts())


@books
def test_everything_that_is_imported_is_there_and_used(path: Path) -> None:
    tree = python_of(path)
    imported = {
        name.name
        for each in ast.walk(tree)
        if isinstance(each, ast.ImportFrom) and each.module == "ds01_widgets"
        for name in each.names
    }
    used = {each.id for each in ast.walk(tree) if isinstance(each, ast.Name)}
    assert imported
    assert imported <= set(ds01_widgets.__all__)
    assert imported <= used


def test_every_wizard_is_met_in_the_lesson() -> None:
    used = {
        each.id
        for path in BOOKS
        for each in ast.walk(python_of(path))
        if isinstance(each, ast.Name)
    }
    assert set(ds01_widgets.__all__) <= used


@books
def test_every_command_that_is_typed_exists(path: Path) -> None:
    known = set(handbook.commands())
    for words in _TYPED.findall("\n".join(cells(path, "code"))):
        parts = words.split()
        assert parts[0] in known or "-".join(parts[:2]) in known, words


@books
def test_links_lead_somewhere(path: Path) -> None:
    for target in _LINK.findall("\n".join(cells(path, "markdown"))):
        assert (path.parent / target).exists(), target


@books
def test_texts_are_short_and_in_words_that_beginners_know(path: Path) -> None:
    for text in cells(path, "markdown"):
        assert max(map(len, text.splitlines())) <= LONGEST_LINE
        plain = _CODE.sub("", _LINK.sub("", text))
        words = re.findall(r"[A-Za-z]+", plain)
        assert len(words) <= MOST_WORDS_OF_A_TEXT, text
        assert {word.lower() for word in words} & FORBIDDEN == set()


def test_the_lesson_fits() -> None:
    minutes = re.findall(r"\| (\d+) \|$", "\n".join(cells(BOOKS[0], "markdown")), re.MULTILINE)
    assert len(minutes) == len(BOOKS)
    assert sum(map(int, minutes)) <= LESSON_MINUTES
