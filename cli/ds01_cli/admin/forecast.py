"""What lies ahead of containers, for whoever looks after all of them."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from ds01_cli.container import outlook
from ds01_cli.frame.caller import caller
from ds01_spawner.domain.notice_text import Moment
from ds01_spawner.domain.wording import clean
from ds01_spawner.domain.work import Rule, RuleStop
from ds01_spawner.operations.lifecycle.outlook import ContainerOutlook, Forecast
from ds01_spawner.operations.lifecycle.outlook_text import (
    end_rule,
    name_of_stop,
    sentences,
    stop_rule,
)

_LONGEST = 300
_INDENT = 4


def print_forecast(
    console: Console,
    found: Forecast,
    moment: Moment,
    *,
    owners: bool,
    due: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Show containers, on a terminal with the reason on lines below, else one line for each.

    Args:
        console: Where.
        found: What lies ahead of them.
        moment: When it is read, and where.
        owners: Whether to say whose each is.
        due: What is due for some of them now, by engine id.
    """
    if not found.containers and not found.gone:
        console.print("No containers.")
    else:
        rows = [_heads(owners), *_rows(found, moment, due, owners=owners)]
        columns = zip(*(row[:-1] for row in rows), strict=True)
        widths = [max(map(cell_len, column)) for column in columns]
        for place, (*cells, why) in enumerate(rows):
            line = "  ".join(
                set_cell_size(cell, width) for cell, width in zip(cells, widths, strict=True)
            )
            below = console.is_terminal
            shown = line.rstrip() if below or not why else f"{line}  {why}"
            console.print(Text(shown, style="" if place else "bold"), soft_wrap=True)
            if why and below:
                for folded in Text(why).wrap(console, console.width - _INDENT):
                    text = f"{'':{_INDENT}}{folded.plain.rstrip()}"
                    console.print(Text(text, style="dim"), soft_wrap=True)
    for note in found.notes:
        console.print(Text(f"! {note}", style="red"))


def _heads(owners: bool) -> tuple[str, ...]:  # noqa: FBT001 - one column more
    return (*(["USER"] if owners else []), *outlook.HEADS, "")


def _rows(
    found: Forecast, moment: Moment, due: Mapping[str, str], *, owners: bool
) -> Iterable[tuple[str, ...]]:
    """The cells of each, and last the reason, which has a line of its own."""
    for view in found.containers:
        when, why = _stop(view, moment)
        now = due.get(view.container_id)
        yield (
            *([clean(view.user)] if owners else []),
            clean(view.name),
            view.state.value,
            clean(",".join(view.gpu_slots)),
            moment.clock(view.started_at),
            when,
            why if now is None else f"Due now: {now}. {why}".rstrip(),
        )
    for stop in found.gone:
        yield (
            *([clean(stop.user)] if owners else []),
            clean(name_of_stop(stop)),
            "removed",
            "",
            "",
            *_past(stop, moment),
        )


def _stop(view: ContainerOutlook, moment: Moment) -> tuple[str, str]:
    """When it stops or stopped, and why."""
    if view.stopped_by is not None:
        return _past(view.stopped_by, moment)
    if not view.state.is_live:
        return "", " ".join(sentences(view, moment))
    if not view.ends:
        return outlook.when_unused(view.idle_timeout) or "never", ""
    nearest = view.ends[0]
    is_idle = nearest.rule is Rule.IDLE
    when = outlook.when(moment.clock(nearest.at), view.idle_timeout, is_idle=is_idle)
    return when, end_rule(nearest, caller())


def _past(stop: RuleStop, moment: Moment) -> tuple[str, str]:
    return moment.clock(stop.done_at or stop.decided_at), (
        f"{clean(stop.reason, _LONGEST)} {stop_rule(stop, caller())}"
    )
