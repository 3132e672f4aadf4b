"""`ds01 image save-from`: what was installed in a container by hand goes into its image."""

from collections.abc import Iterable
from typing import Annotated

import typer

from ds01_cli.frame import asking, completing, guide, printing, session
from ds01_cli.frame.flags import Json
from ds01_cli.image import options
from ds01_cli.image.making import Wishes
from ds01_cli.image.update import Changes, apply
from ds01_spawner.client import Client
from ds01_spawner.client.streams import STDOUT
from ds01_spawner.domain.errors import Conflict, InvalidRequest
from ds01_spawner.home.image_places import Place, place_of_image
from ds01_spawner.recipes.by_hand import LOOK, Change, installed
from ds01_spawner.recipes.packages import image_name, pip_name, pip_package

_LARGEST = 4_000_000
_OWN = "ds01-"


def save_from(  # noqa: PLR0913 - the flags of the command
    *,
    container: Annotated[
        str,
        typer.Argument(
            help="Where the packages were installed.", autocompletion=completing.running_containers
        ),
    ],
    image: Annotated[
        str | None,
        typer.Option(
            help="Into which image; without it, its own.", autocompletion=completing.own_images
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="PACKAGE", help="Take this package; without it, all."),
    ] = None,
    project: options.Project = None,
    yes: options.Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be added.")] = False,
    verbose: options.Verbose = False,
    as_json: Json = False,
) -> None:
    """Put packages that you installed in a container into its image."""
    guide.tell("compare")
    with session.connect() as client:
        changes = _chosen(packages_by_hand(client, container), only or ())
        if dry_run and as_json:
            printing.print_json(
                {"packages": [{"package": each.package, "before": each.before} for each in changes]}
            )
            return
        if not changes:
            if as_json:
                printing.print_json({"build": None, "packages": []})
            else:
                printing.say(f"Nothing was installed in {container} by hand.")
            return
        if not as_json:
            print_changes(changes)
        if dry_run:
            return
        name = image_name(image) if image else image_of(client, container)
        if not yes and not asking.confirm(f"Add to the image {name}?", "--yes", default=True):
            printing.note("Nothing was changed.")
            if as_json:
                printing.print_json({"build": None, "packages": []})
            return
        place = place_of_image(name, project, client.container(container).project)
        save(client, name, changes, place, Wishes(verbose=verbose, as_json=as_json))


def packages_by_hand(client: Client, container: str) -> tuple[Change, ...]:
    """What was installed in a running container since its image was made.

    Raises:
        InvalidRequest: That cannot be told.
    """
    printed = b""
    with client.exec(container, LOOK) as running:
        running.end_input()
        while (read := running.read()) is not None:
            stream, data = read
            if stream == STDOUT:
                printed += data
            if len(printed) > _LARGEST:
                raise InvalidRequest(f"{container} tells too much about its packages.")
    return installed(printed.decode("utf-8", "replace"))


def image_of(client: Client, container: str) -> str:
    """What the image of one's own is called that a container was made of.

    Raises:
        Conflict: It is everybody's.
    """
    reference = client.container(container).image
    owner, _, name = reference.partition("/")
    if not owner.startswith(_OWN) or not name:
        raise Conflict(
            f"{container} was made of {reference or 'an image without a name'}, which is not "
            "yours to change.",
            "Make one of your own, then say which: --image NAME.",
        )
    return name.partition(":")[0]


def _chosen(changes: tuple[Change, ...], only: Iterable[str]) -> tuple[Change, ...]:
    names = {pip_name(each.package): each for each in changes}
    wanted = [pip_name(pip_package(each)) for each in only]
    if missing := [each for each in wanted if each not in names]:
        raise InvalidRequest(
            f"{', '.join(missing)} was not installed by hand.",
            f"These were: {', '.join(names) or 'none'}.",
        )
    return tuple(names[each] for each in wanted) if wanted else changes


def print_changes(changes: tuple[Change, ...]) -> None:
    """Show packages, and what they were before."""
    rows = [(each.package, each.before or "not there") for each in changes]
    printing.table(("PACKAGE", "IN THE IMAGE"), rows)


def save(
    client: Client,
    name: str,
    changes: tuple[Change, ...],
    place: Place,
    wishes: Wishes,
) -> None:
    """Build the image with these packages; its Dockerfile says them from then on."""
    apply(client, name, place, Changes(add=tuple(each.package for each in changes)), wishes)
