"""The four phases of an image, and packages of one's own."""

from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets as w

from ds01_widgets.concepts import step
from ds01_widgets.models.image_builder import ImageBuilderModel
from ds01_widgets.models.image_choices import APT, FRAMEWORK, PIP, REQUIREMENTS
from ds01_widgets.models.image_draft import ImageDraft
from ds01_widgets.views import parts

_COMMAND = "image create"


class PhasesBox(w.VBox):
    """What is chosen. What the server does not offer cannot be.

    Args:
        model: Of the wizard.
    """

    def __init__(self, model: ImageBuilderModel) -> None:
        self._model = model
        self._drawing = False
        self.framework = parts.labelled(w.Dropdown(options=()), "Framework")
        self.about_framework = parts.html()
        self.jupyter = _tick("Jupyter, to work in the browser")
        self.about_jupyter = parts.html()
        self.data_science = _tick("Data science: tables, pictures, models")
        self.about_data_science = parts.html()
        self.use_case = parts.labelled(w.Dropdown(options=()), "Use case")
        self.about_use_case = parts.html()
        self.pip = _lines("Python packages, one a line", "einops\nrich>=13")
        self.apt = _lines("System packages, one a line", "ffmpeg")
        self.requirements = parts.labelled(
            w.Text(placeholder="~/projects/thesis/requirements.txt", continuous_update=False),
            "Packages of a file",
        )
        self.faults = {name: parts.html() for name in (FRAMEWORK, PIP, APT, REQUIREMENTS)}
        self._on(self.framework, lambda value: model.choose(framework=value))
        self._on(self.use_case, lambda value: model.choose(use_case=value))
        self._on(self.jupyter, lambda value: model.choose(jupyter=value))
        self._on(self.data_science, lambda value: model.choose(data_science=value))
        self._on(self.pip, lambda value: model.choose(pip=value))
        self._on(self.apt, lambda value: model.choose(apt=value))
        self._on(self.requirements, model.require)
        super().__init__(
            [
                _phase("1. Framework", "framework"),
                self.framework,
                self.about_framework,
                self.faults[FRAMEWORK],
                _phase("2. Jupyter", "jupyter"),
                self.jupyter,
                self.about_jupyter,
                _phase("3. Data science", "data-science"),
                self.data_science,
                self.about_data_science,
                _phase("4. Use case", "use-case"),
                self.use_case,
                self.about_use_case,
                _phase("Packages of your own", "extras"),
                self.pip,
                self.faults[PIP],
                self.apt,
                self.faults[APT],
                self.requirements,
                self.faults[REQUIREMENTS],
            ]
        )

    def draw(self) -> None:
        """Show it as the model is now."""
        draft = self._model.draft
        if draft is None:
            return
        self._drawing = True
        try:
            self._set(draft)
        finally:
            self._drawing = False

    def _set(self, draft: ImageDraft) -> None:
        choices = draft.choices
        frameworks = tuple((each.title, each.key) for each in draft.frameworks)
        parts.offer(self.framework, frameworks, choices.framework)
        parts.offer(
            self.use_case,
            tuple((each.title, each.key) for each in draft.use_cases),
            choices.use_case,
        )
        framework, use_case = draft.framework, draft.use_case
        if framework is not None:
            self.about_framework.value = _about(framework.description, framework.packages)
            packages = (*use_case.packages_for(framework), *use_case.apt)
            self.about_use_case.value = _about(use_case.description, packages)
        self.about_jupyter.value = _about("", draft.catalogue.jupyter)
        self.about_data_science.value = _about("", draft.catalogue.data_science)
        parts.keep(self.jupyter, value=choices.jupyter)
        parts.keep(self.data_science, value=choices.data_science)
        parts.keep(self.pip, value=choices.pip)
        parts.keep(self.apt, value=choices.apt)
        parts.keep(self.requirements, value=draft.required)
        for each in self._fields():
            each.disabled = draft.by_hand is not None
        faults = draft.faults
        for name, box in self.faults.items():
            box.value = parts.fault(faults.get(name, ""))

    def _fields(self) -> tuple[w.Widget, ...]:
        chosen = (self.framework, self.jupyter, self.data_science, self.use_case)
        return (*chosen, self.pip, self.apt, self.requirements)

    def _on(self, widget: w.Widget, deed: Callable[[Any], object]) -> None:
        parts.listen(widget, deed, lambda: self._drawing)


def _phase(title: str, name: str) -> w.Widget:
    return parts.Why(text=step(_COMMAND, name), title=title)


def _tick(text: str) -> w.Checkbox:
    return w.Checkbox(
        value=True, description=text, indent=False, layout=w.Layout(width=parts.FULL_WIDTH)
    )


def _lines(label: str, example: str) -> w.Widget:
    return parts.labelled(w.Textarea(placeholder=example, rows=3), label)


def _about(description: str, packages: tuple[str, ...]) -> str:
    lines = [description] if description else []
    if packages:
        lines.append(f"Brings {', '.join(packages)}.")
    inside = " ".join(lines)
    return f'<p class="ds01-quiet">{escape(inside)}</p>' if inside else ""
