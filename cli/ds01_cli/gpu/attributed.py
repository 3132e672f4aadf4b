"""What runs on the GPUs as tables, from what `--json` prints."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from ds01_cli.frame import printing
from ds01_cli.gpu.tables import ago
from ds01_spawner.domain.attribution import OURS, Proof, WorkloadClass
from ds01_spawner.domain.names import SEPARATOR
from ds01_spawner.domain.wording import clean, percent, size

Facts = Mapping[str, Any]
"""A process or a workload, as `--json` prints it."""

_LONGEST = 60
_PAST = ", past the platform"
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
    rows = [
        (
            each["slot"],
            str(each["pid"] or "?"),
            _who(each),
            _where(each),
            each["name"] or "?",
            _memory(each["memory_bytes"]),
            "" if each["sm_share"] is None else percent(each["sm_share"]),
            ago(each["started_at"], now),
        )
        for each in processes
    ]
    heads = ("SLOT", "PID", "WHO", "WHERE", "PROGRAM", "MEMORY", "BUSY", "FOR")
    _print_table(heads, rows, ("PID", "MEMORY", "BUSY"), "Nothing runs on the GPUs.")
    _print_rest(console, found, [each for each in processes if each["user"] is None])


def print_workloads(console: Console, found: Facts, now: datetime) -> None:
    """Write what runs, for people."""
    every: Sequence[Facts] = found["workloads"]
    rows = [
        (
            _who(each),
            _where(each),
            _kind(each),
            " ".join(each["slots"]),
            _memory(each["memory_bytes"] if each["processes"] else None),
            ago(each["since"], now),
            _PROOFS[Proof(each["proof"])],
        )
        for each in every
    ]
    heads = ("WHO", "WHERE", "STARTED AS", "SLOTS", "MEMORY", "FOR", "KNOWN BY")
    _print_table(heads, rows, ("MEMORY",), "Nothing runs.")
    _print_rest(console, found, [each for each in every if each["user"] is None and each["slots"]])


def _print_table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str], empty: str
) -> None:
    """Rows; names are cut, and nothing else."""
    cells = [[clean(cell, _LONGEST) for cell in row] for row in rows]
    printing.table(heads, cells, right=right, empty=empty)


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


def _who(each: Facts) -> str:
    return "you" if each.get("mine") else str(each["user"] or "unknown")


def _where(each: Facts) -> str:
    """The container as its owner calls it, or that there is none."""
    name = each["container"]
    if not name:
        short = (each["container_id"] or "")[:12]
        return short or _KINDS[WorkloadClass(each["kind"])]
    managed = each["kind"] == WorkloadClass.MANAGED
    return clean(name.partition(SEPARATOR)[0] if managed else name, _LONGEST)


def _kind(each: Facts) -> str:
    """The door it came through; of what came through none, that it did."""
    if each["interface"]:
        return str(each["interface"])
    kind = WorkloadClass(each["kind"])
    return f"{_KINDS[kind]}{'' if kind in OURS else _PAST}"


def _memory(used: int | None) -> str:
    return "" if used is None else size(used)
