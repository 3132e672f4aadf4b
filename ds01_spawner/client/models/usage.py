"""What was used of the GPUs, by person, group or project."""

from datetime import datetime
from typing import Literal

from ds01_spawner.client.models.base import Moment, UserName, Wire


class UsageQuery(Wire):
    """Which days, and what the rows are."""

    by: Literal["user", "group", "project"] | None = None
    """By default people, where everybody's is asked for, and else projects."""
    period: Literal["week", "month", "year", "all"] = "week"
    """The last 7, 30 or 365 days, with today; they begin at midnight, UTC."""
    since: Moment | None = None
    """Instead: from this day on."""
    until: Moment | None = None
    """Instead of now: before this moment; a day that has begun counts as a whole."""
    user: UserName | None = None
    """Somebody else's; for managers, who get everybody's without it."""


class UsageSeriesQuery(Wire):
    """Which days, and how finely."""

    period: Literal["week", "month", "year", "all"] = "week"
    """The last 7, 30 or 365 days, with today; they begin at midnight, UTC."""
    step: Literal["day", "week", "month"] | None = None
    """By default the finest that a graph of these days shows. Weeks begin on Monday."""
    since: Moment | None = None
    """Instead of the period: from this day on."""
    until: Moment | None = None
    """Instead of now: before this moment; a day that has begun counts as a whole."""
    user: UserName | None = None
    """Somebody else's; for managers, who get everybody's without it."""


class UsageRow(Wire):
    """What one person, group or project used; `null` is not known."""

    name: str
    """Whose; empty for what is in no group, or in no project. `(other)` is no project: what is
    kept without its name, where somebody has more than 50 projects in a month."""
    gpu_hours: float
    """Slots were held, whatever their size."""
    equivalent_hours: float
    """The same, each slot as its share of a whole GPU."""
    busy_hours: float | None
    """Of `measured_hours`, while it computed."""
    measured_hours: float
    """While the driver told how busy the slot was; of parts of a GPU it does not."""
    efficiency: float | None
    """`busy_hours` of `measured_hours`, 0 to 1."""
    unseen_hours: float
    """Of `gpu_hours`, while nobody looked: a gap."""
    energy_kwh: float | None
    """What the cards took meanwhile; a part of a card has its share of it."""
    metered_hours: float
    """While the card told its energy."""
    co2e_kg: float | None
    grants: int
    """How often slots were given."""
    waits: int
    """How often after a wait."""
    mean_wait_seconds: float | None
    """Of those who waited."""
    longest_wait_seconds: float | None
    unmanaged_hours: float | None = None
    """Of `gpu_hours`, by containers that were started past the platform; a series does not say."""
    gave_up: int = 0
    """How often somebody waited and was given nothing: they left the queue, or asked no more."""
    mean_gave_up_seconds: float | None = None
    """Of those."""
    queued_equivalent_hours: float = 0.0
    """Slots were waited for, as whole GPUs, whether they were given in the end or not: with
    `equivalent_hours` it is what was wanted. A wait counts when it has ended, in all its hours."""


class UsageReport(Wire):
    """What was used in some days."""

    taken_at: datetime
    begin: datetime
    end: datetime
    by: Literal["user", "group", "project"]
    user: str | None
    """Whose alone; `null` for everybody's."""
    rows: tuple[UsageRow, ...]
    """Who used most first."""
    total: UsageRow
    co2e_source: str | None
    """Who says what a kilowatt-hour emits."""
    notes: tuple[str, ...] = ()
    """Sentences on what is not known."""


class UsageStep(Wire):
    """What was used in one step of a series."""

    begin: datetime
    end: datetime
    """Of the step, or of the period, or now."""
    hours: float
    """From begin to end."""
    missing_hours: float
    """Of these the books hold nothing: what was used is not known, and not nothing."""
    used: UsageRow
    """In the rest; its name is the first day."""


class UsageSeries(Wire):
    """What was used in some days, step by step."""

    taken_at: datetime
    begin: datetime
    end: datetime
    step: Literal["day", "week", "month"]
    user: str | None
    """Whose alone; `null` for everybody's."""
    steps: tuple[UsageStep, ...]
    """Every one of the period, those without use too."""
    total: UsageRow
    kept_from: datetime | None
    """Since when there are books; `null` where they are empty."""
    kept_until: datetime | None
    """When they were last kept."""
    co2e_source: str | None
    """Who says what a kilowatt-hour emits."""
    notes: tuple[str, ...] = ()
    """Sentences on what is not known."""
