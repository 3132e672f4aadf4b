"""`ds01 project list` and `ds01 project status`: projects, their images and containers."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ds01_cli.frame import completing, guide, printing, session
from ds01_cli.frame.flags import Json
from ds01_cli.project import building
from ds01_spawner.client.words import state_words
from ds01_spawner.home.projects import Found, every, find, shown_path

if TYPE_CHECKING:
    from ds01_spawner.client import models as m


def list_projects(
    *,
    as_json: Json = False,
) -> None:
    """Show your projects, and which of them run."""
    guide.tell("list")
    found = list(every())
    with session.connect() as client:
        containers = {each.name: each for each in client.containers().containers}
    if as_json:
        printing.print_json({"projects": [_facts(each, containers) for each in found]})
        return
    printing.table(
        ["NAME", "TYPE", "CONTAINER", "GPU", "FOLDER"],
        [_row(each, containers) for each in found],
        empty="No projects in ~/projects. Begin one: ds01 project init NAME",
    )
    printing.note(*(f"{each.shown}: {each.problem}" for each in found if each.problem))


def status(
    *,
    name: Annotated[
        str | None,
        typer.Argument(
            help="Its name or folder; without it, the one you are in.",
            autocompletion=completing.projects,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show one project: its image, its container, and what to do next."""
    folder, project = find(name)
    guide.tell("status")
    with session.connect() as client:
        need = building.need_of(client, folder, project)
        container = building.container_of(client, project)
    facts: dict[str, Any] = {
        "name": project.name,
        "type": project.kind,
        "folder": str(folder),
        "gpu": project.gpu,
        "gpus": project.gpus,
        "image": project.image_name,
        "image_problem": need,
        "container": container,
    }
    if as_json:
        printing.print_json(facts)
        return
    launch = f"ds01 project launch {project.name}"
    printing.say(
        f"{project.name} ({project.kind}) in {shown_path(folder)}",
        f"Image {project.image_name}: {need or 'as the Dockerfile says'}.",
        f"Container: {_said(container)}",
    )
    if need:
        printing.say(f"Next: {launch}")
    elif container is None or container.state != "running":
        printing.say(f"Next: {launch} --open")
    else:
        printing.say(f"Next: ds01 container attach {project.name}")


def _said(container: "m.Container | None") -> str:
    if container is None:
        return "none."
    gpus = f" on GPU {', '.join(container.gpu_slots)}" if container.gpu_slots else ""
    lines = [f"{state_words(container.state)}{gpus}.", *container.sentences]
    return " ".join(lines)


def _facts(found: Found, containers: "dict[str, m.Container]") -> dict[str, Any]:
    project = found.project
    container = containers.get(project.name) if project else None
    return {
        "name": project.name if project else found.folder.name,
        "type": project.kind if project else None,
        "folder": str(found.folder),
        "changed_at": _changed(found.folder),
        "state": container.state if container else None,
        "gpu_slots": list(container.gpu_slots) if container else [],
        "problem": found.problem or None,
    }


def _row(found: Found, containers: "dict[str, m.Container]") -> list[str]:
    facts = _facts(found, containers)
    slots = ",".join(facts["gpu_slots"])
    state = state_words(facts["state"] or "")
    return [facts["name"], facts["type"] or "?", state, slots, found.shown]


def _changed(folder: Path) -> datetime:
    return datetime.fromtimestamp(folder.stat().st_mtime, UTC)
