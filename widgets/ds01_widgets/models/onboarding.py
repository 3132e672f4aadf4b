"""A first day, step by step: each step finds what is done already, and can be taken again."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.client.words import place_words
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.handbook import page as handbook_page
from ds01_spawner.home import first_day, project_files, projects
from ds01_spawner.home.first_day import Step
from ds01_spawner.home.images import catalogue_of
from ds01_spawner.recipes.catalogue import NO_USE_CASE
from ds01_spawner.recipes.first_steps import first_steps
from ds01_spawner.recipes.project import REQUIREMENTS, Project, files_of, project_name
from ds01_spawner.recipes.recipe import Recipe
from ds01_spawner.recipes.ssh_config import editor_link, host_of, to_copy
from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models.wizard import Wizard
from ds01_widgets.running import Job, Running

WAIT = "30m"
"""So long a first container waits for a GPU, where none is free."""

_COMMAND = "user-setup"
_TITLES = {
    first_day.FOLDERS: "Your folders",
    first_day.KEY: "Your SSH key",
    first_day.VSCODE: "VS Code and ssh",
    first_day.CONTAINER: "Container and project",
    first_day.FIRST_STEPS: "First steps",
}
_IDEAS = {
    first_day.FOLDERS: ("workspace",),
    first_day.KEY: ("ssh",),
    first_day.VSCODE: ("ssh", "hub"),
    first_day.CONTAINER: ("container", "gpu-slot", "queue", "project"),
    first_day.FIRST_STEPS: ("idle", "limits"),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """A first container that somebody may have.

    Attributes:
        label: What it is.
        wanted: What is asked for.
        words: What would come of it now.
    """

    label: str
    wanted: m.CreateRequest
    words: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What one look at somebody's home and at the API found.

    Attributes:
        steps: What is done.
        user: Who asks.
        home: Their home in containers.
        hub_url: The hub in a browser; empty where it is not known.
        container: A container of theirs that runs.
        offers: What a first container may be.
        not_offered: Why it may not be more.
        page: The page of first steps.
        projects: Their projects, as they would type them.
    """

    steps: tuple[Step, ...]
    user: str = ""
    home: str = ""
    hub_url: str = ""
    container: str = ""
    offers: tuple[Offer, ...] = ()
    not_offered: tuple[str, ...] = ()
    page: str = ""
    projects: tuple[str, ...] = ()


class OnboardingModel(Wizard):
    """The five steps of `ds01 user-setup`.

    Attributes:
        found: What the last look found.
        waiting: The place in the queue, or what is being done for a container, in words.
    """

    NAMES: ClassVar[tuple[str, ...]] = first_day.NAMES

    def __init__(self, open_client: Connect = connect, running: Running | None = None) -> None:
        super().__init__(open_client, running)
        self.found = Found(tuple(Step(name, first_day.OPEN, "") for name in self.NAMES))
        self.waiting = ""
        self._making: Job | None = None

    def load(self) -> None:
        """Find out what is done already."""
        self.ask(look, self._take, "Looking at what is done already …")

    def step(self, name: str) -> Step:
        """What became of a step."""
        return next(each for each in self.found.steps if each.name == name)

    @property
    def is_read(self) -> bool:
        """Whether it is known what is done."""
        return bool(self.found.user)

    @property
    def next_step(self) -> str | None:
        """The first that is not done yet; `None` where all are."""
        return next((each.name for each in self.found.steps if not is_over(each)), None)

    @property
    def is_making(self) -> bool:
        """Whether a container is being made, or waited for."""
        return self._making is not None

    def make_folders(self) -> None:
        """The step `folders`."""
        self._go(lambda _client: first_day.make_folders(), "Making your folders …")

    def make_key(self) -> None:
        """The step `key`, with a key that is made here."""
        self._go(first_day.make_key, "Making a key …")

    def add_key(self, text: str) -> None:
        """The step `key`, with the public half of a key from elsewhere."""
        self._go(lambda client: first_day.add_key(client, text), "Adding your key …")

    def tell_editors(self) -> None:
        """The step `vscode`, for this home."""
        self._go(lambda _client: first_day.tell_editors(), "Writing one line …")

    def configured(self) -> None:
        """The step `vscode`, after somebody copied the configuration to their own computer."""
        self._go(lambda _client: first_day.remember_configured(), "Remembering that …")

    def start_container(self, offer: Offer) -> None:
        """The step `container`: one that is there is started, else one is made."""
        if self.is_making:
            return

        def make(job: Job) -> tuple[Step, Found]:
            container = _made(self.client, offer.wanted, job, self._tell)
            return _and_look(first_day.started(container), self.client)

        def done(result: tuple[Step, Found]) -> None:
            self._making, self.waiting = None, ""
            self._taken(result)

        self._making = self.work(make, done, "Asking for the container …")
        if not self.doing:  # it has ended already
            self._making = None
        self.changed()

    def cancel(self) -> None:
        """Give the place in the queue up."""
        if self._making is not None:
            self._making.cancel()
            self._making, self.waiting, self.doing = None, "", ""
            self.ask(_out_of_queue, self._take, "Giving your place up …")

    def begin_project(self, name: str) -> None:
        """The other half of the step `container`: a folder with everything for a project."""

        def begin(client: Client) -> Found:
            begun(client, name.strip())
            return look(client)

        self.ask(begin, self._take, "Making the folder …")

    def finish(self) -> None:
        """The step `first-steps`: the page, kept in a file of its own."""

        def keep(client: Client) -> Step:
            return first_day.keep_page(first_steps(first_day.ready(client)))

        self._go(keep, "Writing the page …")

    def configuration(self) -> str:
        """Lines for `~/.ssh/config` of somebody's own computer."""
        return to_copy(self.found.user)

    def commands(self) -> str:
        """What to type on one's own computer, once."""
        hub = self.found.hub_url or "https://ADDRESS-OF-THE-HUB"
        return f'pipx install "ds01[cli]"\nds01 login {hub}\nds01 ssh-config'

    def editor_link(self) -> str:
        """An address that opens one's container in VS Code; empty without a container."""
        if not (self.found.container and self.found.home):
            return ""
        return editor_link(host_of(self.found.container), self.found.home)

    def failed(self, error: DS01Error) -> None:
        """See `Wizard`."""
        self._making, self.waiting = None, ""
        super().failed(error)

    def _go(self, deed: Callable[[Client], Step], doing: str) -> None:
        self.ask(lambda client: _and_look(deed(client), client), self._taken, doing)

    def _taken(self, result: tuple[Step, Found]) -> None:
        step, found = result
        self._take(found, step)

    def _take(self, found: Found, now: Step | None = None) -> None:
        """What a look found; a step that was taken just now is told as such."""
        steps = (now if now and now.name == each.name else each for each in found.steps)
        self.found = replace(found, steps=tuple(steps))

    def _tell(self, words: str) -> None:
        self.waiting = words
        self.changed()


def title(name: str) -> str:
    """What a step is called."""
    return _TITLES[name]


def explanation(name: str) -> str:
    """What is told before a step; Markdown."""
    return handbook_page(_COMMAND).steps[name]


def ideas(name: str) -> tuple[str, ...]:
    """Names of the handbook's concepts that a step stands on."""
    return _IDEAS[name]


def is_over(step: Step) -> bool:
    """Whether nothing has to be done for a step any more."""
    return step.state in {first_day.DONE, first_day.THERE}


def look(client: Client) -> Found:
    """What is done of the steps; nothing is changed.

    Raises:
        DS01Error: The API does not say.
    """
    me = client.me()
    running = first_day.running_one(me.containers)
    again = any(each.name == first_day.CONTAINER_NAME for each in me.containers)
    offers, not_offered = ((), ()) if running else offered(client, again=again)
    return Found(
        steps=(
            first_day.look_for_folders(),
            first_day.look_for_key(client),
            first_day.look_for_configured(),
            first_day.look_for_container(me.containers),
            first_day.look_for_page(),
        ),
        user=me.user,
        home=client.ssh().home,
        hub_url=me.hub_url or "",
        container=running.name if running else "",
        offers=offers,
        not_offered=not_offered,
        page=first_steps(first_day.ready(client)),
        projects=tuple(each.shown for each in projects.every()),
    )


def begun(client: Client, name: str) -> Path:
    """The folder of a project that begins as is usual; what is there stays.

    Raises:
        DS01Error: It cannot be made, or something is there already.
    """
    folder = projects.usual_folder() / project_name(name)
    project_files.check_free(folder)
    catalogue = catalogue_of(client.image_options())
    base = catalogue.frameworks[0]
    recipe = Recipe(base.key, NO_USE_CASE, requirements=(REQUIREMENTS,))
    project = Project(name, NO_USE_CASE, "" if base.gpu else "none")
    project_files.make(folder, files_of(project, recipe, catalogue))
    project_files.make_repository(folder)
    return folder


def offered(client: Client, *, again: bool) -> tuple[tuple[Offer, ...], tuple[str, ...]]:
    """What a first container may be as the policy and the GPUs are now, and why not more.

    Args:
        client: Asks the API.
        again: Whether there is a first container, stopped.

    Raises:
        DS01Error: The API does not say.
    """
    if again:
        wanted = first_day.first_container()
        return (Offer("Start it again", wanted, f"{wanted.name} is stopped."),), ()
    offers: list[Offer] = []
    reasons: list[str] = []
    for label, without_gpu in (("With one GPU slot", False), ("Without a GPU", True)):
        wanted = first_day.first_container(without_gpu=without_gpu)
        plan = client.plan(wanted)
        if plan.would_wait is not None:
            waits = wanted.model_copy(update={"wait": WAIT})
            offers.append(Offer(label, waits, place_words(plan.would_wait)))
        elif plan.refused is None:
            offers.append(Offer(label, wanted, " ".join(plan.sentences)))
        else:
            reasons.append(f"{label}: {plan.refused.detail} {plan.refused.next_step}".rstrip())
    return tuple(offers), tuple(reasons)


def _and_look(step: Step, client: Client) -> tuple[Step, Found]:
    return step, look(client)


def _out_of_queue(client: Client) -> Found:
    for ticket in client.queue().tickets:
        if ticket.name == first_day.CONTAINER_NAME:
            client.leave_queue(ticket.id)
    return look(client)


def _made(
    client: Client, wanted: m.CreateRequest, job: Job, tell: Callable[[str], None]
) -> m.Container:
    if any(each.name == wanted.name for each in _all(client)):
        return client.start(wanted.name or "")
    return client.create(
        wanted,
        on_place=lambda place: job.tell(lambda: tell(place_words(place))),
        on_step=lambda step: job.tell(lambda: tell(step.text)),
    )


def _all(client: Client) -> Iterable[m.Container]:
    return client.containers().containers
