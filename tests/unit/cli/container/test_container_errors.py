"""Why a container is not made, found or entered, in words; `errors` has every command."""

import pytest

from ds01_cli.main import run
from ds01_spawner.client.problems import Unauthenticated
from ds01_spawner.domain.errors import (
    Conflict,
    DS01Error,
    Forbidden,
    NoCapacity,
    NotFound,
    QuotaExceeded,
    Unavailable,
)
from fakes.api_app import FakeApi

COMMANDS = {
    "deploy": ("thesis",),
    "create": ("thesis",),
    "retire": ("thesis",),
    "list": (),
    "show": ("thesis",),
    "stats": (),
    "attach": ("thesis",),
    "run": ("thesis",),
    "exec": ("thesis", "--", "true"),
    "logs": ("thesis",),
    "start": ("thesis",),
    "stop": ("thesis",),
    "restart": ("thesis",),
    "pause": ("thesis",),
    "unpause": ("thesis",),
    "remove": ("thesis",),
}


MAKING = {
    "no capacity": (
        NoCapacity("No MIG slot is free.", "Wait for your turn: --wait 15m.", place=2),
        "ds01: No MIG slot is free. Wait for your turn: --wait 15m.",
        4,
    ),
    "over quota": (
        QuotaExceeded(
            "2 of 2 GPU slots in use (a, b).",
            "Stop one: ds01 container retire a.",
            limit="max_gpu_slots",
            used=2,
            asked=1,
            allowed=2,
        ),
        "ds01: 2 of 2 GPU slots in use (a, b). Stop one: ds01 container retire a.",
        3,
    ),
    "name taken": (
        Conflict("You have a container of that name already.", "Choose another name."),
        "ds01: You have a container of that name already. Choose another name.",
        1,
    ),
    "image missing": (
        NotFound("You have no image called 'mine'.", "See: ds01 image list."),
        "ds01: You have no image called 'mine'. See: ds01 image list.",
        5,
    ),
    "image not for them": (
        Forbidden("The image x is not in the catalogue.", "Choose starter."),
        "ds01: The image x is not in the catalogue. Choose starter.",
        3,
    ),
    "disk full": (
        Unavailable("The server's disk is full.", "Tell your administrator."),
        "ds01: The server's disk is full. Tell your administrator.",
        1,
    ),
    "own disk full": (
        QuotaExceeded(
            "100 GB of 100 GB in use.",
            "Delete files you no longer need.",
            limit="storage",
            used=100,
            asked=0,
            allowed=100,
        ),
        "ds01: 100 GB of 100 GB in use. Delete files you no longer need.",
        3,
    ),
    "token revoked": (Unauthenticated("You are not logged in."), "ds01: You are not logged in.", 3),
    "our fault": (
        DS01Error("This failed inside the gateway.", "Tell your administrator the number: r1."),
        "ds01: This failed inside the gateway. Tell your administrator the number: r1.",
        1,
    ),
}


@pytest.mark.parametrize("why", MAKING.values(), ids=MAKING)
@pytest.mark.parametrize("command", ["deploy", "create", "deploy --dry-run"])
def test_why_none_is_made(
    command: str,
    why: tuple[DS01Error, str, int],
    api: FakeApi,
    capsys: pytest.CaptureFixture[str],
) -> None:
    error, words, code = why
    operation = "planContainer" if "--dry-run" in command else "createContainer"
    api.refuses[operation] = error
    assert run(["container", *command.split(), "thesis"]) == code
    assert capsys.readouterr().err.strip().splitlines()[-1] == words
    assert api.containers == {}


@pytest.mark.parametrize(
    "command", [each for each in COMMANDS if each not in {"deploy", "create", "list", "stats"}]
)
def test_one_that_is_not_there_is_not_found(
    command: str, api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    assert api.containers == {}
    assert run(["container", command, *COMMANDS[command]]) == 5
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("ds01: There is no container called thesis.")


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("exited", "thesis does not run: it is stopped. Start it and go in: ds01 container run"),
        ("created", "thesis does not run: it is not started yet."),
        ("paused", "thesis is paused. Let it go on: ds01 container unpause thesis"),
    ],
)
@pytest.mark.parametrize("command", ["attach", "exec"])
def test_nobody_gets_into_what_does_not_run(
    command: str, state: str, words: str, api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.has("thesis", state=state)
    assert run(["container", command, *COMMANDS[command]]) == 1
    assert words in capsys.readouterr().err
    assert api.ran == []
