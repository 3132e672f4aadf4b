"""`ds01 container retire`: stops and removes a container, so that its GPU is free at once."""

from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.container import naming
from ds01_cli.container.deeds import GRACE, each
from ds01_cli.container.naming import Names
from ds01_cli.frame import asking, guide, printing, session, waiting
from ds01_cli.frame.flags import Json, User
from ds01_spawner.domain.errors import DS01Error

if TYPE_CHECKING:
    from ds01_spawner.client import Client
    from ds01_spawner.client.models import Container, Removed


def retire(
    names: Names = None,
    *,
    force: Annotated[bool, typer.Option("-f", "--force", help="Do not ask anything.")] = False,
    save: Annotated[
        bool | None,
        typer.Option(
            "--save/--no-save",
            help="Put packages installed by hand into its image first.  [asked on a terminal]",
            show_default=False,
        ),
    ] = None,
    user: User = None,
    as_json: Json = False,
) -> None:
    """Stop and remove a container: its GPU is free at once.

    Your files and your images stay.
    """
    asks = asking.can_ask() and not force and not as_json
    saves = bool(save) or (save is None and asks and user is None)
    found: dict[str, Container] = {}
    unsaved: list[DS01Error] = []

    def deed(client: "Client", name: str) -> "Removed | None":
        container = found[name] = client.container(name, user=user)
        failure = _tried(client, container, asks=asks, said=bool(save)) if saves else None
        guide.tell("retire")
        if asks and not _sure(container, failure):
            printing.say(f"{name} stays.")
            return None
        with waiting.status(f"Retiring {name}: {GRACE} …"):
            removed = client.retire(name, user=user)
        if failure is not None and not asks:
            unsaved.append(failure)
        return removed

    with session.connect() as client:
        chosen = naming.asked(client, names or (), user=user, none="You have no container.")
        each(client, chosen, deed, lambda done: _told(found[done.name]), as_json=as_json)
        for error in unsaved[1:]:
            printing.note(str(error))
        if unsaved:
            raise unsaved[0]


def _tried(client: "Client", found: "Container", *, asks: bool, said: bool) -> DS01Error | None:
    """Save its packages; what was in the way, which is no reason to keep a GPU."""
    guide.tell("save")
    try:
        _saved(client, found, asks=asks and not said)
    except DS01Error as exc:
        if asks:
            printing.note(f"Nothing was saved. {exc}")
        return exc
    return None


def _saved(client: "Client", found: "Container", *, asks: bool) -> None:
    """Offer to keep what was installed by hand; that nothing can be told is no reason to stop.

    Raises:
        DS01Error: It was to be saved, and could not be.
    """
    from ds01_cli.image.making import Wishes  # noqa: PLC0415
    from ds01_cli.image.save import (  # noqa: PLC0415 - only where it is offered
        image_of,
        packages_by_hand,
        print_changes,
        save,
    )
    from ds01_spawner.home.image_places import place_of_image  # noqa: PLC0415

    name = found.name
    if found.state != "running":
        if not asks:
            printing.note(f"{name} does not run, so its packages cannot be looked at.")
        return
    try:
        image = image_of(client, name)
        with waiting.status("Looking for packages that were installed by hand …"):
            changes = packages_by_hand(client, name)
        if not changes:
            return
    except DS01Error:
        if not asks:
            raise
        return  # it is an image of the catalogue, or of before: nobody knows what was in it
    if asks:
        printing.say(f"Not in the image {image} yet:")
        print_changes(changes)
        question = (
            f"Put them into the image {image}? Else they are only in your home (~/.local), "
            "which all your containers share."
        )
        if not asking.confirm(question, "--save", default=True):
            return
    place = place_of_image(image, None, found.project)
    save(client, image, changes, place, Wishes(announces=False))


def _sure(found: "Container", failure: DS01Error | None) -> bool:
    if failure is not None:
        question = f"Retire {found.name} all the same? Your files stay."
        return asking.confirm(question, "--force", default=True)
    if found.state not in naming.LIVE:
        return True
    return asking.confirm(
        f"{found.name} runs. Stop and remove it? Your files stay.", "--force", default=True
    )


def _told(found: "Container") -> str:
    told = f"{found.name} is retired. Your files stay."
    if not found.gpu_slots:
        return told
    slots = f"slot{'s' * (len(found.gpu_slots) > 1)} {', '.join(found.gpu_slots)}"
    verb = "are" if len(found.gpu_slots) > 1 else "is"
    return f"{told} Its GPU {slots} {verb} free for the next."
