"""A first day, step by step: each step finds what is done already, and can be taken again."""

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from ds01_spawner.client import Client
from ds01_spawner.client import models as m
from ds01_spawner.client.words import place_words
from ds01_spawner.domain.errors import DS01Error
from ds01_spawner.handbook import page as handbook_page
from ds01_spawner.home import first_day
from ds01_spawner.home.first_day import Step
from ds01_spawner.recipes.first_steps import first_steps
from ds01_spawner.recipes.ssh_config import editor_link, host_of, to_copy
from ds01_widgets.connecting import Connect, connect
from ds01_widgets.handing_out import FIRST_GPU, FOLDER
from ds01_widgets.models.first_look import Found, Offer, begun, look
from ds01_widgets.models.wizard import Wizard
from ds01_widgets.running import Job, Running

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

    def onward(self) -> str:
        """Where to go on after the last step, in Markdown; empty where that notebook is not."""
        notebook = Path.home() / FOLDER / FIRST_GPU
        try:
            there = os.path.relpath(notebook) if notebook.is_file() else ""
        except OSError:  # the folder that one works in is gone
            return ""
        return f"Go on with a GPU: [Your first GPU]({quote(there)})" if there else ""

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
