from datetime import timedelta

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Forbidden
from ds01_widgets.models.extend_server import ExtendServerModel
from ds01_widgets.views.extend_server import ExtendServer
from fakes.api_app import NOW, FakeApi


@pytest.fixture
def model(api: FakeApi) -> ExtendServerModel:
    return ExtendServerModel(api.client)


def in_hours(hours: int) -> object:
    return NOW + timedelta(hours=hours)


def test_this_server_comes_first_and_is_meant(
    api: FakeApi, model: ExtendServerModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DS01_CONTAINER", "thesis")
    api.has("jupyter", server="", keep_until=in_hours(24))
    api.has("thesis", server="thesis", keep_until=in_hours(24), gpu_slots=("0:1",))
    api.has("old", state="exited")
    model.load()
    assert [row.title for row in model.rows] == ["Server thesis, with GPU slot 0:1", "My server"]
    assert model.chosen == "thesis"


def test_no_more_is_offered_than_the_policy_allows(api: FakeApi, model: ExtendServerModel) -> None:
    api.has("jupyter", server="", keep_until=in_hours(5))
    model.load()
    assert [each.words for each in model.durations] == [
        "as long as is allowed",
        "1 hour",
        "2 hours",
        "4 hours",
    ]
    assert model.hint == "It can be kept running for 5 hours from now, used or not."
    model.keep_for(timedelta(hours=4))
    api.has("jupyter", server="", keep_until=in_hours(3))
    model.load()
    assert [each.value for each in model.durations][-1] == timedelta(hours=2)
    assert model.duration is None


def test_what_is_never_stopped_for_not_being_used_cannot_be_kept(
    api: FakeApi, model: ExtendServerModel
) -> None:
    api.has("jupyter", server="", keep_until=None)
    model.load()
    assert model.durations == ()
    assert "cannot be kept longer" in model.hint


def test_nothing_runs(model: ExtendServerModel) -> None:
    model.load()
    assert model.hint == "Nothing of yours runs."
    model.extend()
    assert not model.busy


def test_a_server_is_kept_and_the_wizard_says_for_how_long(
    api: FakeApi, model: ExtendServerModel
) -> None:
    api.has("jupyter", server="", keep_until=in_hours(24))
    api.answers["extendContainer"] = lambda _asked: m.Extended(
        name="jupyter", until=NOW + timedelta(hours=2), shortened=True, ends_anyway=None
    )
    view = ExtendServer(model=model)
    view.duration.value = 2
    assert model.duration == timedelta(hours=2)
    view.button.click()
    assert api.body("extendContainer").duration == "2h"
    assert "kept running for 2 hours" in view.told.value
    assert "most that the policy allows" in view.told.value
    view.close()


def test_the_limit_that_ends_it_anyway_is_told(api: FakeApi, model: ExtendServerModel) -> None:
    api.has("jupyter", server="", keep_until=in_hours(24))
    api.answers["extendContainer"] = lambda _asked: m.Extended(
        name="jupyter",
        until=NOW + timedelta(hours=2),
        shortened=True,
        ends_anyway="max_runtime 24h (group student)",
    )
    model.load()
    model.extend()
    assert model.told[1] == "Then it stops: max_runtime 24h (group student)."


def test_a_refusal_is_told_and_nothing_else_changes(api: FakeApi, model: ExtendServerModel) -> None:
    api.has("jupyter", server="", keep_until=in_hours(24))
    view = ExtendServer(model=model)
    api.refuses["extendContainer"] = Forbidden("Not now.", "Save your work.")
    view.button.click()
    assert "Not now." in view.problem.value
    assert view.told.value == ""
    assert not view.button.disabled
    view.close()


def test_another_server_can_be_chosen(api: FakeApi, model: ExtendServerModel) -> None:
    api.has("a", keep_until=in_hours(24))
    api.has("b", keep_until=in_hours(2))
    view = ExtendServer(model=model)
    view.server.value = "b"
    assert model.chosen == "b"
    assert len(view.duration.options) == 2
    del api.containers["b"]
    model.load()
    assert view.server.value == "a"
    view.close()
