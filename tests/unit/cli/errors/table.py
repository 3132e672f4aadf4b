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

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from typer.main import get_command

from ds01_cli.commands import PROGRAM
from ds01_cli.frame.group import app_of
from ds01_cli.frame.table import Command, Group
from ds01_cli.main import WITHOUT_FRAME

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
usage                   1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
login                   .   1   1   3   3   1   1 |   .   .   .   .   . |   .   1 |   .   .   . | HUB --token-stdin
logout                  .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   .   .   . |
dashboard               1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
gpu status              1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
gpu processes           1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
gpu queue               1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
workloads               1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
health                  1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
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
admin gpu processes     1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
admin gpu queue         1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
admin policy check      .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   .   .   1 |
admin policy explain    .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   .   .   1 | alice
admin policy migrate    .   .   .   .   .   .   . |   .   .   .   .   . |   .   1 |   .   .   1 | old.yaml
admin policy schema     .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   .   .   . |
admin events            1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
admin health            1   1   1   3   3   1   1 |   .   .   .   .   . |   .   . |   .   .   . |
admin lifecycle         .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   3   1   1 |
admin reconcile         .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   3   1   1 |
admin doors             .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   3   1   1 |
admin bare-metal grant  .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   3   1   1 | dora --for 8h --reason paper
admin bare-metal revoke .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   3   1   1 | dora
admin bare-metal list   .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   3   1   1 |
admin report            1   1   1   3   3   1   1 |   .   .   .   .   . |   .   1 |   .   .   . | --month 2026-01 -o report.html
admin aliases install   .   .   .   .   .   .   . |   .   .   1   .   . |   .   1 |   .   .   . | bin
admin aliases remove    .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   .   .   . | bin
completion              .   .   .   .   .   .   . |   .   .   .   .   . |   .   . |   .   .   . | bash
"""
# fmt: on

COLUMNS = TABLE.split("\n")[1].rpartition("|")[0].replace("|", " ").split()


@dataclass(frozen=True)
class Row:
    """One command.

    Attributes:
        command: Its words.
        typed: They, and what follows.
        codes: Its exit code, by the columns whose faults can reach it.
    """

    command: str
    typed: tuple[str, ...]
    codes: Mapping[str, int]

    @property
    def for_programs(self) -> tuple[str, ...]:
        """What is typed, with `--json`; empty where the command has no such option."""
        if self.command in WITHOUT_FRAME:
            return ()
        known = get_command(app_of(self.command, COMMANDS[self.command])).params
        return (*self.typed, "--json") if any("--json" in each.opts for each in known) else ()


def _rows() -> Iterator[Row]:
    for line in TABLE.splitlines()[2:]:
        *cells, typed = line.split("|")
        words = " ".join(cells).split()
        command, codes = words[: -len(COLUMNS)], words[-len(COLUMNS) :]
        reached = {
            column: int(code) for column, code in zip(COLUMNS, codes, strict=True) if code != "."
        }
        yield Row(" ".join(command), (*command, *typed.split()), reached)


def _every(group: Group, path: str = "") -> Iterator[tuple[str, Command]]:
    for name, entry in group.entries.items():
        words = f"{path} {name}".strip()
        yield from _every(entry, words) if isinstance(entry, Group) else [(words, entry)]


ROWS = {row.command: row for row in _rows()}
COMMANDS = dict(_every(PROGRAM))
