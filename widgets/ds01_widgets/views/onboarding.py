"""The first day: five steps, each with its explanation, to be taken in any order and again."""

import re
from html import escape

import ipywidgets as w

from ds01_spawner.home import first_day
from ds01_spawner.home.first_day import Step
from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models import onboarding
from ds01_widgets.models.onboarding import OnboardingModel, is_over
from ds01_widgets.running import Background
from ds01_widgets.views import parts
from ds01_widgets.views.view import View

_CODE = re.compile(r"`([^`]+)`")
_STRONG = re.compile(r"\*\*([^*]+)\*\*")
_MARKS = {
    first_day.DONE: "✓ ",
    first_day.THERE: "✓ ",
    first_day.SKIPPED: "- ",
    first_day.FAILED: "! ",
}
_KINDS = {first_day.DONE: "good", first_day.THERE: "good", first_day.FAILED: "problem"}
_TO_TYPE = (
    "On your own computer, once. The address of the hub is what your browser shows at the top of"
    " this page, up to the name of the computer."
)
_TO_COPY = (
    "A key of your own, on Linux or macOS? Then leave out the third line, and put this into the"
    " file ~/.ssh/config there:"
)
_TO_OPEN = (
    "VS Code needs its extension Remote - SSH. Then this address, in a browser on your own"
    " computer, opens your container:"
)
_MADE_HERE = "Without a key of your own: have one made here. It works from this server's terminals."
_OWN = (
    "From your own computer: open the file that ends in .pub, usually ~/.ssh/id_ed25519.pub, copy"
    " its one line, and paste it here. To make a key there, type ssh-keygen -t ed25519."
)


class Onboarding(View[OnboardingModel]):
    """`Onboarding()`: set yourself up, step by step.

    Args:
        open_client: Opens a client of the API.
        model: What is shown; of the API by default.
        step: Which step is open at first; by default the first that is not done.
    """

    def __init__(
        self,
        open_client: Connect = connect,
        model: OnboardingModel | None = None,
        *,
        step: str | None = None,
    ) -> None:
        super().__init__(model or OnboardingModel(open_client, Background()), "Your first day")
        self._chosen = step is not None
        self.steps = w.ToggleButtons(
            options=list(self.model.NAMES),
            value=step or first_day.FOLDERS,
            style={"button_width": "auto"},
        )
        self.steps.observe(self._choose, "value")
        self.said = parts.html()
        self.told = parts.html()
        self.progress = parts.ProgressBox()
        self.panels: dict[str, w.VBox] = {
            first_day.FOLDERS: self._folders(),
            first_day.KEY: self._key(),
            first_day.VSCODE: self._vscode(),
            first_day.CONTAINER: self._container(),
            first_day.FIRST_STEPS: self._first_steps(),
        }
        self.ideas = {name: parts.Why(*onboarding.ideas(name)) for name in self.model.NAMES}
        self.onward = parts.button("Go on", self._go_on, style="primary")
        self.look_again = parts.button(
            "Look again", self.model.load, hint="Find out anew what is done already"
        )
        self.fill(
            self.steps,
            self.told,
            *self.ideas.values(),
            self.said,
            *self.panels.values(),
            self.progress,
            parts.actions(self.onward, self.give_up, self.look_again),
        )

    @property
    def step(self) -> str:
        """The step that is open."""
        return str(self.steps.value)

    def draw(self) -> None:
        """See `View`."""
        model = self.model
        follows = model.next_step
        if not self._chosen and model.is_read:
            self._chosen = True
            parts.keep(self.steps, value=follows or first_day.FIRST_STEPS)
        self._draw_steps()
        step = model.step(self.step)
        parts.keep(self.told, value=_markdown(onboarding.explanation(step.name)))
        parts.keep(self.said, value=_told(step))
        for name, panel in self.panels.items():
            parts.show(panel, when=name == step.name and not model.busy)
            parts.show(self.ideas[name], when=name == step.name)
        self._draw_key(step)
        self._draw_vscode()
        self._draw_container(step)
        parts.show(self.make, when=step.state == first_day.OPEN)
        parts.show_markdown(self.page, model.found.page)
        parts.show_markdown(self.next, model.onward())
        self.progress.show(model.waiting or model.doing)
        parts.show(self.give_up, when=model.is_making)
        parts.show(self.onward, when=follows not in {None, step.name} and not model.busy)
        parts.keep(self.look_again, disabled=model.busy)

    def _draw_steps(self) -> None:
        labels = [
            (f"{number} {_MARKS.get(each.state, '')}{onboarding.title(each.name)}", each.name)
            for number, each in enumerate(self.model.found.steps, 1)
        ]
        if list(self.steps.options) != labels:
            chosen = self.steps.value
            with self.steps.hold_sync():
                self.steps.options = labels
                self.steps.value = chosen

    def _folders(self) -> w.VBox:
        self.make = parts.button("Make my folders", self.model.make_folders, style="primary")
        return w.VBox([parts.actions(self.make)])

    def _key(self) -> w.VBox:
        self.public_key = parts.labelled(
            w.Textarea(placeholder="ssh-ed25519 AAAA… you@your-computer", rows=3),
            "Public half of your key:",
        )
        self.add = parts.button("Add this key", self._add, style="primary")
        self.make_key = parts.button("Make a key here", self.model.make_key)
        return w.VBox(
            [
                parts.html(parts.paragraphs([_OWN])),
                self.public_key,
                parts.actions(self.add),
                parts.html(parts.paragraphs([_MADE_HERE])),
                parts.actions(self.make_key),
            ]
        )

    def _draw_key(self, step: Step) -> None:
        if step.name == first_day.KEY and step.state == first_day.DONE:
            parts.keep(self.public_key, value="")

    def _vscode(self) -> w.VBox:
        self.commands = parts.labelled(w.Textarea(), "To type:")
        self.configuration = parts.labelled(w.Textarea(), "To copy:")
        self.link = parts.labelled(w.Text(), "To open:")
        self.copied = parts.button("I have done that", self.model.configured, style="primary")
        self.here = parts.button(
            "Set up ssh on this server, too",
            self.model.tell_editors,
            hint="One line in the file ~/.ssh/config of your home folder",
        )
        self.to_open = w.VBox([parts.html(parts.paragraphs([_TO_OPEN])), self.link])
        return w.VBox(
            [
                parts.html(parts.paragraphs([_TO_TYPE])),
                self.commands,
                parts.html(parts.paragraphs([_TO_COPY])),
                self.configuration,
                self.to_open,
                parts.actions(self.copied, self.here),
            ]
        )

    def _draw_vscode(self) -> None:
        for field, text in (
            (self.commands, self.model.commands()),
            (self.configuration, self.model.configuration()),
        ):
            parts.keep(field, value=text, rows=len(text.splitlines()) + 1)
        parts.keep(self.link, value=self.model.editor_link())
        parts.show(self.to_open, when=bool(self.link.value))

    def _container(self) -> w.VBox:
        self.offers = w.RadioButtons(options=[], description="", layout=w.Layout(width="auto"))
        self.offers.observe(lambda _change: self.redraw(), "index")
        self.offered = parts.html()
        self.start = parts.button("Start it", self._start, style="primary")
        self.give_up = parts.button("Give my place up", self.model.cancel, style="warning")
        self.choice = w.VBox([self.offers, self.offered, parts.actions(self.start)])
        self.project = parts.labelled(w.Text(value="first-project"), "Name of a first project:")
        self.begin = parts.button("Begin a project", self._begin)
        self.projects = parts.html()
        return w.VBox([self.choice, self.project, parts.actions(self.begin), self.projects])

    def _draw_container(self, step: Step) -> None:
        found = self.model.found
        parts.show(self.choice, when=not is_over(step))
        labels = [each.label for each in found.offers]
        if list(self.offers.options) != labels:
            self.offers.options = labels
            self.offers.index = 0 if labels else None
        index = self.offers.index
        words = [found.offers[index].words] if index is not None and labels else []
        parts.keep(
            self.offered,
            value=parts.paragraphs([each for each in words if each])
            + parts.paragraphs(found.not_offered, "quiet"),
        )
        parts.show(self.start, when=bool(labels))
        there = [f"Your projects: {', '.join(found.projects)}."] if found.projects else []
        parts.keep(self.projects, value=parts.paragraphs(there, "quiet"))

    def _first_steps(self) -> w.VBox:
        self.page = w.Output()
        self.keep = parts.button("Keep this page", self.model.finish, style="primary")
        self.next = w.Output()
        return w.VBox([self.page, parts.actions(self.keep), self.next])

    def _choose(self, _change: object) -> None:
        if not self.drawing:
            self._chosen = True
            self.redraw()

    def _go_on(self) -> None:
        self._chosen = False
        self.redraw()

    def _add(self) -> None:
        self.model.add_key(str(self.public_key.value))

    def _begin(self) -> None:
        self.model.begin_project(str(self.project.value))

    def _start(self) -> None:
        index = self.offers.index
        if index is not None:
            self.model.start_container(self.model.found.offers[index])


def _told(step: Step) -> str:
    return parts.paragraphs([step.words] if step.words else [], _KINDS.get(step.state, "note"))


def _markdown(text: str) -> str:
    """The little Markdown that the explanations of steps are written in."""
    paragraphs = (" ".join(each.split()) for each in text.split("\n\n"))
    marked = (_STRONG.sub(r"<strong>\1</strong>", escape(each)) for each in paragraphs)
    return "".join(_CODE.sub(r"<code>\1</code>", f"<p>{each}</p>") for each in marked)
