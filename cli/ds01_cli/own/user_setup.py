"""`ds01 user-setup`: from a new account to a running container, one step after the other."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated

import typer

from ds01_cli.container import making
from ds01_cli.frame import asking, guide, printing, session, waiting
from ds01_cli.frame.pages import print_markdown
from ds01_spawner.client import Client
from ds01_spawner.client.problems import NotTheApi, Unauthenticated, Unreachable
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.home import first_day, ssh_files
from ds01_spawner.home.first_day import Step
from ds01_spawner.recipes.first_steps import first_steps


@dataclass(frozen=True, slots=True)
class _Wishes:
    asks: bool
    image: str | None
    without_container: bool
    without_gpu: bool


def user_setup(
    *,
    quick: Annotated[
        bool, typer.Option("--quick", help="Ask nothing: do every step as is usual.")
    ] = False,
    image: Annotated[
        str | None,
        typer.Option(metavar="IMAGE", help="Of the first container; without it, the usual one."),
    ] = None,
    cpu_only: Annotated[
        bool, typer.Option("--cpu-only", help="The first container has no GPU.")
    ] = False,
    no_container: Annotated[
        bool, typer.Option("--no-container", help="Start no first container.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Ask nothing, and print JSON for programs.")
    ] = False,
) -> None:
    """Set yourself up: folders, SSH key, VS Code, a first container, first steps.

    Run it again whenever you like: what is there stays as it is.
    """
    quick = quick or as_json
    wishes = _Wishes(
        asks=not quick and asking.can_ask(),
        image=image,
        without_container=no_container,
        without_gpu=cpu_only,
    )
    if not (wishes.asks or quick):
        raise typer.BadParameter("There is no terminal to ask on. Say it with --quick.")
    with session.connect() as client:
        client.me()  # where nobody answers, nothing is made
        steps, failure = _taken(client, wishes, quiet=as_json)
        page = first_steps(first_day.ready(client))
    try:
        steps.append(first_day.keep_page(page))
    except DS01Error as exc:
        failure = failure or exc
        steps.append(Step(first_day.FIRST_STEPS, first_day.FAILED, str(exc)))
    if as_json:
        printing.print_json({"steps": [asdict(each) for each in steps], "first_steps": page})
    else:
        _say(steps[-1])
        guide.tell("first-steps")
        print_markdown(page)
    if failure is not None:
        raise failure


def _taken(client: Client, wishes: _Wishes, *, quiet: bool) -> tuple[list[Step], DS01Error | None]:
    """Every step in its turn; one that fails keeps no other from being tried."""
    taken: list[Step] = []
    first: DS01Error | None = None
    # Each is told as its own: a guide's words are looked up by them.
    every: tuple[tuple[str, Callable[[], None], Callable[[], Step]], ...] = (
        ("folders", lambda: guide.tell("folders"), first_day.make_folders),
        ("key", lambda: guide.tell("key"), lambda: first_day.make_key(client)),
        ("vscode", lambda: guide.tell("vscode"), lambda: _editors(wishes)),
        ("container", lambda: guide.tell("container"), lambda: _container(client, wishes)),
    )
    for name, tell, take in every:
        tell()
        try:
            step = take()
        except (Unauthenticated, Unreachable, NotTheApi):
            raise  # nor would the others be done
        except DS01Error as exc:
            first = first or exc
            step = Step(name, "failed", str(exc))
        taken.append(step)
        if not quiet:
            _say(step)
    return taken, first


def _say(step: Step) -> None:
    marks = {"done": "+", "there": "=", "skipped": "-", "failed": "!"}
    printing.say(f"{marks[step.state]} {step.words}")


def _editors(wishes: _Wishes) -> Step:
    found = first_day.look_for_editors()
    if found.state != first_day.OPEN:
        return found
    own = ssh_files.files().own_config
    question = f"Add one line to {own}, so that ssh and VS Code find your containers?"
    if wishes.asks and not asking.confirm(question, "--quick", default=True):
        return Step(found.name, "skipped", "Left as it is. To do it later: ds01 ssh-config")
    return first_day.tell_editors()


def _container(client: Client, wishes: _Wishes) -> Step:
    later = "To start one: ds01 container deploy"
    containers = client.containers().containers
    found = first_day.look_for_container(containers)
    if found.state != first_day.OPEN:
        return found
    if wishes.without_container:
        return Step(found.name, "skipped", f"No container was started. {later}")
    gpu = "without a GPU" if wishes.without_gpu else "with one GPU slot"
    if wishes.asks and not asking.confirm(
        f"Start a first container {gpu}?", "--no-container", default=True
    ):
        return Step(found.name, "skipped", f"No container was started. {later}")
    name = first_day.CONTAINER_NAME
    if any(each.name == name for each in containers):
        with waiting.status(f"Starting {name} …"):
            return first_day.started(client.start(name))
    wanted = first_day.first_container(image=wishes.image, without_gpu=wishes.without_gpu)
    return first_day.started(making.made(client, wanted))
