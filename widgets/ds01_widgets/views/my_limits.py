"""What somebody may use, as bars, and every limit with what says so."""

from html import escape

import ipywidgets as w

from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models.my_limits import MyLimitsModel
from ds01_widgets.running import Background
from ds01_widgets.views import parts
from ds01_widgets.views.live_line import LiveLine
from ds01_widgets.views.view import View

_EVERY = "Every limit, and where it is set"


class MyLimits(View[MyLimitsModel]):
    """What you may use, what you do use, and where each limit comes from.

    Args:
        open_client: Opens a client of the API.
        model: What is shown; of the API by default.
    """

    def __init__(self, open_client: Connect = connect, model: MyLimitsModel | None = None) -> None:
        super().__init__(
            model or MyLimitsModel(open_client, Background()), "Your limits", ("limits", "idle")
        )
        self.who = parts.html()
        self.usage = parts.html()
        self.sentences = parts.html()
        self.every = w.ToggleButton(
            value=False, description=_EVERY, layout=w.Layout(width="auto"), tooltip=_EVERY
        )
        self.every.observe(lambda _change: self.redraw(), "value")
        self.limits = parts.html()
        self.line = LiveLine(self.model)
        self.fill(
            self.who,
            self.usage,
            self.sentences,
            parts.actions(self.every),
            self.limits,
            self.line,
        )

    def draw(self) -> None:
        """See `View`."""
        model = self.model
        self.who.value = parts.paragraphs([model.who])
        rows = [
            (escape(row.title), parts.bar(row.share, row.words), escape(row.set_by))
            for row in model.usage
        ]
        columns = ("What", "In use", "Set by")
        self.usage.value = parts.table(columns, rows, "What you use now") if rows else ""
        self.sentences.value = parts.paragraphs(model.sentences)
        parts.show(self.every, when=bool(model.limits))
        every = [(escape(row.title), escape(row.words), escape(row.set_by)) for row in model.limits]
        shown = bool(self.every.value and every)
        self.limits.value = (
            parts.table(("Limit", "Value", "Set by"), every, _EVERY) if shown else ""
        )
        self.line.draw()
