from datetime import timedelta
from typing import Any

import pytest

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Unavailable
from ds01_widgets import polling
from ds01_widgets.models import live
from ds01_widgets.models.gpu_status import GpuStatusModel
from ds01_widgets.views.gpu_status import GpuStatus
from fakes.api_app import NOW, FakeApi
from fakes.wizards import wait_for


def slot(name: str, state: str = "free", **facts: Any) -> m.GpuSlot:
    usual: dict[str, Any] = {
        "slot": name,
        "profile": "1g.5gb",
        "memory_bytes": 5 * 1024**3,
        "equivalents": 0.125,
        "state": state,
        "mine": False,
        "user": None,
        "container": None,
        "since": None,
        "until": None,
        "use": "interactive",
        "utilisation": None,
        "memory_used_bytes": None,
        "processes": None,
    }
    return m.GpuSlot.model_validate(usual | facts)


def have(api: FakeApi, *slots: m.GpuSlot, **facts: Any) -> None:
    found = m.Gpus(taken_at=NOW, source="nvml", slots=slots).model_copy(update=facts)
    api.answers["listGpus"] = lambda _asked: found


@pytest.fixture
def model(api: FakeApi) -> GpuStatusModel:
    return GpuStatusModel(api.client)


def test_mine_are_named_and_others_are_somebodys(api: FakeApi, model: GpuStatusModel) -> None:
    have(
        api,
        slot("0:0"),
        slot("0:1", "allocated", mine=True, user="alice", container="thesis._.alice"),
        slot("0:2", "allocated", since=NOW - timedelta(minutes=24), utilisation=0.5),
        slot("1", "held", profile="full", until=NOW + timedelta(minutes=9)),
        slot("2", use="batch", profile="full"),
    )
    model.load()
    free, mine, somebodys, held, batch = model.rows
    assert (free.free, free.who) == (True, "")
    assert (mine.mine, mine.who) == (True, "you (thesis)")
    assert (somebodys.who, somebodys.since, somebodys.busy) == ("somebody", "24 minutes", 0.5)
    assert (held.size, held.state) == ("whole GPU", "kept for a stopped server, 9 minutes more")
    assert (batch.free, batch.state) == (False, "free, for batch jobs")
    assert model.summary == "1 of 5 GPU slots is free. 1 is yours."


def test_managers_see_whose_they_are(api: FakeApi, model: GpuStatusModel) -> None:
    have(api, slot("0:0", "allocated", user="bob", container="run._.bob"))
    model.load()
    assert model.rows[0].who == "bob (run)"


def test_simulated_cards_and_problems_are_said(api: FakeApi, model: GpuStatusModel) -> None:
    have(api, slot("0"), source="simulated", problems=("GPU 3 does not answer.",))
    model.load()
    assert model.notes[0].startswith("These GPUs are simulated")
    assert model.notes[1] == "GPU 3 does not answer."


def test_a_server_without_gpus_says_so(model: GpuStatusModel) -> None:
    assert model.summary == "Looking at the GPUs …"
    model.load()
    assert model.summary == "This server has no GPUs."


def test_the_table_says_it_and_what_others_wrote_is_no_html(
    api: FakeApi, model: GpuStatusModel
) -> None:
    have(api, slot("0:1", "allocated", mine=True, user="alice", container="<b>x</b>._.alice"))
    view = GpuStatus(model=model)
    assert '<tr class="ds01-mine">' in view.slots.value
    assert "&lt;b&gt;x" in view.slots.value
    assert "1 is yours" in view.summary.value
    view.close()


def test_a_refusal_is_told_in_words(api: FakeApi, model: GpuStatusModel) -> None:
    api.refuses["listGpus"] = Unavailable("The <driver> does not answer.", "Try again.")
    view = GpuStatus(model=model)
    assert "&lt;driver&gt;" in view.problem.value
    assert 'role="alert"' in view.problem.value
    assert "Try again." in view.problem.value
    del api.refuses["listGpus"]
    view.line.button.click()
    assert view.problem.value == ""
    view.close()


def test_it_asks_by_itself_only_while_somebody_sees_it(
    api: FakeApi, model: GpuStatusModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "LEAST_SECONDS", 0.01)
    monkeypatch.setattr(GpuStatusModel, "EVERY_SECONDS", 0.01)
    view = GpuStatus(model=model)
    assert api.operations() == ["listGpus"]
    view._view_count = 1
    wait_for(lambda: len(api.asked) > 3)
    assert "Read anew every" in view.line.text.value
    view._view_count = 0
    assert not model.live
    view._view_count = 1
    have(api, slot("0"))
    wait_for(lambda: "1 of 1" in view.summary.value)
    view.close()


def test_a_page_that_was_left_open_asks_no_more_after_a_while(
    api: FakeApi, model: GpuStatusModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LIVE_FOR", timedelta(0))
    view = GpuStatus(model=model)
    view._view_count = 1
    wait_for(lambda: not model.live)
    monkeypatch.setattr(live, "LIVE_FOR", timedelta(minutes=20))
    view.line.button.click()
    assert model.live
    assert "listGpus" in api.operations()
    view.close()


def test_what_is_old_is_said_to_be_old(
    api: FakeApi, model: GpuStatusModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "LEAST_SECONDS", 0.01)
    view = GpuStatus(model=model)
    api.refuses["listGpus"] = Unavailable("The gateway is away.")
    view._view_count = 1
    wait_for(lambda: "This is old: The gateway is away." in view.line.text.value)
    view.close()


def test_a_first_reading_that_failed_is_forgotten_when_the_next_works(
    api: FakeApi, model: GpuStatusModel
) -> None:
    api.refuses["listGpus"] = Unavailable("The gateway is away.")
    view = GpuStatus(model=model)
    assert "The gateway is away." in view.problem.value
    del api.refuses["listGpus"]
    view._view_count = 1
    wait_for(lambda: view.problem.value == "")
    view.close()


def test_closing_twice_is_closing_once(model: GpuStatusModel) -> None:
    view = GpuStatus(model=model)
    view.close()
    view.close()
    assert view.comm is None
