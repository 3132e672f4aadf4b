"""One word for one thing, in everything that people read: the table is in CONTRIBUTING.md."""

import ast
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

import ds01_cli
from ds01_cli.commands import PROGRAM
from ds01_cli.frame.table import Command, Group
from ds01_cli.main import WITHOUT_FRAME, run
from ds01_spawner import handbook

INSTEAD = {
    r"cgroups?": "limits",
    r"cards?|graphics": "GPU, part of a GPU",
    r"profiles?": "size",
    r"MIG instances?|instances?": "part of a GPU",
    r"machines?|laptops?|hosts?|nodes?": "server, computer",
    r"servers|your server|a server|notebook server|hub's server|single-user": "JupyterLab",
    r"daemons?|backend|endpoints?": "platform",
    r"recipes?": "Dockerfile",
    r"spawn\w*|cull\w*|kill\w*": "start, stop",
    r"allocat\w*|grants?|granted": "gets",
    r"teardown|tear down|nuke": "retire",
    r"wizard": "questions",
}
"""What is not said to people, as a pattern, and what is said instead."""

MEANT_OTHERWISE = re.compile(r"SSH servers?|bare-metal grant")
TECHNICAL = re.compile(r"```.*?```|`[^`]*`|\]\([^)]*\)|https?://\S+|\{[^{}]*\}", re.DOTALL)
"""What is typed, and what programs read, has the names that it has."""

FOLDERS = ("container", "image", "project", "own", "frame")


def wrong(text: str) -> list[str]:
    prose = MEANT_OTHERWISE.sub("", TECHNICAL.sub("", text))
    return [
        f"{found[0]!r}: say {instead}"
        for pattern, instead in INSTEAD.items()
        for found in re.finditer(rf"(?<![\w./-])({pattern})(?![\w/-])", prose, re.IGNORECASE)
    ]


def commands(group: Group, path: str = "") -> Iterator[str]:
    for name, entry in group.entries.items():
        words = f"{path} {name}".strip()
        if isinstance(entry, Command):
            yield words
        else:
            yield from commands(entry, words)


def texts(module: Path) -> Iterator[str]:
    """Sentences of a module that somebody may read; what a shell reads has a `$`."""
    tree = ast.parse(module.read_text("utf-8"))
    unread = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        text = ""
        if isinstance(node, ast.JoinedStr):
            text = "{}".join(str(e.value) for e in node.values if isinstance(e, ast.Constant))
        elif isinstance(node, ast.Constant) and id(node) not in unread:
            text = str(node.value)
        if " " in text and "$" not in text:
            yield text


PAGES = [f"commands/{each}" for each in handbook.commands()] + [
    f"concepts/{each}" for each in handbook.concepts()
]
MODULES = [
    each.relative_to(Path(ds01_cli.__file__).parent)
    for folder in FOLDERS
    for each in sorted((Path(ds01_cli.__file__).parent / folder).glob("*.py"))
]


@pytest.mark.parametrize("page", PAGES)
def test_the_handbook_has_one_word_for_one_thing(page: str) -> None:
    text = (files(handbook) / f"{page}.md").read_text("utf-8")
    assert wrong(text) == []


@pytest.mark.parametrize("words", [each for each in commands(PROGRAM) if each not in WITHOUT_FRAME])
def test_help_has_one_word_for_one_thing(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words.split(), "--help"]) == 0
    assert wrong(capsys.readouterr().out) == []


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_what_commands_say_has_one_word_for_one_thing(module: Path) -> None:
    assert [
        wrong(each) for each in texts(Path(ds01_cli.__file__).parent / module) if wrong(each)
    ] == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Its cgroup is full.", 1),
        ("A whole card, or the `card` of `gpu=0`.", 1),
        ("Your servers are on this machine.", 2),
        ("The server has an SSH server: log in with your login name.", 0),
        ("```\nds01 login https://hub.example.org\n```", 0),
    ],
)
def test_what_is_not_said_is_found(text: str, count: int) -> None:
    assert len(wrong(text)) == count
