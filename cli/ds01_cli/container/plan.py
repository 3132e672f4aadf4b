"""What a container would come to now: nothing is made."""

from typing import TYPE_CHECKING

from ds01_cli.frame import printing
from ds01_spawner.domain.wording import clean

if TYPE_CHECKING:
    from ds01_spawner.client import Client
    from ds01_spawner.client.models import CreateRequest


def show(client: "Client", wanted: "CreateRequest", *, as_json: bool) -> None:
    """Print what a request would come to now.

    Raises:
        DS01Error: It would be refused.
    """
    from ds01_spawner.client.problems import error_of  # noqa: PLC0415 - help does without pydantic

    plan = client.plan(wanted)
    error = None if plan.refused is None else error_of(plan.refused)
    if as_json:
        printing.print_json(plan)
    else:
        printing.say(*(each for each in plan.sentences if each != str(error)))
    for warning in plan.warnings:
        printing.note(clean(warning, printing.PIPED_WIDTH))
    if error is not None:
        raise error
    if not as_json:
        printing.say("Nothing was made: this was only a look (--dry-run).")
