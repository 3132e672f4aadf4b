"""What somebody used of the GPUs, as sentences and graphs."""

from itertools import count

import ipywidgets as w

from ds01_spawner.charts.picture import drawn
from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models.my_usage import PERIODS, MyUsageModel
from ds01_widgets.running import Background
from ds01_widgets.views import parts
from ds01_widgets.views.live_line import LiveLine
from ds01_widgets.views.view import View

_NUMBERS = count(1)
"""Several on one page have graphs with ids of their own."""


class MyUsage(View[MyUsageModel]):
    """How long you had a GPU, how busy it was, how long you waited.

    Args:
        open_client: Opens a client of the API.
        model: What is shown; of the API by default.
    """

    def __init__(self, open_client: Connect = connect, model: MyUsageModel | None = None) -> None:
        super().__init__(
            model or MyUsageModel(open_client, Background()), "What you used", ("usage",)
        )
        self._prefix = f"ds01-usage-{next(_NUMBERS)}"
        self.period = w.Dropdown(options=[(words, name) for name, words in PERIODS.items()])
        self.listen(self.period, self.model.choose)
        self.sentences = parts.html()
        self.graphs = parts.html()
        self.line = LiveLine(self.model)
        self.fill(
            parts.labelled(self.period, "How far back"), self.sentences, self.graphs, self.line
        )

    def draw(self) -> None:
        """See `View`."""
        model = self.model
        parts.keep(self.period, value=model.period)
        said = parts.paragraphs(model.sentences)
        self.sentences.value = said + parts.paragraphs(model.notes, "quiet")
        inside = "".join(map(drawn, model.graphs(self._prefix)))
        parts.keep(self.graphs, value=f'<div class="ds01-graphs">{inside}</div>' if inside else "")
        self.line.draw()
