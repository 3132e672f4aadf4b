"""The Dockerfile that choices come to: to look at, and for the advanced to write."""

from html import escape
from typing import Any

import ipywidgets as w

from ds01_widgets.models.image_builder import ImageBuilderModel
from ds01_widgets.views import parts

_SHOW, _HIDE = "Show the Dockerfile", "Hide the Dockerfile"


class DockerfileBox(w.VBox):
    """Opens on demand.

    Args:
        model: Of the wizard.
    """

    def __init__(self, model: ImageBuilderModel) -> None:
        self._model = model
        self._drawing = False
        self.opened = w.ToggleButton(value=False, description=_SHOW, tooltip=_SHOW)
        self.opened.layout.width = "auto"
        self.opened.observe(lambda _change: self.draw(), "value")
        self.by_hand = w.Checkbox(
            value=False, description="Change it by hand", indent=False, tooltip="For the advanced"
        )
        self.by_hand.observe(lambda _change: self._turned(), "value")
        self.text = parts.labelled(
            w.Textarea(rows=20, continuous_update=False, disabled=True), "Dockerfile"
        )
        self.text.observe(self._written, "value")
        self.hint = parts.html()
        self.anew = parts.button(
            "Back to what is chosen above",
            lambda: model.write(""),
            hint="What was written by hand is forgotten",
        )
        super().__init__(
            [
                parts.actions(self.opened),
                self.hint,
                self.by_hand,
                self.text,
                parts.actions(self.anew),
            ]
        )

    def draw(self) -> None:
        """Show it as the model is now."""
        draft = self._model.draft
        if draft is None:
            return
        written = draft.by_hand is not None
        opened = self.opened.value
        self.opened.description = _HIDE if opened else _SHOW
        self.hint.value = ""
        if written:
            words = (
                "The Dockerfile was changed by hand: it is built as it stands, and what is chosen "
            )
            self.hint.value = (
                f'<p class="ds01-note">{escape(words)}above changes nothing in it.</p>'
            )
        self._drawing = True
        try:
            if written:
                self.by_hand.value = True
            parts.keep(self.text, value=draft.dockerfile, disabled=not self.by_hand.value)
        finally:
            self._drawing = False
        parts.show(self.by_hand, when=opened and not written)
        parts.show(self.text, when=opened)
        parts.show(self.anew, when=written)

    def _turned(self) -> None:
        if not self._drawing:
            self.draw()

    def _written(self, change: Any) -> None:
        if not self._drawing:
            self._model.write(change["new"])
