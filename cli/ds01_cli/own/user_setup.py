"""`ds01 user-setup`: from a new account to a running container, one step after the other."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from ds01_cli.container import making, ways
from ds01_cli.frame import asking, guide, here, printing, session, waiting
from ds01_cli.frame.pages import print_markdown
from ds01_cli.ssh import setup
from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.client.problems import NotTheApi, Unauthenticated, Unreachable
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.recipes.first_steps import FILE, Ready, first_steps

FOLDERS = (here.PROJECTS, "data", ".config")
_NAME = "first"
_RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one step.

    Attributes:
        name: folders, key, vscode, container, first-steps.
        state: `done`, `there` (it was so before), `skipped`, `failed`.
        words: The same for people.
    """

    name: str
    state: str
    words: str


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
        page = first_steps(_ready(client))
    try:
        steps.append(_kept(page))
    except DS01Error as exc:
        failure = failure or exc
        steps.append(Step("first-steps", "failed", str(exc)))
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
        ("folders", lambda: guide.tell("folders"), _folders),
        ("key", lambda: guide.tell("key"), lambda: _key(client)),
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


def _folders() -> Step:
    if not here.on_server():
        return Step("folders", "skipped", "Your folders are on the server, not on this computer.")
    made = [name for name in FOLDERS if _make(Path.home() / name)]
    if not made:
        return Step("folders", "there", "Your folders are there: ~/projects, ~/data.")
    return Step("folders", "done", f"Folders made: {', '.join(f'~/{name}' for name in made)}.")


def _make(folder: Path) -> bool:
    try:
        folder.mkdir()
    except FileExistsError as exc:
        if not folder.is_dir():
            raise DS01Error(
                f"{folder} is a file where a folder should be.", "Rename it, and run this again."
            ) from exc
        return False
    except OSError as exc:
        raise DS01Error(
            f"{folder} cannot be made: {exc.strerror}.",
            "Make room, or tell your administrator; then run this again.",
        ) from exc
    return True


def _key(client: Client) -> Step:
    """The key of this computer: the private half is made here and never leaves it."""
    where, is_new = setup.prepare(client, None)
    if is_new:
        return Step(
            "key", "done", f"Your containers know the key of this computer: {where.identity}."
        )
    return Step("key", "there", "Your containers know the key of this computer already.")


def _editors(wishes: _Wishes) -> Step:
    where = setup.files()
    if not where.config.exists():
        return Step("vscode", "skipped", "VS Code is left for later: there is no key yet.")
    if setup.is_included(where):
        return Step("vscode", "there", "ssh and VS Code find your containers already.")
    question = f"Add one line to {where.own_config}, so that ssh and VS Code find your containers?"
    if wishes.asks and not asking.confirm(question, "--quick", default=True):
        return Step("vscode", "skipped", "Left as it is. To do it later: ds01 ssh-config")
    setup.include(where)
    return Step("vscode", "done", "ssh and VS Code find your containers, as NAME.ds01.")


def _container(client: Client, wishes: _Wishes) -> Step:
    later = "To start one: ds01 container deploy"
    containers = client.containers().containers
    running = _running(containers)
    if running is not None:
        return Step("container", "there", f"You have a container that runs: {running.name}.")
    if wishes.without_container:
        return Step("container", "skipped", f"No container was started. {later}")
    gpu = "without a GPU" if wishes.without_gpu else "with one GPU slot"
    if wishes.asks and not asking.confirm(
        f"Start a first container {gpu}?", "--no-container", default=True
    ):
        return Step("container", "skipped", f"No container was started. {later}")
    if any(each.name == _NAME for each in containers):
        with waiting.status(f"Starting {_NAME} …"):
            started = client.start(_NAME)
    else:
        started = making.made(client, _wanted(wishes))
    return Step("container", "done", f"{started.name} runs{ways.gpu_words(started)}.")


def _wanted(wishes: _Wishes) -> m.CreateRequest:
    return m.CreateRequest(
        name=_NAME,
        image=wishes.image,
        gpus=0 if wishes.without_gpu else 1,
        gpu="none" if wishes.without_gpu else None,
    )


def _running(containers: Iterable[m.Container]) -> m.Container | None:
    return next((each for each in containers if each.state == _RUNNING), None)


def _ready(client: Client) -> Ready:
    me = client.me()
    running = _running(me.containers)
    where = setup.files()
    return Ready(
        user=me.user,
        container=running.name if running else "",
        gpu=ways.gpu_words(running).removeprefix(", with ") if running else "",
        hub_url=me.hub_url or "",
        ssh=where.config.exists() and setup.is_included(where),
        folders=here.on_server(),
    )


def _kept(page: str) -> Step:
    """The page in a file of its own.

    Raises:
        Unavailable: It cannot be written.
    """
    path = setup.files().config.parent / FILE
    setup.write(path, page)
    return Step("first-steps", "done", f"The first steps are below, and in {path}.")
