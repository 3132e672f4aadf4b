"""`start`, `stop`, `restart`, `pause`, `unpause`, `remove`, `retire`, `show`, `logs`, `run`."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from ds01_cli.frame import asking
from ds01_cli.image import save
from ds01_cli.main import run
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Conflict, NotFound
from ds01_spawner.recipes.by_hand import LOOK
from fakes.api_app import FakeApi
from fakes.program import invoke, said, told
from fakes.terminal import Terminal

Types = Callable[[str], Terminal]


@pytest.mark.parametrize(
    ("deed", "before", "after", "words"),
    [
        ("start", "exited", "running", "thesis runs, with GPU slot 0:1. Get in:"),
        ("stop", "running", "exited", "thesis is stopped."),
        ("restart", "running", "running", "thesis runs again"),
        ("pause", "running", "paused", "keeps its memory and its GPU"),
        ("unpause", "paused", "running", "thesis goes on."),
    ],
)
def test_a_deed_is_done_and_told(
    api: FakeApi, deed: str, before: str, after: str, words: str
) -> None:
    api.has("thesis", state=before, gpu_slots=("0:1",))
    assert words in said(f"container {deed}", "thesis")
    assert api.containers["thesis"].state == after
    assert told(f"container {deed}", "thesis")["name"] == "thesis"


def test_stop_says_that_programs_get_a_minute(api: FakeApi) -> None:
    api.has("thesis")
    assert "60 s" in invoke("container stop", "thesis").stderr


def test_several_are_done_whatever_becomes_of_one(api: FakeApi) -> None:
    api.has("a")
    api.has("c")
    with pytest.raises(NotFound, match="no container called b"):
        invoke("container stop", "a", "b", "c")
    assert {each.state for each in api.containers.values()} == {"exited"}
    names = [each["name"] for each in told("container start", "a", "c")["containers"]]
    assert names == ["a", "c"]


def test_the_name_that_docker_shows_is_understood(api: FakeApi) -> None:
    api.has("thesis")
    assert "thesis is stopped." in said("container stop", "thesis._.alice")


def test_without_a_name_one_is_chosen_on_a_terminal(
    api: FakeApi, types: Types, capsys: pytest.CaptureFixture[str]
) -> None:
    api.has("a", state="exited")
    api.has("b", gpu_slots=("0:1",))
    api.has("c")
    shown = types("c\n")
    assert run(["container", "stop"]) == 0
    assert "c is stopped" in capsys.readouterr().out
    assert "running, GPU 0:1" in shown.plain()
    assert " a " not in shown.plain()


@pytest.mark.parametrize("deed", ["start", "stop", "pause", "unpause", "remove", "retire"])
def test_without_a_name_and_a_terminal_it_is_wrong_usage(api: FakeApi, deed: str) -> None:
    for state in ("running", "exited", "paused"):
        api.has(state, state=state)
    result = invoke(f"container {deed}")
    assert result.exit_code == 2
    assert "Say it with NAME" in result.output


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("start", "None of your containers is stopped"),
        ("stop", "None of your containers runs"),
        ("retire", "You have no container"),
        ("attach", "None of your containers runs"),
        ("show", "You have no container"),
        ("logs", "You have no container"),
        ("run", "You have no container"),
    ],
)
def test_where_there_is_none_it_says_how_to_make_one(api: FakeApi, deed: str, words: str) -> None:
    assert api.containers == {}
    with pytest.raises(NotFound, match=f"{words}.*ds01 container deploy"):
        invoke(f"container {deed}")


def test_one_that_runs_is_removed_by_force_alone(api: FakeApi) -> None:
    api.has("thesis")
    with pytest.raises(Conflict, match="ds01 container retire thesis"):
        invoke("container remove", "thesis")
    assert "Your files stay" in said("container remove", "-f", "thesis")
    assert api.containers == {}


def test_retire_without_a_terminal_asks_nothing(api: FakeApi) -> None:
    api.has("thesis", gpu_slots=("0:1", "1"))
    assert said("container retire", "thesis") == (
        "thesis is retired. Your files stay. Its GPU slots 0:1, 1 are free for the next.\n"
    )
    assert api.ran == []


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Somebody answers with these words; the questions are in what is returned."""

    def answers(*given: bool) -> list[str]:
        left, asked = list(given), []

        def confirm(question: str, flag: str = "--yes", default: bool = False) -> bool:
            del flag, default
            asked.append(question)
            return left.pop(0)

        monkeypatch.setattr(asking, "can_ask", lambda: True)
        monkeypatch.setattr(asking, "confirm", confirm)
        return asked

    return answers


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was saved: the images."""
    found: list[str] = []
    change = SimpleNamespace(package="polars==1.0", before="")
    monkeypatch.setattr(save, "packages_by_hand", lambda *_: (change,))
    monkeypatch.setattr(save, "save", lambda _client, image, *_: found.append(image))
    return found


def test_retire_offers_to_save_what_was_installed_by_hand(
    api: FakeApi, saved: list[str], on_terminal: Any
) -> None:
    api.has("thesis", image="ds01-alice/mine:latest")
    asked = on_terminal(True, True)
    out = said("container retire", "thesis")
    assert "polars==1.0" in out
    assert saved == ["mine"]
    assert "Not in the image mine yet:" in out
    assert "into the image mine" in asked[0]
    assert "~/.local" in asked[0]
    assert api.containers == {}


def test_retire_saves_nothing_that_is_not_wanted(
    api: FakeApi, saved: list[str], on_terminal: Any
) -> None:
    api.has("thesis", image="ds01-alice/mine:latest")
    on_terminal(False, False)
    assert "thesis stays." in said("container retire", "thesis")
    assert (saved, list(api.containers)) == ([], ["thesis"])
    said("container retire", "thesis", "-f")
    assert (saved, list(api.containers)) == ([], [])


def test_retire_saves_without_asking_where_it_is_said(api: FakeApi, saved: list[str]) -> None:
    api.has("thesis", image="ds01-alice/mine:latest")
    said("container retire", "thesis", "--save")
    assert saved == ["mine"]
    api.has("other", image="ds01/starter:latest")
    with pytest.raises(Conflict, match="not yours to change"):
        invoke("container retire", "other", "--save")
    assert api.containers == {}


def test_a_save_that_fails_keeps_no_gpu(
    api: FakeApi, saved: list[str], on_terminal: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    api.has("one", image="ds01/starter:latest")
    api.has("two", image="ds01-alice/mine:latest")
    assert run(["container", "retire", "one", "two", "--save"]) == 1
    assert (saved, list(api.containers)) == (["mine"], [])
    assert "not yours to change" in capsys.readouterr().err
    api.has("three", image="ds01/starter:latest")
    asked = on_terminal(True)
    done = invoke("container retire", "three", "--save")
    assert "Nothing was saved. three was made of" in done.stderr
    assert asked == ["Retire three all the same? Your files stay."]
    assert (done.exit_code, api.containers) == (0, {})


def test_an_error_on_one_keeps_no_other_from_being_retired(api: FakeApi) -> None:
    api.has("thesis")
    with pytest.raises(NotFound, match="called missing"):
        invoke("container retire", "missing", "thesis")
    assert api.containers == {}


def test_packages_that_cannot_be_told_are_no_reason_to_keep_it(
    api: FakeApi, on_terminal: Any
) -> None:
    api.has("thesis")
    api.outputs[LOOK[0]] = ((), 127)
    on_terminal(True)
    assert "is retired" in said("container retire", "thesis")


def test_show_says_everything(api: FakeApi) -> None:
    api.has("thesis", gpu_slots=("0:1",), gpu_profiles=("2g.10gb",), ssh_sessions=2, project="p")
    out = said("container show")
    for words in ("0:1 (2g.10gb)", "ds01/starter:latest", "SSH sessions", "Runs until you stop"):
        assert words in out
    assert told("container show", "thesis")["ssh_sessions"] == 2


def test_logs_are_the_last_lines(api: FakeApi) -> None:
    api.has("thesis")
    assert said("container logs", "-n", "5") == "hello\n"
    assert api.asked[-1].query.lines == 5
    assert told("container logs", "thesis")["lines"] == ["hello"]
    api.answers["getLogs"] = lambda _asked: m.Logs(name="thesis", lines=())
    assert "printed nothing" in invoke("container logs", "thesis").stderr


def test_logs_are_followed_to_their_end(api: FakeApi) -> None:
    api.has("thesis")
    api.answers["followLogs"] = lambda _asked: [
        ("log", m.LogText(text="")),
        ("log", m.LogText(text="one\n")),
        ("log", m.LogText(text="two\n")),
        ("end", m.LogEnd(name="thesis", exit_code=3)),
    ]
    result = invoke("container logs", "-f")
    assert result.stdout == "one\ntwo\n"
    assert "exit code 3" in result.stderr
    asked = api.asked[-1]
    assert (asked.parts["name"], asked.query.lines, asked.query.user) == ("thesis", 200, None)
