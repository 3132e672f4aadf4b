"""`ds01 image delete` and `ds01 image prune`."""

from typing import Annotated

import typer

from ds01_cli.frame import asking, guide, printing, session
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Conflict
from ds01_spawner.domain.wording import size
from ds01_spawner.home.image_places import place_of


def delete(
    *,
    names: Annotated[list[str], typer.Argument(help="Which images.", metavar="NAME...")],
    yes: Annotated[bool, typer.Option("--yes", "-y", "-f", help="Do not ask.")] = False,
    with_dockerfile: Annotated[
        bool, typer.Option("--with-dockerfile", help="Its Dockerfile, too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Delete images of yours; says first which of your containers use them."""
    guide.tell("check")
    with session.connect() as client:
        details = [client.image(name) for name in dict.fromkeys(names)]
        for name, detail in zip(dict.fromkeys(names), details, strict=True):
            _check(name, detail)
        listed = ", ".join(f"{name} ({_size(each)})" for name, each in _pairs(names, details))
        if not yes and not asking.confirm(f"Delete {listed}?", "--yes"):
            printing.say("Nothing was deleted.")
            return
        gone = [client.delete_image(name).name for name in dict.fromkeys(names)]
    if as_json:
        printing.print_json({"deleted": gone})
    for name in dict.fromkeys(names):
        _tell(name, with_dockerfile=with_dockerfile, quiet=as_json)


def prune(
    *,
    unused: Annotated[
        bool, typer.Option("--unused", help="Those with a name that no container uses, too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", "-f", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Say what would go; delete nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Make room: delete what old builds of yours left behind."""
    guide.tell("look")
    with session.connect() as client:
        found = client.prune_images(unused=unused, dry_run=True)
        if not dry_run and found.images:
            _print(found, quiet=as_json)
            if not yes and not asking.confirm("Delete them?", "--yes"):
                printing.say("Nothing was deleted.")
                return
            found = client.prune_images(unused=unused)
    if as_json:
        printing.print_json(found)
    elif not found.images:
        printing.say("There is nothing to delete.")
    elif dry_run:
        _print(found, quiet=False)
    else:
        printing.say(f"Deleted {len(found.images)}; {size(found.freed_bytes)} are free again.")


def _check(name: str, detail: m.ImageDetail) -> None:
    if not detail.own:
        raise Conflict(f"{name} is everybody's image.", "Only your own can be deleted.")
    if detail.used_by:
        users = ", ".join(detail.used_by)
        raise Conflict(
            f"{name} is in use by {users}.",
            f"Retire what uses it first: ds01 container retire {detail.used_by[0]}.",
        )


def _pairs(names: list[str], details: list[m.ImageDetail]) -> list[tuple[str, m.ImageDetail]]:
    return list(zip(dict.fromkeys(names), details, strict=True))


def _size(detail: m.ImageDetail) -> str:
    return "size not known" if detail.size_bytes is None else size(detail.size_bytes)


def _tell(name: str, *, with_dockerfile: bool, quiet: bool) -> None:
    place = place_of(name.removesuffix(":latest"), None)
    if with_dockerfile:
        place.remove_all()
    if quiet:
        return
    printing.say(f"Deleted the image {name}.")
    if place.dockerfile.exists():
        printing.say(f"Its Dockerfile is still there: {place.shown}")


def _print(found: m.Pruned, *, quiet: bool) -> None:
    if not quiet:
        names = ", ".join(found.images)
        printing.say(f"{names or 'Nothing'}: {size(found.freed_bytes)} in all.")
