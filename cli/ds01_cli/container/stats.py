"""`ds01 container stats`: what containers use, once or all the time."""

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.container import naming
from ds01_cli.container.filters import Filters
from ds01_cli.frame import completing, guide, printing, session
from ds01_cli.frame.flags import Everybody, Json, UserToSee
from ds01_spawner.client.words import state_words
from ds01_spawner.domain.errors import NotFound
from ds01_spawner.domain.wording import size

if TYPE_CHECKING:
    from ds01_spawner.client.models import ContainerStats, Stats

_HEADS = ("NAME", "STATE", "CPU", "MEMORY", "GPU", "BUSY", "GPU MEM", "NET IN/OUT", "SSH")
_FIGURES = ("CPU", "BUSY", "GPU MEM", "SSH")
_UNKNOWN = "-"


def stats(  # noqa: PLR0913 - the flags of the command
    name: Annotated[
        str | None,
        typer.Argument(
            help="One container; without it, all of yours.",
            autocompletion=completing.containers,
        ),
    ] = None,
    *,
    watch: Annotated[
        bool, typer.Option("-w", "--watch", help="Go on every 2 seconds, until Ctrl-C.")
    ] = False,
    wishes: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="KEY=VALUE", help="name=…, state=… or gpu=…"),
    ] = None,
    user: UserToSee = None,
    everybody: Everybody = False,
    as_json: Json = False,
) -> None:
    """Show what your containers use: CPU, memory, GPU, network."""
    filters = Filters.parse(wishes or ())
    one = None if name is None else naming.meant(name)
    guide.tell("look")
    with session.connect() as client:
        naming.check_everybodys(client, everybody=everybody)
        if not watch:
            found = filters.of(client.stats(one, user=user, everybody=everybody))
            _check_there(found, one)
            if as_json:
                printing.print_json(found)
            else:
                _print(found.containers, owners=everybody)
            return
        each = client.follow_stats(one, user=user, everybody=everybody)
        if as_json:
            for now in each:
                sys.stdout.write(json.dumps(filters.of(now).model_dump(mode="json")) + "\n")
                sys.stdout.flush()
            return
        out = printing.console()
        if not out.is_terminal:
            for now in each:
                _print(filters.of(now).containers, owners=everybody)
                sys.stdout.write("\n")
                sys.stdout.flush()
            return
        with out.screen(hide_cursor=True):
            for now in each:
                out.clear()
                _print(filters.of(now).containers, owners=everybody)
                out.print("\nEvery 2 seconds. Ctrl-C ends it.", style="dim")


def _check_there(found: "Stats", name: str | None) -> None:
    if name is not None and not found.containers:
        raise NotFound(
            f"There is no container called {name}, or it is not what the filter says.",
            "ds01 container list shows those that you have.",
        )


def _print(containers: Sequence["ContainerStats"], *, owners: bool) -> None:
    rows = [_row(each) for each in containers]
    heads: tuple[str, ...] = _HEADS
    if owners:
        heads = ("USER", *heads)
        rows = [(each.user, *row) for each, row in zip(containers, rows, strict=True)]
    printing.table(heads, rows, right=_FIGURES, empty="No containers.")


def _row(each: "ContainerStats") -> tuple[str, ...]:
    cpu = _UNKNOWN if each.cpu_percent is None else f"{each.cpu_percent:.0f} %"
    busy = "" if not each.gpu_slots else _UNKNOWN
    if each.gpu_utilisation is not None:
        busy = f"{100 * each.gpu_utilisation:.0f} %"
    return (
        each.name,
        state_words(each.state),
        cpu,
        _of(each.memory_bytes, each.memory_limit_bytes),
        ",".join(each.gpu_slots),
        busy,
        "" if not each.gpu_slots else _size(each.gpu_memory_bytes),
        f"{_size(each.network_rx_bytes)} / {_size(each.network_tx_bytes)}",
        str(each.ssh_sessions) if each.ssh_sessions else "",
    )


def _of(used: int | None, limit: int | None) -> str:
    return _size(used) if used is None or limit is None else f"{size(used)} of {size(limit)}"


def _size(amount: int | None) -> str:
    return _UNKNOWN if amount is None else size(amount)
