"""`deploy` and `create`: what is told while it is made, and when it is there."""

import sys
from collections.abc import Sequence
from typing import Any

import pytest

from ds01_cli.container import making, ways
from ds01_cli.main import run
from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.client.models import Wire
from ds01_spawner.client.problems import problem_of
from ds01_spawner.domain.errors import DS01Error, NoCapacity, QuotaExceeded, Unavailable
from fakes.api_app import Asked, FakeApi
from fakes.program import invoke, said, told
from fakes.terminal import Terminal

CREATE = "createContainer"


def place(number: int, length: int = 3) -> m.Place:
    return m.Place(
        place=number,
        length=length,
        reason="Every MIG slot is in use.",
        gpu="a MIG slot",
        waited_seconds=1.0,
    )


def queued(api: FakeApi, *places: m.Place) -> None:
    """Somebody waits before they get what they want."""

    def answer(asked: Asked) -> Sequence[tuple[str, Wire] | DS01Error]:
        made = api.has(
            asked.body.name, gpu_slots=("0:1",), gpu_profiles=("2g.10gb",), sentences=("Till 5.",)
        )
        step = m.Step(name="create", text="Making the container.")
        return [*(("place", each) for each in places), ("step", step), ("end", made)]

    api.answers[CREATE] = answer


def test_deploy_ends_with_how_to_get_in(api: FakeApi) -> None:
    queued(api)
    out = said("container deploy", "thesis", "--gpu", "mig")
    assert out.splitlines()[:2] == ["thesis runs, with GPU slot 0:1 (2g.10gb).", "Till 5."]
    for way in ("container attach", "ssh", "vscode", "container retire"):
        assert f"ds01 {way} thesis" in out
    assert "browser" not in out
    assert api.body(CREATE).wait == "24h"
    assert api.body(CREATE).start


def test_the_hubs_address_is_a_way_in(api: FakeApi) -> None:
    api.answers["getMe"] = lambda asked: api._get_me(asked).model_copy(
        update={"hub_url": "https://hub.test/"}
    )
    assert "in a browser  https://hub.test/" in said("container deploy", "x", "--cpu-only")


def test_that_nobody_tells_the_hubs_address_is_no_failure(api: FakeApi) -> None:
    api.refuses["getMe"] = Unavailable("The policy cannot be read.")
    assert "x runs." in said("container deploy", "x", "--cpu-only")


def test_piped_each_change_of_the_place_is_one_line(api: FakeApi) -> None:
    queued(api, place(2), place(2), place(1, 1), place(0))
    lines = invoke("container deploy", "thesis").stderr.splitlines()
    assert lines == [
        "Asking for the container …",
        "Waiting for a MIG slot: you are number 2 of 3. Every MIG slot is in use.",
        "Waiting for a MIG slot: you are the next. Every MIG slot is in use.",
        "Your turn: you get a MIG slot.",
        "Making the container.",
    ]


def test_on_a_terminal_the_place_is_shown_in_place_and_ctrl_c_is_offered(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(api, place(2), place(1))
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")

    with api.client() as client:
        making.made(client, m.CreateRequest(name="thesis", gpu="mig"))
    assert making.place_words(place(2)).endswith("Ctrl-C gives your place up.")
    assert "\x1b[" in shown.getvalue()


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ((), "Stopped. Nothing was made."),
        ((place(2),), "You left the queue. Nothing was made."),
        (
            (place(1), m.Step(name="create", text="Making it.")),
            "Stopped. What was begun is taken back: nothing of it stays.",
        ),
    ],
    ids=["at once", "waiting", "being made"],
)
def test_ctrl_c_says_what_is_left(
    api: FakeApi,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    events: Sequence[m.Place | m.Step],
    words: str,
) -> None:

    def interrupted(_self: Client, _wanted: object, *, on_place: Any, on_step: Any) -> None:
        for event in events:
            (on_place if isinstance(event, m.Place) else on_step)(event)
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "create", interrupted)
    assert run(["container", "deploy", "thesis"]) == 130
    assert words in capsys.readouterr().err
    assert api.containers == {}


def test_one_that_was_ready_at_the_moment_of_ctrl_c_is_taken_back(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_self: Client, _wanted: object, *, on_place: Any, on_step: Any) -> None:
        del on_place
        on_step(m.Step(name="start", text="Starting it."))
        api.has("thesis")
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "create", interrupted)
    monkeypatch.setattr(making, "_SECONDS", 0.0)
    assert run(["container", "deploy", "thesis"]) == 130
    assert api.containers == {}


@pytest.mark.parametrize("answered", ["", "thesis\n", "thesis\nnone\n"])
def test_ctrl_c_at_a_question_makes_nothing(api: FakeApi, types: Any, answered: str) -> None:
    types(answered)
    assert run(["container", "deploy"]) == 130
    assert CREATE not in api.operations()


def test_create_starts_nothing_and_does_not_wait(api: FakeApi) -> None:
    out = said("container create", "thesis", "--gpu", "mig")
    assert "Start it: ds01 container start thesis" in out
    assert "Its GPU is kept for 90 seconds" in out
    wanted = api.body(CREATE)
    assert (wanted.start, wanted.wait) == (False, None)
    assert "90 seconds" not in said("container create", "tables", "--cpu-only")


def test_a_command_stands_after_two_hyphens(api: FakeApi) -> None:
    said("container deploy", "night", "--cpu-only", "--", "python", "train.py", "--gpu", "x")
    assert api.body(CREATE).command == ("python", "train.py", "--gpu", "x")


def test_a_dry_run_makes_nothing(api: FakeApi) -> None:
    out = said("container deploy", "thesis", "--dry-run")
    assert out.splitlines()[0] == "It would be made now."
    assert "Nothing was made" in out
    assert told("container create", "thesis", "--dry-run")["name"] == "thesis"
    assert CREATE not in api.operations()


def test_a_dry_run_that_is_refused_says_it_once_and_ends_so(api: FakeApi) -> None:
    error = NoCapacity("No slot is free.", "Wait: --wait 15m.", place=2)
    plan = m.Plan(
        sentences=("Image: x.", str(error)), name="t", image="x", refused=problem_of(error)
    )
    api.answers["planContainer"] = lambda _asked: plan
    with pytest.raises(NoCapacity, match="No slot is free"):
        invoke("container deploy", "thesis", "--dry-run")


def test_json_is_the_container(api: FakeApi) -> None:
    queued(api)
    assert told("container deploy", "thesis")["gpu_profiles"] == ["2g.10gb"]


@pytest.mark.parametrize("flags", [("--background",), ("--json",), ()])
def test_a_shell_is_opened_on_a_terminal_alone(api: FakeApi, flags: tuple[str, ...]) -> None:
    result = invoke("container deploy", "thesis", "--open", *flags)
    assert result.exit_code == 2
    assert "--open" in result.output
    assert api.asked == []


def test_guided_it_is_told_what_happens(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:

    queued(api)
    assert run(["container", "deploy", "thesis", "--guided"]) == 0
    out = capsys.readouterr().out
    assert "The server now looks for a free slot" in out
    assert out.index("Your container runs.") < out.index("How to get in:")


def test_a_narrow_terminal_cuts_nothing(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", shown)
        patch.setenv("COLUMNS", "40")
        patch.setenv("TERM", "xterm-256color")
        patch.setenv("NO_COLOR", "1")
        made = api.has("thesis", gpu_slots=("0:1",))

        ways.tell(made, "https://hub.example.org/")
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= 40
    assert "\x1b" not in shown.getvalue()
    assert "ds01 container retire thesis" in " ".join(" ".join(lines).split())


def test_over_quota_says_which_limit(api: FakeApi) -> None:
    api.refuses[CREATE] = QuotaExceeded(
        "2 of 2 GPU slots in use (a, b).",
        "Stop one: ds01 container retire a.",
        limit="max_gpu_slots",
        used=2,
        asked=1,
        allowed=2,
    )
    with pytest.raises(QuotaExceeded, match="retire a"):
        invoke("container deploy", "thesis")
