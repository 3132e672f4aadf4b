"""How far a build is, its log, and why it failed."""

from collections.abc import Callable, Iterable
from html import escape

import ipywidgets as w

from ds01_widgets.models.image_build import CodeLine, ImageBuild
from ds01_widgets.views import parts

_SHOW, _HIDE = "Show the log", "Hide the log"


class BuildProgress(w.VBox):
    """Follows a build.

    Args:
        cancel: Is called to end it.
    """

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._build: ImageBuild | None = None
        self.progress = parts.ProgressBox()
        self.cancel = parts.button("Cancel the build", cancel, style="warning")
        self.failure = parts.html()
        self.opened = w.ToggleButton(value=False, description=_SHOW, tooltip=_SHOW)
        self.opened.layout.width = "auto"
        self.opened.observe(lambda _change: self._draw_log(), "value")
        self.text = parts.Log()
        super().__init__(
            [
                self.progress,
                self.failure,
                parts.actions(self.cancel, self.opened),
                self.text,
            ]
        )

    def draw(self, build: ImageBuild | None, *, runs: bool) -> None:
        """Show a build.

        Args:
            build: The one that runs, or the last one.
            runs: Whether it runs.
        """
        self._build = build
        if build is not None and runs:
            self.cancel.disabled = build.cancelling
            self.progress.show(build.words, build.progress.number, build.progress.of)
        else:
            self.progress.show("")
        parts.show(self.cancel, when=runs)
        self.failure.value = _failed(build)
        self._draw_log()

    def _draw_log(self) -> None:
        log = "" if self._build is None else self._build.progress.log
        parts.show(self.opened, when=bool(log))
        self.opened.description = _HIDE if self.opened.value else _SHOW
        self.text.show(log if self.opened.value else "")


def _failed(build: ImageBuild | None) -> str:
    if build is None or build.failure is None:
        return ""
    sentences = "".join(
        f"<p>{escape(each)}</p>" for each in (build.failure.message, build.advice) if each
    )
    return f'<div class="ds01-problem" role="alert">{sentences}{_code(build.place)}</div>'


def _code(lines: Iterable[CodeLine]) -> str:
    inside = "\n".join(
        f'<span class="ds01-failed-line">{each.number:>4} &#9654; {escape(each.text)}</span>'
        if each.failed
        else f"{each.number:>4}   {escape(each.text)}"
        for each in lines
    )
    label = "The Dockerfile around the line that failed"
    if not inside:
        return ""
    return f'<div class="ds01-code" role="region" aria-label="{label}"><pre>{inside}</pre></div>'
