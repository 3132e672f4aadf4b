"""An image's name, and its build."""

import ipywidgets as w

from ds01_widgets.concepts import step
from ds01_widgets.models.image_builder import ImageBuilderModel
from ds01_widgets.models.image_choices import NAME
from ds01_widgets.views import parts
from ds01_widgets.views.build_progress import BuildProgress


class BuildBox(w.VBox):
    """Builds, and follows.

    Args:
        model: Of the wizard.
    """

    def __init__(self, model: ImageBuilderModel) -> None:
        self._model = model
        self._drawing = False
        self.why = parts.Why(text=step("image create", "build"), title="Build it")
        self.name = parts.labelled(w.Text(placeholder="thesis"), "Name of the image")
        parts.listen(self.name, model.call, lambda: self._drawing)
        self.fault = parts.html()
        self.open_kept = parts.button("Open the Dockerfile that is there", model.open_kept)
        self.fresh = w.Checkbox(
            value=False,
            description="Fetch everything anew, for newer versions",
            indent=False,
            layout=w.Layout(width=parts.FULL_WIDTH),
        )
        parts.listen(self.fresh, lambda fresh: model.fetch_anew(fresh=fresh), lambda: self._drawing)
        self.start = parts.button("Build the image", model.build, style="primary")
        self.progress = BuildProgress(model.cancel)
        super().__init__(
            [
                self.why,
                self.name,
                self.fault,
                self.fresh,
                parts.actions(self.start, self.open_kept),
                self.progress,
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
        self.progress.draw(model.building, runs=model.is_building)
