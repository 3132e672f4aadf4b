"""What holds for every command: four tiers of help, one sentence, a page in the handbook."""

import importlib
import inspect
from collections.abc import Iterator

import pytest

from ds01_cli.commands import PROGRAM
from ds01_cli.frame.table import Command, Group
from ds01_cli.main import WITHOUT_FRAME, run
from ds01_spawner import handbook
from fakes.told_steps import steps_of

ABOUT_TWENTY_LINES = 24
"""A command with many options needs a line or two for each."""

OUTSIDE_OPTIONS = 14


def every(group: Group, path: str = "") -> Iterator[tuple[str, Command]]:
    for name, entry in group.entries.items():
        words = f"{path} {name}".strip()
        if isinstance(entry, Group):
            yield from every(entry, words)
        else:
            yield words, entry


COMMANDS = dict(every(PROGRAM))
PAGES = {words: entry.page or words for words, entry in COMMANDS.items()}
"""Commands that stand under several words have one page."""

FRAMED = [words for words in COMMANDS if words not in WITHOUT_FRAME]
all_commands = pytest.mark.parametrize("words", COMMANDS)
framed_commands = pytest.mark.parametrize("words", FRAMED)


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a command did would fail."""
    monkeypatch.setenv("DS01_GATEWAY_SOCKET", "/nonexistent/socket")
    monkeypatch.setenv("DS01_STATE_DIR", "/nonexistent/state")
    monkeypatch.setenv("DS01_CONFIG_DIR", "/nonexistent/config")
    monkeypatch.setenv("COLUMNS", "80")


@all_commands
def test_its_page_says_everything(words: str) -> None:
    page = handbook.page(PAGES[words])
    assert page.summary == COMMANDS[words].help
    assert f"ds01 {PAGES[words]}" in page.info
    assert page.ideas
    assert [handbook.concept(idea).text for idea in page.ideas]
    assert words in WITHOUT_FRAME or page.steps


@all_commands
def test_its_first_line_is_what_the_table_says(words: str) -> None:
    entry = COMMANDS[words]
    found = getattr(importlib.import_module(entry.module), entry.function)
    assert (inspect.getdoc(found) or "").splitlines()[0] == entry.help
    assert entry.help.endswith(".")
    assert len(entry.help) <= 75


@framed_commands
def test_its_help_is_about_twenty_lines(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words.split(), "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    options = lines[lines.index("Options:") :]
    assert COMMANDS[words].help in " ".join(" ".join(lines).split())
    assert len(lines) <= ABOUT_TWENTY_LINES or len(lines) - len(options) <= OUTSIDE_OPTIONS
    assert max(map(len, lines)) <= 80
    for tier in ("--info", "--concepts", "--guided", "-h, --help"):
        assert any(line.strip().startswith(tier) for line in options), tier


@framed_commands
@pytest.mark.parametrize("tier", ["--info", "--concepts"])
def test_its_text_is_shown_and_nothing_is_done(
    words: str, tier: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*words.split(), tier]) == 0
    shown = capsys.readouterr()
    page = handbook.page(PAGES[words])
    expected = page.info if tier == "--info" else handbook.concept(page.ideas[0]).text
    assert expected in shown.out
    assert shown.err == ""


@framed_commands
def test_its_steps_are_those_of_its_page(words: str) -> None:
    entry = COMMANDS[words]
    assert steps_of(entry.module, entry.function) == set(handbook.page(PAGES[words]).steps)


@framed_commands
def test_it_takes_guided(words: str) -> None:
    assert run([*words.split(), "--guided", "--help"]) == 0


@pytest.mark.parametrize("words", ["gpu status", "gpu queue", "policy check", "events"])
def test_administrators_find_it_below_admin_too(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["admin", *words.split(), "--help"]) == 0
    assert f"Usage: ds01 admin {words}" in capsys.readouterr().out


@framed_commands
def test_its_help_speaks_to_people(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*words.split(), "--help"]) == 0
    assert "<list[" not in capsys.readouterr().out


def test_pages_and_ideas_are_all_read_by_somebody() -> None:
    pages = {words.replace(" ", "-") for words in PAGES.values()}
    ideas = {idea for words in COMMANDS for idea in handbook.page(PAGES[words]).ideas}
    assert set(handbook.commands()) == pages
    assert set(handbook.concepts()) == ideas
