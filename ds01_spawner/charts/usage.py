"""What was used, as graphs and in words."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from ds01_spawner.charts.amounts import SMALL, emitted
from ds01_spawner.charts.amounts import energy as energy_words
from ds01_spawner.charts.amounts import hours as hours_cell
from ds01_spawner.charts.scale import figure
from ds01_spawner.charts.timeline import Bars, Column, Timeline
from ds01_spawner.client import models as m
from ds01_spawner.domain.wording import gpu_time, percent

MOSTLY = 0.5
"""A step of which the books hold less than this share says nothing of a mean."""

_MINUTE, _HOUR = 60.0, 3600.0
_UNKNOWN = "not known"
_WAITED_FOR = 3
"""Its colour: not that of the line of all there are."""


def demand(series: m.UsageSeries, capacity: float | None, id_: str = "demand") -> Timeline:
    """How many GPUs were held and waited for on average, in whole ones, and how many there are.

    Args:
        series: What was used.
        capacity: How many there are now; `None` for no line.
        id_: Of the graph on its page.
    """
    held = [_mean(each, each.used.equivalent_hours) for each in series.steps]
    unseen = [_unseen_share(each.used) for each in series.steps]
    seen = [
        None if gpus is None else gpus * (1 - part) for gpus, part in zip(held, unseen, strict=True)
    ]
    dark = [None if gpus is None else gpus * part for gpus, part in zip(held, unseen, strict=True)]
    bars = [Bars("held", seen)]
    if any(dark):
        bars.append(Bars("held, while nobody looked", dark, hatched=True))
    wanted = [_mean(each, each.used.queued_equivalent_hours) for each in series.steps]
    if any(wanted):
        bars.append(Bars("waited for", wanted, colour=_WAITED_FOR))
    most = max((each for each in held if each is not None), default=0.0)
    of = "" if capacity is None else f" of {figure(capacity)}"
    mean = figure(_average(series, series.total.equivalent_hours))
    words = f"On average {mean}{of} GPUs were held, at most {figure(most)}."
    title = "GPUs held"
    if any(wanted):
        mean = figure(_average(series, series.total.queued_equivalent_hours))
        title, words = f"{title} and waited for", f"{words} {mean} more were waited for."
    return replace(
        _over(series, id_, title, "in whole GPUs, on average", words),
        bars=bars,
        line=None if capacity is None else ("all there are now", capacity),
        columns=[Column("GPU-hours", [hours_cell(each.used.gpu_hours) for each in series.steps])],
    )


def hours(series: m.UsageSeries, id_: str = "hours") -> Timeline:
    """GPU-hours of one person, with what the GPU computed of them where that is known."""
    values = [_known(each, each.used.gpu_hours) for each in series.steps]
    words = f"{_capital(gpu_time(series.total.gpu_hours))} altogether."
    title = "Hours with a GPU"
    if _is_small(values, SMALL):
        title, values = "Minutes with a GPU", _times(values, _MINUTE)
    return replace(
        _over(series, id_, title, "", words),
        bars=[Bars(title.partition(" ")[0].lower(), values)],
        columns=[
            Column("of these it computed", [_share(each.used.efficiency) for each in series.steps])
        ],
    )


def busy(series: m.UsageSeries, id_: str = "busy") -> Timeline:
    """The share of the time measured in which the GPUs that were held computed."""
    known = [each.used.efficiency for each in series.steps]
    whole = _share(series.total.efficiency)
    words = f"While held the GPUs computed {whole} of the time, as far as they tell."
    return replace(
        _over(series, id_, "Busy while held", "", words),
        bars=[Bars("busy", known)],
        highest=1.0,
        said=percent,
        blank=frozenset(
            place
            for place, each in enumerate(series.steps)
            if not each.used.gpu_hours and each.missing_hours < each.hours
        ),
        columns=[
            Column(
                "hours measured", [hours_cell(each.used.measured_hours) for each in series.steps]
            )
        ],
    )


def waits(series: m.UsageSeries, id_: str = "waits") -> Timeline:
    """How long people waited for a GPU on average, in minutes; who gave up is in the table."""
    values = [_known(each, (each.used.mean_wait_seconds or 0.0) / _MINUTE) for each in series.steps]
    count = series.total.waits
    words = f"{count} waits" if count != 1 else "1 wait"
    if series.total.mean_wait_seconds is not None:
        words += f", {duration(series.total.mean_wait_seconds)} on average"
        words += f", {duration(series.total.longest_wait_seconds or 0.0)} at most"
    gave_up = gave_up_words(series.total, "" if series.user is None else "You")
    words += f". {gave_up}" if gave_up else "."
    unit = "minutes"
    if _is_small(values, 1):
        unit, values = "seconds", _times(values, _MINUTE)
    return replace(
        _over(series, id_, "Waits for a GPU", f"{unit} on average", words),
        bars=[Bars("mean wait", values)],
        columns=[
            Column("waits", [str(each.used.waits) for each in series.steps]),
            Column("GPUs given", [str(each.used.grants) for each in series.steps]),
            Column("gave up", [str(each.used.gave_up) for each in series.steps]),
        ],
    )


def gave_up_words(used: m.UsageRow, whose: str = "") -> str:
    """Who waited and was given nothing, in a sentence; nothing where nobody was.

    Args:
        used: By whom.
        whose: What to call them; else they are counted.
    """
    if used.mean_gave_up_seconds is None:
        return ""
    long = f"after {duration(used.mean_gave_up_seconds)}"
    if used.gave_up == 1:
        return f"{whose or 'Somebody'} gave up waiting once, {long}."
    return f"{whose or 'People'} gave up waiting {used.gave_up} times, {long} on average."


def energy(series: m.UsageSeries, id_: str = "energy") -> Timeline:
    """What the cards took while they were held, in kilowatt-hours."""
    units = ("kWh", "Wh")
    return _told_by_cards(series, id_, "Energy", units, lambda used: used.energy_kwh, energy_words)


def emissions(series: m.UsageSeries, id_: str = "co2e") -> Timeline:
    """What that emitted, in kilograms of CO2e."""
    return _told_by_cards(series, id_, "CO2e", ("kg", "g"), lambda used: used.co2e_kg, emitted)


def _told_by_cards(  # noqa: PLR0913, PLR0917 - what energy and emissions differ in
    series: m.UsageSeries,
    id_: str,
    title: str,
    units: tuple[str, str],
    told: Callable[[m.UsageRow], float | None],
    said: Callable[[float], str],
) -> Timeline:
    """A step without use took nothing; one with use of which nobody told is a gap."""
    values = [
        _known(each, 0.0 if not each.used.gpu_hours else told(each.used)) for each in series.steps
    ]
    whole = told(series.total)
    words = _UNKNOWN if whole is None else f"{said(whole)} altogether"
    unit = units[0]
    if _is_small(values, SMALL):
        unit, values = units[1], _times(values, 1000)
    return replace(
        _over(series, id_, title, unit, f"{_capital(words)}."),
        bars=[Bars(title.lower() if title != "CO2e" else title, values)],
        columns=[
            Column("hours metered", [hours_cell(each.used.metered_hours) for each in series.steps])
        ],
    )


def source_words(series: m.UsageSeries | m.UsageReport) -> str:
    """Who says what a kilowatt-hour emits, or that nobody does."""
    if series.co2e_source is None:
        return "Nobody said what a kilowatt-hour emits here, so emissions are not known."
    return f"What a kilowatt-hour emits: {series.co2e_source}."


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`."""
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"


def own_words(used: m.UsageRow) -> tuple[str, ...]:
    """What somebody used, said to them."""
    gave_up = gave_up_words(used, "You")
    if not used.gpu_hours:
        return tuple(filter(None, ("You did not use a GPU.", gave_up)))
    found = [f"You had a GPU for {gpu_time(used.gpu_hours)}."]
    if used.efficiency is not None:
        found.append(
            f"It computed for {percent(used.efficiency)} of that time; the rest it waited, for data"
            " or for you."
        )
    else:
        found.append("How busy it was is not known: parts of a GPU do not tell.")
    if used.mean_wait_seconds is not None:
        times = "once" if used.waits == 1 else f"{used.waits} times"
        found.append(f"You waited {times}, {duration(used.mean_wait_seconds)} on average.")
    if gave_up:
        found.append(gave_up)
    if used.energy_kwh is not None:
        and_emitted = (
            "" if used.co2e_kg is None else f", which emitted {emitted(used.co2e_kg)} CO2e"
        )
        found.append(f"It took {energy_words(used.energy_kwh)}{and_emitted}.")
    return tuple(found)


def _is_small(values: Sequence[float | None], small: float) -> bool:
    """Whether there is something, and all of it is better said in a smaller unit."""
    return 0 < max((each or 0.0 for each in values), default=0.0) < small


def _times(values: Sequence[float | None], factor: float) -> list[float | None]:
    return [None if each is None else each * factor for each in values]


def _capital(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}"


def _over(series: m.UsageSeries, id_: str, title: str, unit: str, words: str) -> Timeline:
    """A graph with a place for each step of a series, and nothing in it yet."""
    begins = [each.begin for each in series.steps]
    return Timeline(id_, title, unit, words, begins, series.step, bars=())


def _known(step: m.UsageStep, value: float | None) -> float | None:
    """`None` where the books hold nothing of a step, and nothing was booked."""
    empty = step.missing_hours >= step.hours and not step.used.gpu_hours and not step.used.grants
    return None if empty else value


def _mean(step: m.UsageStep, spent_hours: float) -> float | None:
    inside = step.hours - step.missing_hours
    if inside < step.hours * (1 - MOSTLY) or inside <= 0:
        return None
    return spent_hours / inside


def _average(series: m.UsageSeries, spent_hours: float) -> float:
    inside = sum(each.hours - each.missing_hours for each in series.steps)
    return spent_hours / inside if inside else 0.0


def _unseen_share(used: m.UsageRow) -> float:
    return min(used.unseen_hours / used.gpu_hours, 1.0) if used.gpu_hours else 0.0


def _share(efficiency: float | None) -> str:
    return _UNKNOWN if efficiency is None else percent(efficiency)
