"""What runs on the GPUs as tables that fit 80 columns, from what `--json` prints."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ds01_cli.gpu.tables import ago
from ds01_spawner.domain.attribution import Proof, WorkloadClass
from ds01_spawner.domain.names import SEPARATOR
from ds01_spawner.domain.wording import clean

Facts = Mapping[str, Any]
"""A process or a workload, as `--json` prints it."""

_MIB, _GIB = 1024**2, 1024**3
_LONGEST = 60
_LINE = 400
"""Labels of a container that came past the platform say whatever its maker wrote."""

_KINDS = {
    WorkloadClass.MANAGED: "",
    WorkloadClass.BUILD: "build",
    WorkloadClass.BARE_METAL: "granted",
    WorkloadClass.DEVCONTAINER: "dev container",
    WorkloadClass.COMPOSE: "Compose",
    WorkloadClass.AIME: "AIME",
    WorkloadClass.DOCKER: "docker",
    WorkloadClass.HOST: "no container",
    WorkloadClass.UNKNOWN: "unknown",
}
_PROOFS = {
    Proof.LABEL: "label",
    Proof.FOLDER: "a folder of theirs",
    Proof.NAME: "its name",
    Proof.UID: "its user id",
    Proof.SESSION: "their login",
    Proof.CGROUP: "its cgroup",
    Proof.NONE: "",
}


def print_processes(console: Console, found: Facts, now: datetime) -> None:
    """Write the processes that people read."""
    processes: Sequence[Facts] = found["processes"]
    if processes:
        table = _table("SLOT", "PID", "WHO", "WHERE", "PROGRAM", "MEMORY", "BUSY", "FOR")
        for each in processes:
            share = each["sm_share"]
            table.add_row(
                Text(each["slot"]),
                Text(str(each["pid"] or "?")),
                _who(each),
                Text(_where(each)),
                Text(clean(each["name"] or "?", _LONGEST)),
                Text(_memory(each["memory_bytes"])),
                Text("" if share is None else f"{share:.0%}"),
                Text(ago(each["started_at"], now)),
            )
        console.print(table)
    else:
        console.print("Nothing runs on the GPUs.")
    _print_rest(console, found, [each for each in processes if each["user"] is None])


def print_workloads(console: Console, found: Facts, now: datetime) -> None:
    """Write what runs, for people."""
    every: Sequence[Facts] = found["workloads"]
    if every:
        table = _table("WHO", "WHERE", "STARTED AS", "SLOTS", "MEMORY", "FOR", "KNOWN BY")
        for each in every:
            table.add_row(
                _who(each),
                Text(_where(each)),
                Text(_kind(each)),
                Text(" ".join(each["slots"])),
                Text(_memory(each["memory_bytes"] if each["processes"] else None)),
                Text(ago(each["since"], now)),
                Text(_PROOFS[Proof(each["proof"])]),
            )
        console.print(table)
    else:
        console.print("Nothing runs.")
    _print_rest(console, found, [each for each in every if each["user"] is None and each["slots"]])


def _print_rest(console: Console, found: Facts, nobodys: Sequence[Facts]) -> None:
    """What is not right, below the table."""
    for each in nobodys:
        name = f"process {each['pid']}" if "pid" in each else _where(each)
        text = f"! Nobody is known to own {name}: {each['why']}"
        console.print(Text(clean(text, _LINE), style="red"), soft_wrap=False)
    for note in found["notes"]:
        console.print(Text(f"! {clean(note, _LINE)}", style="yellow"), soft_wrap=False)
    if not found["fresh"]:
        text = f"! This is an older picture, of {found['taken_at']}: {found['problem']}"
        console.print(Text(clean(text, _LINE), style="red"), soft_wrap=False)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        is_name = name in {"WHO", "WHERE", "PROGRAM"}
        table.add_column(
            name,
            no_wrap=True,
            overflow="ellipsis",
            min_width=6 if is_name else None,
            justify="right" if name in {"PID", "MEMORY", "BUSY"} else "left",
        )
    return table


def _who(each: Facts) -> Text:
    if each.get("mine"):
        return Text("you")
    return Text(clean(each["user"] or "unknown", _LONGEST), style="" if each["user"] else "red")


def _where(each: Facts) -> str:
    """The container as its owner calls it, or that there is none."""
    name = each["container"]
    if not name:
        short = (each["container_id"] or "")[:12]
        return short or _KINDS[WorkloadClass(each["kind"])]
    managed = each["kind"] == WorkloadClass.MANAGED
    return clean(name.partition(SEPARATOR)[0] if managed else name, _LONGEST)


def _kind(each: Facts) -> str:
    return each["interface"] or _KINDS[WorkloadClass(each["kind"])]


def _memory(used: int | None) -> str:
    if used is None:
        return ""
    return f"{used / _GIB:.1f} GB" if used >= _GIB else f"{used / _MIB:.0f} MB"
