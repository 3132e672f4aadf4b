import json
import sys
from datetime import UTC, datetime

import pytest

from ds01_cli.frame import printing, waiting
from ds01_spawner.client.models import Removed
from fakes.terminal import Terminal

ROWS = [["thesis", "running", "2"], ["long-name-of-a-run", "exited", "10"]]
HEADS = ["NAME", "STATE", "GPUS"]


def test_json_has_the_keys_of_the_api(capsys: pytest.CaptureFixture[str]) -> None:
    printing.print_json({"gone": Removed(name="ü"), "at": datetime(2026, 1, 31, tzinfo=UTC)})
    out = capsys.readouterr().out
    assert json.loads(out) == {"gone": {"name": "ü"}, "at": "2026-01-31T00:00:00+00:00"}
    assert "ü" in out


def test_a_table_is_aligned_and_lines_end_with_what_they_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printing.table(HEADS, ROWS, right=["GPUS"])
    assert capsys.readouterr().out.splitlines() == [
        "NAME                STATE    GPUS",
        "thesis              running     2",
        "long-name-of-a-run  exited     10",
    ]


def test_a_simple_table_is_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    printing.table(HEADS, ROWS, style="simple")
    assert capsys.readouterr().out == "thesis\trunning\t2\nlong-name-of-a-run\texited\t10\n"


def test_an_empty_table_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    printing.table(HEADS, [], empty="No containers.")
    assert capsys.readouterr().out == "No containers.\n"


def test_names_cannot_write_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for style in ("table", "simple"):
        printing.table(HEADS, [["\x1b[2Jevil", "a\nb", "[red]c"]], style=style)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[red]c" in out


def test_a_narrow_terminal_gets_blocks_instead_of_cut_cells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("NO_COLOR", "1")
    printing.table(HEADS, ROWS)
    lines = shown.plain().splitlines()
    assert "NAME: long-name-of-a-run" in lines
    assert max(map(len, lines)) <= 30


def test_the_widest_cells_are_folded_where_a_terminal_is_too_narrow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")
    printing.table(["NAME", "WHY"], [["thesis", "it waits until a slot is free for it"]])
    assert [line.rstrip() for line in shown.plain().splitlines()] == [
        "NAME    WHY",
        "thesis  it waits until a slot is free",
        "        for it",
    ]


def test_sentences_are_folded_beside_their_label(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printing.say_below("next: ", "wait until a slot is free")
    assert capsys.readouterr().out == "next: wait until a slot is free\n"
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setenv("COLUMNS", "27")
    printing.say_below("next: ", "wait until a slot is free")
    assert shown.plain().splitlines() == ["next: wait until a slot is", "      free"]


def test_no_colour_when_piped_or_unwanted(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    printing.console().print("red", style="red")
    assert shown.getvalue() == "red\n"


def test_long_sentences_are_folded_on_a_terminal_and_whole_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    sentence = "many words " * 40
    printing.say(sentence)
    assert capsys.readouterr().out == f"{sentence}\n"
    shown = Terminal()
    monkeypatch.setattr(sys, "stdout", shown)
    monkeypatch.setenv("COLUMNS", "40")
    printing.say(sentence)
    assert max(map(len, shown.plain().splitlines())) <= 40


@pytest.mark.parametrize(
    ("used", "allowed", "shown"),
    [
        (0, 4, "----"),
        (0.01, 4, "#---"),
        (2, 4, "##--"),
        (4, 4, "####"),
        (9, 4, "####"),
        (1, 0, "#---"),
    ],
)
def test_a_bar_shows_how_much_is_used(used: float, allowed: float, shown: str) -> None:
    assert printing.bar(used, allowed, width=4) == shown


def test_what_is_waited_for_is_said_once_when_piped(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting.status("Waiting: place 2 of 3.") as status:
        status.update("Waiting: place 2 of 3.")
        status.update("Waiting: place 1 of 3.")
    shown = capsys.readouterr()
    assert shown.err == "Waiting: place 2 of 3.\nWaiting: place 1 of 3.\n"
    assert shown.out == ""
