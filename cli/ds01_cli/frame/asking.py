"""Questions: asked on a terminal; elsewhere the flag to give instead is named."""

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Generic, TypeVar

import typer

V = TypeVar("V")

_KERNEL = "JPY_PARENT_PID"


@dataclass(frozen=True, slots=True)
class Choice(Generic[V]):
    """One of several answers.

    Attributes:
        value: What it means.
        label: What it is called; may be typed instead of its number.
        hint: What to know about it; may be empty.
    """

    value: V
    label: str
    hint: str = ""


class NobodyToAsk(typer.BadParameter):
    """A question without anybody to answer it; names the flag that does."""

    def __init__(self, question: str, flag: str) -> None:
        super().__init__(
            f"There is no terminal to ask on: {question.rstrip('?:')}? Say it with {flag}."
        )

    def format_message(self) -> str:
        """The sentence alone: no value was wrong."""
        return self.message


def can_ask() -> bool:
    """Whether somebody is there to answer: a terminal to read from, and one to ask on."""
    return sys.stdin.isatty() and sys.stderr.isatty() and not in_notebook()


def in_notebook() -> bool:
    """Whether a notebook's cell started this: it has a terminal, into which nobody can type."""
    return _KERNEL in os.environ


def text(
    question: str,
    flag: str,
    default: str | None = None,
    check: Callable[[str], str] | None = None,
) -> str:
    """What somebody types; asked again until it will do.

    Args:
        question: Ends without a colon.
        flag: What gives the same answer without a question, such as `--name`.
        default: The answer of who only presses Enter.
        check: The answer as it is meant; raises `ValueError` with a sentence where it will not do.

    Raises:
        NobodyToAsk: There is no terminal; it is a usage error.
    """
    _must_ask(question, flag)
    suffix = f" [{default}]" if default else ""
    while True:
        answer = _read(f"{question}{suffix}: ") or default
        if answer is None:
            _say("Please type an answer, or press Ctrl-C to stop.")
            continue
        try:
            return answer if check is None else check(answer)
        except ValueError as exc:
            _say(str(exc))


def choose(question: str, options: Sequence[Choice[V]], flag: str, default: V | None = None) -> V:
    """One of `options`: by number, by what it is called, or by the beginning of that.

    Args:
        question: Ends without a colon.
        options: At least one.
        flag: What gives the same answer without a question.
        default: The answer of who only presses Enter; `None` is no default.

    Raises:
        NobodyToAsk: There is no terminal; it is a usage error.
    """
    _must_ask(question, flag)
    _say(question)
    width = max(len(each.label) for each in options)
    for number, each in enumerate(options, start=1):
        _say(f"  {number:>2}  {each.label:<{width}}  {each.hint}".rstrip())
    usual = next((n for n, each in enumerate(options, 1) if each.value == default), None)
    if default is None:
        usual = None
    suffix = "" if usual is None else f" [{usual}]"
    while True:
        answer = _read(f"Number or name{suffix}: ")
        if not answer and usual is not None:
            return options[usual - 1].value
        found = _meant(answer, options)
        if found is not None:
            return found.value
        _say(_not_one(answer, options))


def confirm(question: str, flag: str = "--yes", default: bool = False) -> bool:  # noqa: FBT001, FBT002 - the contract of all commands
    """Whether somebody says yes.

    Raises:
        NobodyToAsk: There is no terminal; it is a usage error.
    """
    _must_ask(question, flag)
    suffix = "Y/n" if default else "y/N"
    while True:
        answer = _read(f"{question} [{suffix}]: ").lower()
        if not answer:
            return default
        if answer in {"y", "yes"}:
            return True
        if answer in {"n", "no"}:
            return False
        _say("Please type y or n.")


def secret(question: str, flag: str) -> str:
    """What somebody types without it being shown.

    Raises:
        NobodyToAsk: There is no terminal; it is a usage error.
    """
    from getpass import getpass  # noqa: PLC0415 - it loads termios

    _must_ask(question, flag)
    try:
        return getpass(f"{question}: ", stream=sys.stderr).strip()
    except EOFError as exc:
        raise KeyboardInterrupt from exc


def _must_ask(question: str, flag: str) -> None:
    if not can_ask():
        raise NobodyToAsk(question, flag)


def _meant(answer: str, options: Sequence[Choice[V]]) -> Choice[V] | None:
    if answer.isascii() and answer.isdecimal():
        number = int(answer)
        return options[number - 1] if 1 <= number <= len(options) else None
    wanted = answer.casefold()
    same = [each for each in options if each.label.casefold() == wanted]
    begins = [each for each in options if wanted and each.label.casefold().startswith(wanted)]
    found = same or begins
    return found[0] if len(found) == 1 else None


def _not_one(answer: str, options: Sequence[Choice[V]]) -> str:
    names = [each.label for each in options]
    near = get_close_matches(answer, names, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"Please type a number from 1 to {len(options)}, or a name.{hint}"


def _read(prompt: str) -> str:
    # The question is on stderr, so that what the command prints can be piped.
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        sys.stderr.write("\n")
        raise KeyboardInterrupt
    return line.strip()


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - questions are on stderr
