import io
import sys
from collections.abc import Iterator

import pytest

from ds01_cli.frame import guide
from ds01_spawner import handbook
from fakes.terminal import Terminal


@pytest.fixture(autouse=True)
def nobody_is_guided() -> Iterator[None]:
    yield
    guide.begin(None)


def test_who_is_not_guided_hears_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    guide.begin(None)
    guide.tell("extend")
    assert not guide.is_on()
    assert capsys.readouterr().out == ""


def test_a_step_is_told_in_the_words_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    guide.begin("extend")
    guide.tell("extend")
    assert capsys.readouterr().out.strip() == handbook.page("extend").steps["extend"]


def test_on_a_terminal_it_waits_until_somebody_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("\nleft\n"))
    monkeypatch.setattr(sys, "stdout", Terminal())
    guide.begin("extend")
    guide.tell("extend")
    assert sys.stdin.readline() == "left\n"


def test_the_end_of_input_stops_as_an_interrupt_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    monkeypatch.setattr(sys, "stdout", Terminal())
    guide.begin("extend")
    with pytest.raises(KeyboardInterrupt):
        guide.tell("extend")


def test_without_a_terminal_nobody_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("left\n"))
    guide.begin("extend")
    guide.tell("extend")
    assert sys.stdin.readline() == "left\n"
