"""Images of one's own: which there are, who uses them; to be changed or deleted."""

from html import escape
from typing import Any

import ipywidgets as w

from ds01_widgets.models.image_builder import ImageBuilderModel
from ds01_widgets.views import parts


class OwnImagesBox(w.VBox):
    """The images that there are.

    Args:
        model: Of the wizard.
    """

    def __init__(self, model: ImageBuilderModel) -> None:
        self._model = model
        self._asking = ""
        self.table = parts.html()
        self.which = parts.labelled(w.Dropdown(options=()), "Image")
        self.which.observe(self._chosen, "value")
        self.change = parts.button("Change it", lambda: model.change(self.which.value))
        self.delete = parts.button("Delete it …", self._ask)
        self.new = parts.button("Make a new one", model.new)
        self.question = parts.html()
        self.with_dockerfile = w.Checkbox(
            value=False, description="Its Dockerfile, too", indent=False
        )
        self.yes = parts.button("Delete the image", self._delete, style="danger")
        self.no = parts.button("Keep it", self._keep)
        self.sure = w.VBox([self.question, self.with_dockerfile, parts.actions(self.yes, self.no)])
        super().__init__(
            [
                parts.heading("Your images", 4),
                self.table,
                self.which,
                parts.actions(self.change, self.delete, self.new),
                self.sure,
            ]
        )

    def draw(self) -> None:
        """Show it as the model is now."""
        images, draft = self._model.images, self._model.draft
        rows = [
            (
                escape(each.name),
                escape(each.size),
                escape(each.made),
                escape(", ".join(each.used_by)),
            )
            for each in images
        ]
        none = parts.paragraphs(["You have no images yet."], "quiet")
        columns = ("Image", "Size", "Made", "Used by")
        self.table.value = parts.table(columns, rows, "Images of yours") if rows else none
        names = [each.name for each in images]
        chosen = self.which.value if self.which.value in names else next(iter(names), None)
        parts.offer(self.which, tuple((name, name) for name in names), chosen)
        if self._asking not in names:
            self._asking = ""
        used = next((each.used_by for each in images if each.name == self.which.value), ())
        busy = self._model.busy
        self.change.disabled = busy
        self.delete.disabled = busy or bool(used)
        self.delete.tooltip = f"In use by {', '.join(used)}" if used else "Delete this image"
        for each in (self.which, self.change, self.delete):
            parts.show(each, when=bool(names))
        parts.show(self.new, when=draft is not None and draft.changing)
        self.question.value = parts.paragraphs(
            [f"Delete the image {self._asking}? Nobody can start it any more."] * bool(self._asking)
        )
        parts.show(self.sure, when=bool(self._asking))

    def _chosen(self, _change: Any) -> None:
        self._asking = ""
        self.draw()

    def _ask(self) -> None:
        self._asking = self.which.value or ""
        self.with_dockerfile.value = False
        self.draw()

    def _keep(self) -> None:
        self._asking = ""
        self.draw()

    def _delete(self) -> None:
        name, self._asking = self._asking, ""
        self._model.delete(name, with_dockerfile=self.with_dockerfile.value)
