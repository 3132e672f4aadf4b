from typing import Any

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Unavailable
from ds01_widgets.models.my_usage import MyUsageModel
from ds01_widgets.views.my_usage import MyUsage
from fakes.api_app import Asked, FakeApi, usage_row, usage_series

BUSY = {"gpu_hours": 6.0, "measured_hours": 6.0, "busy_hours": 3.0, "efficiency": 0.5}


def used(api: FakeApi, *rows: m.UsageRow, **facts: Any) -> None:
    """Every period has these days; the total is the first."""

    def answer(asked: Asked) -> m.UsageSeries:
        total = rows[0].model_copy(update={"name": ""})
        return usage_series(asked.query.user, rows, total=total, **facts)

    api.answers["getUsageSeries"] = answer


@pytest.fixture
def model(api: FakeApi) -> MyUsageModel:
    return MyUsageModel(api.client)


def test_it_is_ones_own_for_managers_too(api: FakeApi, model: MyUsageModel) -> None:
    api.role = m.Role.MANAGER
    used(api, usage_row("", **BUSY))
    model.load()
    (asked,) = [each for each in api.asked if each.operation == "getUsageSeries"]
    assert (asked.query.user, asked.query.period) == ("alice", "month")
    assert model.sentences[0] == "You had a GPU for 6 hours."
    assert "50 %" in model.sentences[1]
    assert [each.id for each in model.graphs("x")] == ["x-hours", "x-busy"]


def test_who_used_nothing_sees_no_graph(api: FakeApi, model: MyUsageModel) -> None:
    assert model.sentences == ("Looking up what you used …",)
    used(api, usage_row("", gpu_hours=0.0), notes=("The books are empty.",))
    model.load()
    assert model.sentences == ("You did not use a GPU.",)
    assert model.notes == ("The books are empty.",)
    assert model.graphs("x") == ()


def test_what_parts_of_a_gpu_do_not_tell_has_no_graph(api: FakeApi, model: MyUsageModel) -> None:
    used(api, usage_row("", gpu_hours=3.0))
    model.load()
    assert len(model.graphs("x")) == 1


def test_another_period_is_asked_for(api: FakeApi, model: MyUsageModel) -> None:
    used(api, usage_row("", **BUSY, co2e_kg=1.0), co2e_source="the supplier")
    view = MyUsage(model=model)
    view.period.value = "year"
    periods = [each.query.period for each in api.asked if each.operation == "getUsageSeries"]
    assert periods == ["month", "year"]
    assert api.operations().count("getMe") == 1
    assert "the supplier" in view.sentences.value
    model.choose("decade")
    assert model.period == "year"
    view.close()


def test_graphs_of_two_on_a_page_have_ids_of_their_own(api: FakeApi) -> None:
    used(api, usage_row("", **BUSY))
    views = [MyUsage(model=MyUsageModel(api.client)) for _ in range(2)]
    ids = [view.graphs.value.split('id="', 1)[1].split('"')[0] for view in views]
    assert len(set(ids)) == 2
    assert all("<svg" in view.graphs.value for view in views)
    for view in views:
        view.close()


def test_who_cannot_be_answered_is_told(api: FakeApi, model: MyUsageModel) -> None:
    api.refuses["getUsageSeries"] = Unavailable("The ledger is busy.", "Try again.")
    view = MyUsage(model=model)
    assert "The ledger is busy." in view.problem.value
    view.close()
