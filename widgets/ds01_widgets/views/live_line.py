"""The line below what is live: how old it is, and a button that reads it anew."""

from typing import Any

import ipywidgets as w

from ds01_widgets.models.live import Live
from ds01_widgets.views import parts


class LiveLine(w.HBox):
    """Says whether what stands above follows what happens.

    Args:
        model: What stands above.
    """

    def __init__(self, model: Live[Any]) -> None:
        self._model = model
        self.text = w.HTML()
        self.button = parts.button("Look again", self._again)
        super().__init__([self.button, self.text])
        self.add_class("ds01-actions")

    def draw(self) -> None:
        """Say it as the model is now."""
        model = self._model
        if model.stale is not None:
            words = f"This is old: {model.stale}"
        elif model.live:
            words = f"Read anew every {model.EVERY_SECONDS:g} seconds while you see it."
        else:
            words = "Read once."
        self.text.value = parts.paragraphs([words], "quiet")

    def _again(self) -> None:
        self._model.load()
        if self._model.seen:
            self._model.show()
