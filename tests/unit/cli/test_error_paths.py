"""What each command says, and ends with, when something is in the way: one table.

A figure is the exit code where the fault of the column can reach the command; a point, where it
cannot. In every case there is one line that says what next, and nothing is left half-made.

| column | what is in the way |
|---|---|
| gw | the gateway: no socket, nobody behind it, silent, gone in the middle |
| rel | a gateway of another release: its answers cannot be read |
| hub | the hub: down, silent, without its gateway (502, 503), not one at all, a page to log in |
| tok | the token: expired, revoked |
| rgt | who asks has no right to |
| rat | who asks does so too often |
| our | the gateway has a fault of its own |
| cap | no GPU slot is free |
| quo | a limit of the person's is reached |
| tak | the name is taken |
| img | there is no such image |
| gon | there is no such container |
| srv | the server's disk is full |
| dsk | the disk here is full, at the first file that is written or at any later |
| adm | it is for root, or for administrators |
| plt | there is no platform on this machine |
| pol | the file of the policy is broken, or not there |
"""

# ruff: noqa: E501 - a table is read by the row

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.main import get_command

from ds01_cli.commands import PROGRAM
from ds01_cli.frame.group import app_of
from ds01_cli.frame.table import Command, Group
from ds01_cli.main import WITHOUT_FRAME
from fakes.api_server import ApiServer, api_server
from fakes.cli_faults import ASKING, FAR, FAULTS
from fakes.cli_scene import (
    TOKEN,
    Ended,
    Scene,
    a_home,
    scene_in,
)

# fmt: off
TABLE = """
                       gw rel hub tok rgt rat our | cap quo tak img gon | srv dsk | adm plt pol | typed
container deploy        1   1   1   3   3   1   1 |   4   3   1   5   . |   1   . |   .   .   . | new --image mine --gpu mig
container create        1   1   1   3   3   1   1 |   4   3   1   5   . |   1   . |   .   .   . | new --image mine --gpu mig
container retire        1   1   1   3   3   1   1 |   .   .   .   .   5 |   1   . |   .   .   . | thesis --force
container list          1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
container show          1   1   1   3   3   1   1 |   .   .   .   .   5 |   .   . |   .   .   . | thesis
container stats         1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
container attach        1   1   1   3   3   1   1 |   .   .   .   .   5 |   .   . |   .   .   . | thesis
container run           1   1   1   3   3   1   1 |   4   3   .   .   5 |   1   . |   .   .   . | thesis
container exec          1   1   1   3   3   1   1 |   .   .   .   .   5 |   .   . |   .   .   . | thesis -- true
container logs          1   1   1   3   3   1   1 |   .   .   .   .   5 |   .   . |   .   .   . | thesis
container start         1   1   1   3   3   1   1 |   4   3   .   .   5 |   1   . |   .   .   . | thesis
container stop          1   1   1   3   3   1   1 |   .   .   .   .   5 |   1   . |   .   .   . | thesis
container restart       1   1   1   3   3   1   1 |   4   3   .   .   5 |   1   . |   .   .   . | thesis
container pause         1   1   1   3   3   1   1 |   .   .   .   .   5 |   1   . |   .   .   . | thesis
container unpause       1   1   1   3   3   1   1 |   .   .   .   .   5 |   1   . |   .   .   . | thesis
container remove        1   1   1   3   3   1   1 |   .   .   .   .   5 |   1   . |   .   .   . | thesis
image create            1   1   1   3   3   1   1 |   .   3   1   .   . |   1   1 |   .   .   . | fresh --framework cpu --pip polars
image list              1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
image show              1   1   1   3   3   1   1 |   .   .   .   5   . |   .   . |   .   .   . | mine
image update            1   1   1   3   3   1   1 |   .   3   .   .   . |   1   1 |   .   .   . | mine --add rich
image delete            1   1   1   3   3   1   1 |   .   .   .   5   . |   1   . |   .   .   . | mine --yes
image prune             1   1   1   3   3   1   1 |   .   .   .   .   . |   1   . |   .   .   . | --yes
image save-from         1   1   1   3   3   1   1 |   .   3   .   .   5 |   1   1 |   .   .   . | thesis --yes
project init            1   1   1   3   3   1   1 |   .   .   1   .   . |   .   1 |   .   .   . | sprout --quick --no-git
project launch          1   1   1   3   3   1   1 |   4   3   1   5   . |   1   . |   .   .   . | leaves
project list            1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
project status          1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . | leaves
ssh                     1   1   1   3   3   1   1 |   .   .   .   .   . |   1   1 |   .   .   . | thesis
ssh-config              1   1   1   3   3   1   1 |   .   .   .   .   . |   1   1 |   .   .   . | --yes
ssh-proxy               1   1   1   3   3   1   1 |   4   3   .   .   5 |   1   1 |   .   .   . | --known-hosts known_hosts thesis
vscode                  1   1   1   3   3   1   1 |   .   .   .   .   . |   1   1 |   .   .   . | thesis --print
cp                      1   1   1   3   3   1   1 |   .   .   .   .   . |   1   1 |   .   .   . | a.csv thesis:data/
port-forward            1   1   1   3   3   1   1 |   .   .   .   .   . |   1   1 |   .   .   . | thesis 6006
user-setup              1   1   1   3   3   1   1 |   4   3   1   5   . |   1   1 |   .   .   . | --quick --image mine
check-limits            1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
why                     1   1   1   3   3   1   1 |   .   .   .   .   5 |   .   . |   .   .   . | thesis
extend                  1   1   1   3   3   1   1 |   .   .   .   .   5 |   1   . |   .   .   . | thesis
notices                 1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
login                   .   1   1   3   3   1   1 |   .   .   .   .   . |   .   1 |   .   .   . | HUB --token-stdin
logout                  .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   .   .   . |
gpu status              1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
gpu queue               1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
events                  1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
policy check            .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   .   .   1 |
policy explain          .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   .   .   1 | alice
policy migrate          .   .   .   .   .   .   . |   .   .   .   .   . |   .   1 |   .   .   1 | old.yaml
policy schema           .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   .   .   . |
admin user add          .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   3   1   1 | dora
admin user remove       .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   3   1   1 | dora --yes
admin user import       .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   3   1   1 | a.csv
admin user list         .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   3   1   1 |
admin gpu status        1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
admin gpu queue         1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
admin policy check      .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   .   .   1 |
admin policy explain    .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   .   .   1 | alice
admin policy migrate    .   .   .   .   .   .   . |   .   .   .   .   . |   .   1 |   .   .   1 | old.yaml
admin policy schema     .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   .   .   . |
admin events            1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
admin lifecycle         .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   3   1   1 |
admin reconcile         .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   3   1   1 |
admin doors             .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   3   1   1 |
admin aliases install   .   .   .   .   .   .   . |   .   .   1   .   . |   .   1 |   .   .   . | bin
admin aliases remove    .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   .   .   . | bin
completion              .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   .   .   . | bash
"""
# fmt: on

HEADS = TABLE.split("\n")[1].split("|")[:-1]
COLUMNS = " ".join(HEADS).split()
pytestmark = pytest.mark.enable_socket


@dataclass(frozen=True)
class Row:
    """One command: what is typed, and its exit code by column."""

    command: str
    typed: tuple[str, ...]
    codes: Mapping[str, int]


def rows() -> Iterator[Row]:
    for line in TABLE.splitlines()[2:]:
        *cells, typed = line.split("|")
        words = " ".join(cells).split()
        command, codes = words[: -len(COLUMNS)], words[-len(COLUMNS) :]
        known = {
            column: int(code) for column, code in zip(COLUMNS, codes, strict=True) if code != "."
        }
        yield Row(" ".join(command), (*command, *typed.split()), known)


def every(group: Group, path: str = "") -> Iterator[tuple[str, Command]]:
    for name, entry in group.entries.items():
        words = f"{path} {name}".strip()
        yield from every(entry, words) if isinstance(entry, Group) else [(words, entry)]


ROWS = {row.command: row for row in rows()}
COMMANDS = dict(every(PROGRAM))


def forms(row: Row) -> list[tuple[str, ...]]:
    """As it is typed, and with `--json` where it has that."""
    if row.command in WITHOUT_FRAME:
        return [row.typed]
    options = app_of(row.command, COMMANDS[row.command])
    shown = get_command(options).params
    if not any("--json" in each.opts for each in shown):
        return [row.typed]
    return [row.typed, (*row.typed, "--json")]


def cells() -> Iterator[tuple[Row, str, str, tuple[str, ...]]]:
    """Each way in which a fault comes; the first of a column for programs, too."""
    for row in ROWS.values():
        for column in row.codes:
            for number, variant in enumerate(FAULTS.get(column, ())):
                if (row.command, variant) == ("login", "no token"):
                    continue  # it is where a token is said
                for form in forms(row)[: 1 if number else 2]:
                    yield row, column, variant, form


def named(value: object) -> str:
    """`container deploy`, or as it is; `json` for what is typed for programs."""
    if isinstance(value, tuple):
        return "json" if "--json" in value else ""
    return value.command if isinstance(value, Row) else str(value)


CELLS = [pytest.param(*each, id="-".join(filter(None, map(named, each)))) for each in cells()]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        return a_home(tmp_path_factory.mktemp("home"), patch)


@pytest.fixture
def scene(
    server: ApiServer,
    template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Scene:
    return scene_in(tmp_path, template, server, monkeypatch, capfd)


def check_one_line(ended: Ended, code: int) -> None:
    """One line that begins with the program's name; before it only what was under way."""
    said = f"{ended.out}\n{ended.err}"
    assert "Traceback" not in said
    assert TOKEN not in said
    assert ended.code == code, said
    *before, last = ended.err.splitlines()
    assert last.startswith("ds01: "), said
    assert not [each for each in before if each.startswith("ds01: ")], said
    what, _, what_next = last.removeprefix("ds01: ").partition(". ")
    assert what, said
    assert what_next, said


def check_faults(ended: Ended, code: int) -> None:
    """A line for each fault of a file: which file, where, and what was expected."""
    said = f"{ended.out}\n{ended.err}"
    assert "Traceback" not in said
    assert (ended.code, ended.out) == (code, ""), said
    faults = [each for each in ended.err.splitlines() if ".yaml:" in each]
    assert len(faults) == 1, said
    assert len(ended.err.splitlines()) <= 3, said


def check_output(ended: Ended, form: tuple[str, ...], *, may_say: bool) -> None:
    """Nothing, or for programs JSON."""
    if "--json" in form:
        assert not ended.out or json.loads(ended.out), ended.out
    elif not may_say:
        assert ended.out == ""


def stays(command: str, column: str) -> set[str]:
    """What of a home may have changed though the command failed: what is whole."""
    key = {".config/ds01/id_ed25519", ".config/ds01/id_ed25519.pub"}
    if command == "user-setup" and column not in ASKING:
        return {*key, ".config/ds01/first-steps.md", *CONFIG}  # each step is whole by itself
    return key if column == "srv" and command in WITH_KEY else set()


CONFIG = {".config/ds01/known_hosts", ".config/ds01/ssh_config", ".ssh/config"}
WITH_KEY = {"ssh", "ssh-config", "vscode", "cp", "port-forward", "user-setup"}
"""Commands that make a key first; it is used when they are typed again."""


def test_every_command_has_its_row() -> None:
    assert set(ROWS) == set(COMMANDS)


@pytest.mark.parametrize(("row", "column", "variant", "form"), CELLS)
def test_it_says_what_is_wrong_and_what_next(
    row: Row, column: str, variant: str, form: tuple[str, ...], scene: Scene
) -> None:
    scene.begin(row.command, far=column in FAR or row.command == "login")
    FAULTS[column][variant](scene, row.command)
    before = dict(scene.api.containers)
    ended = scene.types(form)
    if column == "pol":
        check_faults(ended, row.codes[column])
    else:
        check_one_line(ended, row.codes[column])
    check_output(ended, form, may_say=column not in ASKING)
    assert ended.changed <= stays(row.command, column)
    assert scene.api.containers == before
    assert ended.ran == ()
