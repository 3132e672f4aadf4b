"""What the wizards are put together of: text, tables, bars, explanations, problems, progress."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

import ipywidgets as w

from ds01_spawner.domain.errors import DS01Error
from ds01_widgets.concepts import markdown
from ds01_widgets.models.notebook_words import in_a_notebook
from ds01_widgets.running import ONE_AT_A_TIME

FULL_WIDTH = "auto"
"""As wide as the box that it stands in: these let what is in them fill them."""
_MUCH = 0.8
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
"""What programs tell terminals."""

_MINE = ' class="ds01-mine"'


@cache
def _look() -> str:
    return (files("ds01_widgets.views") / "look.css").read_text("utf-8")


def look() -> w.HTML:
    """The style sheet; each wizard has it, since each may be alone on a page."""
    return w.HTML(f"<style>{_look()}</style>", layout=w.Layout(display="block", height="0"))


def html(text: str = "") -> w.HTML:
    """HTML that is ours; what others said is escaped by whoever puts it in."""
    return w.HTML(text, layout=w.Layout(width=FULL_WIDTH))


def heading(text: str, level: int = 3) -> w.HTML:
    """A heading."""
    return html(f"<h{level}>{escape(text)}</h{level}>")


def paragraphs(sentences: Iterable[str], kind: str = "") -> str:
    """Each sentence in a paragraph; `kind` is quiet, note or good."""
    inside = "".join(f"<p>{escape(each)}</p>" for each in sentences)
    return f'<div class="ds01-{kind}">{inside}</div>' if kind and inside else inside


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    caption: str,
    mine: Callable[[int], bool] = lambda _row: False,
) -> str:
    """A table; cells are HTML, everything else is text.

    Args:
        columns: Headings.
        rows: Cells.
        caption: What it shows.
        mine: Whether the row of this number is highlighted.
    """
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in columns)
    body = "".join(
        f"<tr{_MINE if mine(number) else ''}>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"
        for number, row in enumerate(rows)
    )
    return (
        f'<div class="ds01-scroll"><table class="ds01-table"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def bar(share: float | None, words: str) -> str:
    """How much of something is in use, as a bar that is also said in words."""
    if share is None:
        return escape(words)
    kind = " ds01-full" if share >= 1 else " ds01-much" if share >= _MUCH else ""
    percent = round(100 * min(max(share, 0.0), 1.0))
    return (
        f'<span class="ds01-measure"><span class="ds01-bar{kind}" role="img" '
        f'aria-label="{percent} percent">'
        f'<span style="width:{percent}%"></span></span> '
        f"{escape(words)}</span>"
    )


class Why(w.VBox):
    """`Why?`: opens and closes the explanation of ideas, from the handbook.

    Args:
        names: Concepts that are explained.
        text: Markdown that stands before them.
        title: A heading beside the button; empty for none.
        level: Of the heading.
    """

    def __init__(self, *names: str, text: str = "", title: str = "", level: int = 4) -> None:
        self._names = names
        self._text = text
        self.button = w.ToggleButton(
            value=False, description="Why?", tooltip="Explain what this is", icon="question-circle"
        )
        self.text = w.Output()
        self.button.observe(self._turned, "value")
        self.button.layout.width = "auto"
        self._head = actions(*([heading(title, level)] if title else []), self.button)
        super().__init__([self._head])

    def _turned(self, change: Any) -> None:
        opened = bool(change["new"])
        self.button.description = "Close the explanation" if opened else "Why?"
        self.children = (self._head, self.text) if opened else (self._head,)
        if not opened:
            return
        first = [self._text] if self._text else []
        show_markdown(self.text, "\n\n".join([*first, *map(markdown, self._names)]))


def show_markdown(output: w.Output, text: str) -> None:
    """Let an output show Markdown, as Jupyter renders it."""
    data = {"text/markdown": text, "text/plain": text}
    keep(output, outputs=({"output_type": "display_data", "data": data, "metadata": {}},))


class ProblemBox(w.HTML):
    """What went wrong and what to do about it, in words; nothing while nothing is wrong."""

    def __init__(self) -> None:
        super().__init__("", layout=w.Layout(width=FULL_WIDTH, display="none"))

    def show(self, problem: DS01Error | None) -> None:
        """Say it, or nothing."""
        self.value = said(problem)
        self.layout.display = "none" if problem is None else None


def said(problem: DS01Error | None) -> str:
    """An error as HTML; empty for none."""
    if problem is None:
        return ""
    lines = [problem.message, in_a_notebook(problem.next_step)]
    inside = "".join(f"<p>{escape(each)}</p>" for each in lines if each)
    return f'<div class="ds01-problem" role="alert">{inside}</div>'


def fault(words: str) -> str:
    """What is wrong with a field, to stand below it; empty for nothing."""
    return f'<p class="ds01-fault" role="alert">{escape(words)}</p>' if words else ""


class ProgressBox(w.VBox):
    """How far something is: a sentence, and a bar where the number of steps is known."""

    def __init__(self) -> None:
        self.bar = html()
        self.text = html()
        super().__init__([self.text, self.bar], layout=w.Layout(display="none"))

    def show(self, words: str, step: int = 0, of: int = 0) -> None:
        """Say how far it is; nothing for no words.

        Args:
            words: What is being done.
            step: Which step it is at, from 1.
            of: How many there are; 0 where nobody knows.
        """
        self.text.value = f'<p role="status">{escape(words)}</p>' if words else ""
        self.bar.value = (
            f'<progress value="{step}" max="{of}" aria-label="Steps that are done"></progress>'
            if of
            else ""
        )
        self.layout.display = None if words else "none"


class Log(w.HTML):
    """The last lines of what a program told."""

    MOST_LINES = 400

    def show(self, text: str) -> None:
        """Show the end of a log."""
        if not text:
            self.value = ""
            return
        plain = _COLOURS.sub("", text)
        inside = escape("\n".join(plain.splitlines()[-self.MOST_LINES :]))
        # The end is seen first: its box is filled from below.
        self.value = (
            '<div class="ds01-log" tabindex="0" role="region" aria-label="Log">'
            f"<pre>{inside}</pre></div>"
        )


def button(text: str, deed: Callable[[], object], *, style: str = "", hint: str = "") -> w.Button:
    """A button that is as wide as its words.

    Args:
        text: What it does.
        deed: Is called when it is pressed.
        style: primary, success, warning or danger.
        hint: Shown beside the pointer.
    """
    found = w.Button(
        description=text, button_style=style, tooltip=hint or text, layout=w.Layout(width="auto")
    )

    def pressed(_button: w.Button) -> None:
        with ONE_AT_A_TIME:
            deed()

    found.on_click(pressed)
    return found


def actions(*children: w.Widget) -> w.HBox:
    """Buttons beside each other, below each other where there is no room."""
    found = w.HBox(children)
    found.add_class("ds01-actions")
    return found


def labelled(widget: w.Widget, label: str) -> w.Widget:
    """A field beside its label; fields below each other begin at the same place."""
    widget.layout.width = FULL_WIDTH
    widget.description = label
    widget.style.description_width = "initial"  # look.css has the width
    widget.add_class("ds01-field")
    return widget


def keep(widget: w.Widget, **traits: object) -> None:
    """Set what is different, and nothing else: what somebody types is not taken away from them."""
    with widget.hold_sync():
        for name, value in traits.items():
            if getattr(widget, name) != value:
                setattr(widget, name, value)


def show(widget: w.Widget, *, when: bool) -> None:
    """Let a widget be seen, or not."""
    widget.layout.display = None if when else "none"


def offer(choice: Any, options: Iterable[tuple[str, Any]], value: object) -> None:
    """Set what a choice offers and what is chosen, where either is another.

    Args:
        choice: A drop-down list or radio buttons.
        options: Words and value of each; `None` is no value.
        value: What is chosen; nothing where it is not offered.
    """
    wanted = tuple(options)
    if tuple(choice.options) != wanted:
        choice.options = wanted
    chosen = value if any(each == value for _, each in wanted) else None
    if choice.value != chosen:
        choice.value = chosen


def listen(widget: w.Widget, deed: Callable[[Any], object], drawing: Callable[[], bool]) -> None:
    """Call `deed` with what a person says by a widget.

    Args:
        widget: Has a value.
        deed: Is not called with `None`, which is no value.
        drawing: Whether it is set by the wizard itself now.
    """

    def changed(change: Any) -> None:
        with ONE_AT_A_TIME:
            if not drawing() and change["new"] is not None:
                deed(change["new"])

    widget.observe(changed, "value")
