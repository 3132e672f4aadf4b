"""What was used of the GPUs: one's own; everybody's for managers."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from ds01_spawner.client import models as m
from ds01_spawner.client.models import Role
from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import Forbidden, NotFound
from ds01_spawner.domain.usage_report import By, Period, Row
from ds01_spawner.domain.usage_series import Part, Step
from ds01_spawner.domain.wording import clean
from ds01_spawner.gateway.api.ask import Answer, Api, Ask
from ds01_spawner.gateway.api.kept_answers import KeptAnswers
from ds01_spawner.gateway.api.requester import Requester, subject_of
from ds01_spawner.operations.usage.report import Question

_HOUR = timedelta(hours=1)
_MOST_KEPT = 4
_EXACT = 6
"""Digits behind the point: the hours of a millisecond."""


class UsageRows:
    """Answers about usage."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._kept = KeptAnswers[Question, tuple[m.UsageReport, tuple[str, ...]]](_MOST_KEPT)

    def handlers(self) -> Mapping[str, Answer]:
        """By the operation of their route."""
        return {"getUsage": self.report, "getUsageSeries": self.series}

    async def report(self, ask: Ask) -> m.UsageReport:
        """What was used in some days; who looks again and again may share an answer."""
        query = ask.asked(m.UsageQuery)
        whose = _whose(ask, query.user)
        by = By(query.by) if query.by else By.USER if whose is None else By.PROJECT
        question = Question(by, Period(query.period), whose, query.since, query.until)

        def read(platform: Platform) -> tuple[m.UsageReport, tuple[str, ...]]:
            _check_known(platform, ask.requester, query.user)
            found = platform.reports.report(question)
            told = m.UsageReport(
                taken_at=found.taken_at,
                begin=found.begin,
                end=found.end,
                by=by.value,
                user=whose,
                rows=tuple(_row(each) for each in found.rows),
                total=_row(found.total),
                co2e_source=found.source,
                notes=found.notes,
            )
            return told, found.hints

        told, hints = await self._kept(question, ask.max_age, lambda: ask.run(self._api, read))
        if not ask.requester.may(Role.ADMIN):
            return told
        return told.model_copy(update={"notes": (*told.notes, *hints)})

    async def series(self, ask: Ask) -> m.UsageSeries:
        """The same step by step."""
        query = ask.asked(m.UsageSeriesQuery)
        whose = _whose(ask, query.user)
        question = Question(By.USER, Period(query.period), whose, query.since, query.until)
        step = Step(query.step) if query.step else None
        may_mend = ask.requester.may(Role.ADMIN)

        def read(platform: Platform) -> m.UsageSeries:
            _check_known(platform, ask.requester, query.user)
            found = platform.reports.series(question, step)
            return m.UsageSeries(
                taken_at=found.taken_at,
                begin=found.begin,
                end=found.end,
                step=found.step.value,
                user=whose,
                steps=tuple(map(_step, found.parts)),
                total=_row(found.total),
                kept_from=found.kept_from,
                kept_until=found.kept_until,
                co2e_source=found.source,
                notes=(*found.notes, *(found.hints if may_mend else ())),
            )

        return await ask.run(self._api, read)


def _whose(ask: Ask, user: str | None) -> str | None:
    """Whose usage is asked for; `None` is everybody's."""
    whose = subject_of(ask.requester, user, Role.MANAGER)
    return None if user is None and ask.requester.may(Role.MANAGER) else whose


def _check_known(platform: Platform, requester: Requester, user: str | None) -> None:
    """Return when somebody has an account, or had one: who left is in the books.

    Raises:
        NotFound: Nobody is called so.
    """
    if user is None or user == requester.user:
        return
    with suppress(Forbidden):  # a closed account is one
        if platform.accounts.lookup(user) is None and not platform.reports.knows(user):
            raise NotFound(
                f"Nobody of the name {clean(user)} is known.", "ds01 usage --user names everybody."
            )


def _step(part: Part) -> m.UsageStep:
    return m.UsageStep(
        begin=part.begin,
        end=part.end,
        hours=round((part.end - part.begin) / _HOUR, _EXACT),
        missing_hours=round(part.missing / _HOUR, _EXACT),
        used=_row(part.used),
    )


def _row(row: Row) -> m.UsageRow:
    amount = row.amount
    return m.UsageRow(
        name=row.name,
        gpu_hours=round(row.gpu_hours, _EXACT),
        equivalent_hours=round(row.equivalent_hours, _EXACT),
        busy_hours=_rounded(row.busy_hours),
        measured_hours=round(row.measured_hours, _EXACT),
        efficiency=_rounded(row.efficiency),
        unseen_hours=round(row.unseen_hours, _EXACT),
        energy_kwh=_rounded(row.energy_kwh),
        metered_hours=round(row.metered_hours, _EXACT),
        co2e_kg=_rounded(row.co2e_kg),
        grants=amount.grants,
        waits=amount.waits,
        mean_wait_seconds=_rounded(row.mean_wait_seconds),
        longest_wait_seconds=_rounded(row.longest_wait_seconds),
        unmanaged_hours=_rounded(row.unmanaged_hours),
        gave_up=amount.gave_up,
        mean_gave_up_seconds=_rounded(row.mean_gave_up_seconds),
        queued_equivalent_hours=round(row.queued_equivalent_hours, _EXACT),
    )


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, _EXACT)
