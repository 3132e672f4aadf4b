import io
import sys

import pytest
import typer

from ds01_cli.frame import asking
from ds01_cli.frame.asking import Choice
from fakes.terminal import Terminal

COLOURS = (Choice("r", "red", "as blood"), Choice("g", "green"), Choice("y", "grey"))


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> Terminal:
    """Somebody types `text`; what they are asked is in what is returned."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(text))
    monkeypatch.setattr(sys, "stderr", shown)
    return shown


def test_without_a_terminal_the_flag_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
    assert not asking.can_ask()
    for ask in (
        lambda: asking.text("Its name", flag="--name"),
        lambda: asking.choose("Colour", COLOURS, flag="--name"),
        lambda: asking.confirm("Sure", flag="--name"),
        lambda: asking.secret("Token", flag="--name"),
    ):
        with pytest.raises(typer.BadParameter, match="Say it with --name"):
            ask()


def test_text_is_asked_until_it_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = typed(monkeypatch, "\nx\n5\n")

    def number(text: str) -> str:
        if not text.isdecimal():
            raise ValueError(f"{text} is no number.")
        return text

    assert asking.text("How many", flag="-n", check=number) == "5"
    assert "Please type an answer" in shown.getvalue()
    assert "x is no number." in shown.getvalue()


def test_enter_takes_what_is_usual(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = typed(monkeypatch, "\n\n\n")
    assert asking.text("Its name", flag="--name", default="thesis") == "thesis"
    assert asking.choose("Colour", COLOURS, flag="-c", default="g") == "g"
    assert asking.confirm("Sure", default=True)
    assert "Its name [thesis]: " in shown.getvalue()
    assert "Number or name [2]: " in shown.getvalue()
    assert "Sure [Y/n]: " in shown.getvalue()


@pytest.mark.parametrize(
    ("answer", "value"), [("1", "r"), ("red", "r"), ("GREEN", "g"), ("gree", "g"), ("grey", "y")]
)
def test_one_of_several_is_meant_by_number_name_or_beginning(
    monkeypatch: pytest.MonkeyPatch, answer: str, value: str
) -> None:
    typed(monkeypatch, f"{answer}\n")
    assert asking.choose("Colour", COLOURS, flag="-c") == value


@pytest.mark.parametrize("answer", ["0", "4", "gr", "blue", ""])
def test_what_is_not_one_of_several_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    shown = typed(monkeypatch, f"{answer}\n2\n")
    assert asking.choose("Colour", COLOURS, flag="-c") == "g"
    assert "a number from 1 to 3" in shown.getvalue()


def test_yes_and_no_are_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "perhaps\nYES\nn\n")
    assert asking.confirm("Sure")
    assert not asking.confirm("Sure", default=True)


def test_the_end_of_input_stops_as_an_interrupt_does(monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "")
    with pytest.raises(KeyboardInterrupt):
        asking.text("Its name", flag="--name")


def test_a_cell_of_a_notebook_has_a_terminal_and_nobody_to_ask(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    assert asking.can_ask()
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    assert not asking.can_ask()
