"""`ds01 image delete` and `ds01 image prune`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from ds01_cli.frame import asking, guide, printing, session
from ds01_cli.frame.flags import Json
from ds01_cli.image import options
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Conflict
from ds01_spawner.domain.wording import size
from ds01_spawner.home.image_files import Files, forgotten
from ds01_spawner.home.images import LATEST


def delete(
    *,
    names: options.OwnNames,
    yes: options.Yes = False,
    with_dockerfile: Annotated[
        bool, typer.Option("--with-dockerfile", help="Delete its Dockerfile, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Delete images of yours; says first which of your containers use them."""
    guide.tell("check")
    wanted = list(dict.fromkeys(name.removesuffix(LATEST) for name in names))
    with session.connect() as client:
        details = [client.image(name) for name in wanted]
        for name, detail in zip(wanted, details, strict=True):
            _check(name, detail)
        pairs = zip(wanted, details, strict=True)
        listed = ", ".join(f"{name} ({_size(each)})" for name, each in pairs)
        if not yes and not asking.confirm(f"Delete {listed}?", "--yes"):
            _say_kept(as_json=as_json)
            if as_json:
                printing.print_json(_facts([], []))
            return
        gone = [client.delete_image(name).name for name in wanted]
    files = [forgotten(name, with_dockerfile=with_dockerfile) for name in wanted]
    if as_json:
        printing.print_json(_facts(gone, files))
        return
    for name, each in zip(wanted, files, strict=True):
        printing.say(f"Deleted the image {name}.", *each.sentences())


def prune(
    *,
    unused: Annotated[
        bool, typer.Option("--unused", help="Also images with a name that no container uses.")
    ] = False,
    yes: options.Yes = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go; delete nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make room: delete what old builds of yours left behind."""
    guide.tell("look")
    with session.connect() as client:
        found = client.prune_images(unused=unused, dry_run=True)
        if not dry_run and found.images:
            _print(found, on_stderr=as_json)
            if not yes and not asking.confirm("Delete them?", "--yes"):
                _say_kept(as_json=as_json)
                if as_json:
                    printing.print_json(found)
                return
            found = client.prune_images(unused=unused)
    if as_json:
        printing.print_json(found)
    elif not found.images:
        printing.say("There is nothing to delete.")
    elif dry_run:
        _print(found)
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


def _size(detail: m.ImageDetail) -> str:
    return "size not known" if detail.size_bytes is None else size(detail.size_bytes)


def _facts(gone: Sequence[str], files: Sequence[Files]) -> dict[str, list[str]]:
    return {
        "deleted": list(gone),
        "files_deleted": [str(path) for each in files for path in each.removed],
        "files_left": [str(path) for each in files for path in each.left],
    }


def _say_kept(*, as_json: bool) -> None:
    printing.console(stderr=as_json).print("Nothing was deleted.")


def _print(found: m.Pruned, *, on_stderr: bool = False) -> None:
    names = ", ".join(found.images)
    words = f"{names or 'Nothing'}: {size(found.freed_bytes)} in all."
    printing.console(stderr=on_stderr).print(words)
