"""Keep a server running: which, how long, and what comes of it."""

import ipywidgets as w

from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models.extend_server import ExtendServerModel
from ds01_widgets.running import Background
from ds01_widgets.views import parts
from ds01_widgets.views.live_line import LiveLine
from ds01_widgets.views.view import View


class ExtendServer(View[ExtendServerModel]):
    """Keep a server running although nobody uses it.

    Args:
        open_client: Opens a client of the API.
        model: What is shown; of the API by default.
    """

    def __init__(
        self, open_client: Connect = connect, model: ExtendServerModel | None = None
    ) -> None:
        super().__init__(
            model or ExtendServerModel(open_client, Background()),
            "Keep a server running",
            ("idle",),
        )
        self.server = parts.labelled(w.Dropdown(options=()), "Server")
        self.ahead = parts.html()
        self.duration = parts.labelled(w.Dropdown(options=()), "For")
        self.button = parts.button("Keep it running", self.model.extend, style="primary")
        self.progress = parts.ProgressBox()
        self.told = parts.html()
        self.line = LiveLine(self.model)
        self.listen(self.server, self.model.choose)
        self.listen(self.duration, self._wanted)
        self.fill(
            self.server,
            self.ahead,
            self.duration,
            parts.actions(self.button),
            self.progress,
            self.told,
            self.line,
        )

    def draw(self) -> None:
        """See `View`."""
        model = self.model
        servers = tuple(
            (f"{row.title} (this one)" if row.here else row.title, row.name) for row in model.rows
        )
        parts.offer(self.server, servers, model.chosen)
        durations = tuple((each.words, place) for place, each in enumerate(model.durations))
        parts.offer(self.duration, durations, model.place_of_duration)
        row = model.row
        self.ahead.value = parts.paragraphs(row.sentences if row else ())
        if model.hint:
            self.ahead.value += parts.paragraphs([model.hint], "quiet")
        parts.show(self.server, when=bool(servers))
        parts.show(self.duration, when=bool(durations))
        parts.show(self.button, when=bool(durations))
        self.button.disabled = model.busy
        self.progress.show(model.doing)
        self.told.value = parts.paragraphs(model.told, "good")
        self.line.draw()

    def _wanted(self, place: int) -> None:
        self.model.keep_for(self.model.durations[place].value)
