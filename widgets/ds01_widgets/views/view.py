"""A model's widgets: drawn anew when the model changes, live while somebody sees them."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import ipywidgets as w

from ds01_widgets.models.live import Live
from ds01_widgets.models.wizard import Wizard
from ds01_widgets.running import ONE_AT_A_TIME
from ds01_widgets.views import parts

M = TypeVar("M", bound=Wizard)


class View(w.VBox, Generic[M]):
    """The base of all wizards as widgets.

    A view that shows what is live lets its model ask only while it is on somebody's page: when the
    cell is run again or its output cleared, the old one asks no more.

    Args:
        model: What is shown.
        title: Its heading.
        ideas: Names of concepts that `Why?` explains.

    Attributes:
        model: What is shown.
        problem: What went wrong.
        why: The explanations.
    """

    def __init__(self, model: M, title: str, ideas: Sequence[str] = ()) -> None:
        self.model = model
        self.problem = parts.ProblemBox()
        self.why = parts.Why(*ideas, title=title, level=3)
        self._drawing = False
        self._ended = False
        super().__init__()
        self.add_class("ds01")
        self._head = [parts.look(), self.why if ideas else parts.heading(title)]
        self._look_away = model.observe(self.redraw)
        self._view_count = 0  # from here on the front end counts where this is seen
        self.observe(self._seen, "_view_count")

    def fill(self, *children: w.Widget) -> None:
        """Put the wizard's own widgets in, and begin."""
        self.children = (*self._head, *children, self.problem)
        self.redraw()
        self.model.load()

    def draw(self) -> None:
        """Set the widgets to what the model says."""

    def redraw(self) -> None:
        """Draw; what widgets say meanwhile was not said by a person."""
        with ONE_AT_A_TIME:
            if self._drawing:
                return
            self._drawing = True
            try:
                self.problem.show(self.model.problem)
                self.draw()
            finally:
                self._drawing = False

    def listen(self, widget: w.Widget, deed: Callable[[Any], object]) -> None:
        """Call `deed` with what a person says by a widget; see `parts.listen`."""
        parts.listen(widget, deed, lambda: self._drawing)

    @property
    def drawing(self) -> bool:
        """Whether widgets are being set by the model."""
        return self._drawing

    def close(self) -> None:
        """End it, with everything that its model does."""
        if self._ended:  # a widget is closed once more when it is forgotten
            return
        self._ended = True
        self._look_away()
        self.unobserve(self._seen, "_view_count")
        self.model.close()
        for each in (*_below(self), self):
            for part in (getattr(each, "style", None), getattr(each, "layout", None)):
                if part is not None:
                    part.close()
            if each is not self:
                each.close()
        super().close()

    def _seen(self, change: Any) -> None:
        if not isinstance(self.model, Live):
            return
        if change["new"]:
            self.model.show()
        else:
            self.model.hide()


def _below(box: w.Box) -> list[w.Widget]:
    found: list[w.Widget] = []
    for each in box.children:
        if isinstance(each, w.Box):
            found += _below(each)
        found.append(each)
    return found
