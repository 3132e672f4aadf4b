"""`ds01 container retire`: stops and removes a container, so that its GPU is free at once."""

from typing import TYPE_CHECKING, Annotated

import typer

from ds01_cli.container import naming
from ds01_cli.container.deeds import GRACE
from ds01_cli.container.naming import Json, Names, User
from ds01_cli.frame import asking, guide, printing, session, waiting
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
    removed: list[Removed] = []
    with session.connect() as client:
        chosen = naming.asked(client, names or (), user=user, none="You have no container.")
        for name in chosen:
            found = client.container(name, user=user)
            if save or (save is None and asks and user is None):
                guide.tell("save")
                _saved(client, found, asks=asks)
            guide.tell("retire")
            if asks and not _sure(found):
                printing.say(f"{name} stays.")
                continue
            with waiting.status(f"Retiring {name}: {GRACE} …"):
                removed.append(client.retire(name, user=user))
            if not as_json:
                printing.say(_told(found))
    if as_json:
        one = len(chosen) == 1 and removed
        printing.print_json(removed[0] if one else {"containers": removed})


def _saved(client: "Client", found: "Container", *, asks: bool) -> None:
    """Offer to keep what was installed by hand; that nothing can be told is no reason to stop.

    Raises:
        DS01Error: It was to be saved, and could not be.
    """
    from ds01_cli.image.save import (  # noqa: PLC0415 - only where it is offered
        image_of,
        packages_by_hand,
        print_changes,
        save,
    )

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
        printing.say(f"In {name} you installed packages by hand:")
        print_changes(changes)
        question = f"Put them into the image {image}, so that your next container has them?"
        if not asking.confirm(question, "--save", default=True):
            return
    save(client, image, changes)


def _sure(found: "Container") -> bool:
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
