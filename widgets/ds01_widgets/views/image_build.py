"""An image's name, its build, how far that is, and why it failed."""

from collections.abc import Iterable
from html import escape
from typing import Any

import ipywidgets as w

from ds01_widgets.concepts import step
from ds01_widgets.models.image_build import CodeLine, ImageBuild
from ds01_widgets.models.image_builder import ImageBuilderModel
from ds01_widgets.models.image_choices import NAME
from ds01_widgets.views import parts

_SHOW, _HIDE = "Show the log", "Hide the log"


class BuildBox(w.VBox):
    """Builds, and follows.

    Args:
        model: Of the wizard.
    """

    def __init__(self, model: ImageBuilderModel) -> None:
        self._model = model
        self._drawing = False
        self.why = parts.Why(text=step("image create", "build"))
        self.name = parts.labelled(w.Text(placeholder="thesis"), "Name of the image")
        self.name.observe(self._called, "value")
        self.fault = parts.html()
        self.open_kept = parts.button("Open the Dockerfile that is there", model.open_kept)
        self.fresh = w.Checkbox(
            value=False,
            description="Fetch everything anew, for newer versions",
            indent=False,
            layout=w.Layout(width=parts.FULL_WIDTH),
        )
        self.fresh.observe(self._anew, "value")
        self.start = parts.button("Build the image", model.build, style="primary")
        self.cancel = parts.button("Cancel the build", model.cancel, style="warning")
        self.progress = parts.ProgressBox()
        self.failure = parts.html()
        self.opened = w.ToggleButton(value=False, description=_SHOW, tooltip=_SHOW)
        self.opened.layout.width = "auto"
        self.opened.observe(lambda _change: self.draw(), "value")
        self.text = parts.Log()
        super().__init__(
            [
                parts.heading("Build it", 4),
                self.why,
                self.name,
                self.fault,
                self.fresh,
                parts.actions(self.start, self.cancel, self.open_kept),
                self.progress,
                self.failure,
                self.opened,
                self.text,
            ]
        )

    def draw(self) -> None:
        """Show it as the model is now."""
        model, draft = self._model, self._model.draft
        if draft is None:
            return
        self._drawing = True
        try:
            parts.keep(self.name, value=draft.name, disabled=draft.changing or model.is_building)
            parts.keep(self.fresh, value=draft.fresh)
        finally:
            self._drawing = False
        fault = draft.faults.get(NAME, "")
        self.fault.value = parts.fault(fault if draft.name else "")
        parts.show(self.open_kept, when=bool(fault) and draft.is_kept)
        parts.show(self.fresh, when=draft.changing)
        self.start.description = "Build it again" if draft.changing else "Build the image"
        self.start.disabled = not model.can_build
        parts.show(self.cancel, when=model.is_building)
        self._follow(model.building)

    def _follow(self, build: ImageBuild | None) -> None:
        running = self._model.is_building and build is not None
        if build is not None and running:
            self.cancel.disabled = build.cancelling
            self.progress.show(build.words, build.progress.number, build.progress.of)
        else:
            self.progress.show("")
        self.failure.value = _failed(build)
        log = "" if build is None else build.progress.log
        parts.show(self.opened, when=bool(log))
        self.opened.description = _HIDE if self.opened.value else _SHOW
        self.text.show(log if self.opened.value else "")

    def _called(self, change: Any) -> None:
        if not self._drawing:
            self._model.call(change["new"])

    def _anew(self, change: Any) -> None:
        if not self._drawing:
            self._model.fetch_anew(fresh=change["new"])


def _failed(build: ImageBuild | None) -> str:
    if build is None or build.failure is None:
        return ""
    sentences = "".join(
        f"<p>{escape(each)}</p>" for each in (build.failure.message, build.advice) if each
    )
    return f'<div class="ds01-problem" role="alert">{sentences}{_code(build.place)}</div>'


def _code(lines: Iterable[CodeLine]) -> str:
    inside = "\n".join(
        f'<span class="ds01-failed-line">{each.number:>4} &#9654; {escape(each.text)}</span>'
        if each.failed
        else f"{each.number:>4}   {escape(each.text)}"
        for each in lines
    )
    label = "The Dockerfile around the line that failed"
    return (
        f'<pre class="ds01-log" tabindex="0" aria-label="{label}">{inside}</pre>' if inside else ""
    )
