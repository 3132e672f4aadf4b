"""Servers: which there are, and one that is started with a GPU or waits for it."""

from html import escape

import ipywidgets as w

from ds01_widgets.connecting import Connect, connect
from ds01_widgets.models.launch_server import NEW, LaunchServerModel
from ds01_widgets.running import Background
from ds01_widgets.views import parts
from ds01_widgets.views.live_line import LiveLine
from ds01_widgets.views.view import View

_COLUMNS = ("Server", "State", "GPU", "")


class LaunchServer(View[LaunchServerModel]):
    """Start a server of the hub, with a GPU of the size you need.

    Args:
        open_client: Opens a client of the API.
        model: What is shown; of the API by default.
    """

    def __init__(
        self, open_client: Connect = connect, model: LaunchServerModel | None = None
    ) -> None:
        super().__init__(
            model or LaunchServerModel(open_client, Background()),
            "Start a server",
            ("hub", "gpu-slot", "queue"),
        )
        self._sure: str | None = None
        self.servers = parts.html()
        self.server = parts.labelled(w.Dropdown(options=()), "Server")
        self.name = parts.labelled(w.Text(placeholder="thesis"), "Name of the new server")
        self.fault = parts.html()
        self.image = parts.labelled(w.Dropdown(options=()), "Image")
        self.gpu = parts.labelled(w.RadioButtons(options=()), "GPU")
        self.free = parts.html()
        self.count = parts.labelled(w.BoundedIntText(value=1, min=1, max=1), "How many")
        self.wait = w.Checkbox(value=True, description="Wait where none is free", indent=False)
        self.hint = parts.html()
        self.start = parts.button("Start the server", self.model.start, style="primary")
        self.cancel = parts.button("Break the start off", self.model.cancel, style="warning")
        self.stop = parts.button("Stop it", self._stop)
        self.progress = parts.ProgressBox()
        self.told = parts.html()
        self.line = LiveLine(self.model)
        self._listen()
        self.fill(
            self.servers,
            self.server,
            self.name,
            self.fault,
            self.image,
            self.gpu,
            self.free,
            self.count,
            self.wait,
            self.hint,
            parts.actions(self.start, self.cancel, self.stop),
            self.progress,
            self.told,
            self.line,
        )

    def draw(self) -> None:
        """See `View`."""
        self._draw_servers()
        self._draw_choices()
        self._draw_start()
        self.line.draw()

    def _draw_servers(self) -> None:
        model = self.model
        rows = [
            (escape(row.title), escape(row.state), escape(row.gpu), _link(row.url, row.title))
            for row in model.rows
        ]
        self.servers.value = parts.table(_COLUMNS, rows, "Your servers") if rows else ""
        options = [(row.title, row.name) for row in model.rows]
        options += [("A new one …", NEW)] * model.may_have_another
        parts.offer(self.server, options, model.server)
        parts.show(self.server, when=bool(options))
        is_new = model.server == NEW and bool(options)
        parts.keep(self.name, value=model.name)
        parts.show(self.name, when=is_new)
        fault = model.fault if model.found is not None and (model.name or not is_new) else ""
        is_news = not model.is_starting and fault not in {"", *model.told}
        self.fault.value = parts.paragraphs([fault] * is_news, "quiet")

    def _draw_choices(self) -> None:
        model = self.model
        row = model.row
        startable = model.found is not None and (row is None or row.startable)
        parts.offer(self.image, ((each.title, each.value) for each in model.images), model.image)
        parts.offer(self.gpu, ((each.title, each.size) for each in model.sizes), model.gpu)
        self.free.value = _free(model) + parts.paragraphs(model.refusals, "note")
        most = 1 if model.offer is None else model.offer.most
        if most >= self.count.value:
            parts.keep(self.count, max=most)
        parts.keep(self.count, value=model.count)
        parts.keep(self.count, max=most)
        parts.keep(self.wait, value=model.wait)
        self.hint.value = parts.paragraphs([model.hint] * bool(model.hint), "quiet")
        for each in (self.image, self.gpu, self.free, self.wait, self.hint):
            parts.show(each, when=startable)
        parts.show(self.count, when=startable and most > 1)

    def _draw_start(self) -> None:
        model, starting = self.model, self.model.starting
        self.start.disabled = not model.can_start
        parts.show(self.start, when=model.row is None or model.row.startable)
        row = model.row
        parts.show(self.stop, when=row is not None and row.stoppable and not model.is_starting)
        self.stop.disabled = model.busy
        if row is None or row.name != self._sure:
            self._sure = None
        deed = "break its start off" if row and not row.url else "stop it"
        self.stop.description = (
            f"Yes, {deed}" if self._sure is not None else f"{deed.capitalize()} …"
        )
        self.stop.button_style = "danger" if self._sure is not None else ""
        parts.show(self.cancel, when=model.is_starting)
        if starting is not None and starting.goes_on:
            self.cancel.disabled = starting.cancelling
            self.progress.show(starting.words)
        else:
            self.progress.show(model.doing)
        told = parts.paragraphs(model.told, "good")
        link = _link(row.url, row.title) if row is not None and model.told else ""
        self.told.value = told + (f"<p>{link}</p>" if link else "")

    def _listen(self) -> None:
        model = self.model
        self.listen(self.server, model.mean)
        self.listen(self.name, model.call)
        self.listen(self.image, model.start_with)
        self.listen(self.gpu, model.size)
        self.listen(self.count, lambda count: model.size(model.gpu, count))
        self.listen(self.wait, lambda wait: model.wait_for_it(wait=wait))

    def _stop(self) -> None:
        row = self.model.row
        if row is None:
            return
        sure, self._sure = self._sure == row.name, row.name
        if sure:
            self._sure = None
            self.model.stop(row.name)
        self.redraw()


def _free(model: LaunchServerModel) -> str:
    """What is free of each size, and how long one waits where anybody has to."""
    waits = {each.size: each.wait for each in model.offers}
    columns = ("Size", "Free now", *["Expected wait"] * any(waits.values()))
    rows = [
        (
            escape(each.title),
            parts.bar(1 - each.free / each.total, f"{each.free} of {each.total} free"),
            escape(waits.get(each.size, "")),
        )[: len(columns)]
        for each in model.free
    ]
    return parts.table(columns, rows, "GPUs that you may have") if rows else ""


def _link(url: str, title: str) -> str:
    if not url.startswith(("/", "https://", "http://")):
        return ""
    return f'<a href="{escape(url, quote=True)}" target="_blank">Open {escape(title)}</a>'
