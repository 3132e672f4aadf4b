"""`ds01 image list` and `ds01 image show`."""

from typing import Annotated

import typer

from ds01_cli.frame import guide, printing, session
from ds01_cli.frame.flags import Form, Format, Json
from ds01_cli.image import options
from ds01_spawner.domain.errors import DS01Error, InvalidRequest
from ds01_spawner.domain.wording import clean, size
from ds01_spawner.home.image_places import Place, place_of_image
from ds01_spawner.home.images import called, catalogue_of
from ds01_spawner.recipes.catalogue import Catalogue
from ds01_spawner.recipes.dockerfile_reading import kept
from ds01_spawner.recipes.recipe import Recipe, loaded

_MOST_LAYERS = 8
_WIDEST = 70


def list_images(
    *,
    own: Annotated[bool, typer.Option("--own", help="Only those you made.")] = False,
    form: Form = Format.TABLE,
    as_json: Json = False,
) -> None:
    """Show the images that you may start, and which of your containers use them."""
    guide.tell("look")
    with session.connect() as client:
        images = [each for each in client.images().images if each.own or not own]
        containers = client.containers().containers
    used = {
        each.reference: [box.name for box in containers if box.image == each.reference]
        for each in images
    }
    if as_json or form is Format.JSON:
        facts = [
            {**each.model_dump(mode="json"), "used_by": used[each.reference]} for each in images
        ]
        printing.print_json({"images": facts})
        return
    printing.table(
        ("IMAGE", "WHOSE", "SIZE", "MADE", "USED BY", "WHAT"),
        [
            (
                called(each),
                "yours" if each.own else "everybody's",
                "not here yet" if each.size_bytes is None else size(each.size_bytes),
                "" if each.created_at is None else f"{each.created_at:%Y-%m-%d}",
                ", ".join(used[each.reference]),
                "" if each.own else each.description,
            )
            for each in images
        ],
        style="simple" if form is Format.SIMPLE else "table",
        right=("SIZE",),
        empty="You have no images yet. Make one: ds01 image create",
    )


def show(
    *,
    name: options.AnyName,
    dockerfile: Annotated[
        bool, typer.Option("--dockerfile", help="Print its Dockerfile alone.")
    ] = False,
    project: options.Project = None,
    as_json: Json = False,
) -> None:
    """Show what an image is made of, and who uses it."""
    guide.tell("look")
    place = _place(name, project)
    text = place.read() if place else None
    if dockerfile:
        if text is None:
            raise InvalidRequest(f"There is no Dockerfile of {name} here.")
        typer.echo(text, nl=False)
        return
    with session.connect() as client:
        detail = client.image(name)
        catalogue = catalogue_of(client.image_options())
    if as_json:
        printing.print_json(detail)
        return
    lines = [
        f"Image:       {called(detail)}{'' if detail.own else ' (everybody may start it)'}",
        f"Made of:     {_made_of(detail.recipe, catalogue) or detail.description or 'not known'}",
        f"Size:        {'not here yet' if detail.size_bytes is None else size(detail.size_bytes)}",
        f"Used by:     {', '.join(detail.used_by) or 'no container of yours'}",
    ]
    if text is not None and place is not None:
        changed = " (changed by hand)" if kept(text).edited else ""
        lines.append(f"Dockerfile:  {place.shown}{changed}")
    printing.say(*lines)
    largest = sorted(detail.layers, key=lambda each: -each.size_bytes)[:_MOST_LAYERS]
    rows = [(size(each.size_bytes), clean(each.created_by, _WIDEST)) for each in largest]
    if rows:
        printing.say("", "Its largest layers:")
        printing.table(("SIZE", "STEP"), rows, right=("SIZE",))


def _place(name: str, project: str | None) -> Place | None:
    try:
        return place_of_image(name, project)
    except InvalidRequest:
        return None


def _made_of(recipe: str | None, catalogue: Catalogue) -> str:
    if recipe is None:
        return ""
    try:
        found: Recipe = loaded(recipe)
        own = " ".join((*found.pip, *found.apt))
        return found.sentence(catalogue) + (f": {own}" if own else "")
    except DS01Error:
        return ""
