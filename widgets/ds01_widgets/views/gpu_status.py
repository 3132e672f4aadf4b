"""Every GPU slot as a table that follows what happens."""

from html import escape

from ds01_spawner.domain.wording import percent
from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models.gpu_status import GpuStatusModel
from ds01_widgets.running import Background
from ds01_widgets.views import parts
from ds01_widgets.views.live_line import LiveLine
from ds01_widgets.views.view import View

_COLUMNS = ("Slot", "Size", "Memory", "State", "Who", "Since", "Busy")


class GpuStatus(View[GpuStatusModel]):
    """What the GPUs do: which are free, which are yours.

    Args:
        open_client: Opens a client of the API.
        model: What is shown; of the API by default.
    """

    def __init__(self, open_client: Connect = connect, model: GpuStatusModel | None = None) -> None:
        super().__init__(
            model or GpuStatusModel(open_client, Background()), "GPUs", ("gpu-slot", "mig")
        )
        self.summary = parts.html()
        self.slots = parts.html()
        self.line = LiveLine(self.model)
        self.fill(self.summary, self.slots, self.line)

    def draw(self) -> None:
        """See `View`."""
        rows = self.model.rows
        sentences = parts.paragraphs([self.model.summary])
        self.summary.value = sentences + parts.paragraphs(self.model.notes, "quiet")
        cells = [
            (
                escape(row.slot),
                escape(row.size),
                escape(row.memory),
                escape(row.state),
                escape(row.who),
                escape(row.since),
                "" if row.busy is None else parts.bar(row.busy, percent(row.busy)),
            )
            for row in rows
        ]
        caption = "Every GPU slot; yours are highlighted"
        self.slots.value = (
            parts.table(_COLUMNS, cells, caption, lambda row: rows[row].mine) if rows else ""
        )
        self.line.draw()
