import pytest

from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import Unavailable
from ds01_widgets.models.my_limits import MyLimitsModel
from ds01_widgets.views.my_limits import MyLimits
from fakes.api_app import FakeApi

SOURCE = "/etc/ds01/resource-limits.yaml:31"


def value(words: str, origin: str = "group:student", source: str | None = SOURCE) -> m.LimitValue:
    return m.LimitValue(value=words, words=words, origin=origin, source=source)


def me(**facts: object) -> m.Me:
    limits = {
        "max_gpu_slots": value("2"),
        "memory": value("16g", "builtin", None),
        "idle_timeout": value("2h", "user"),
        "policies.new_in_a_later_release": value("3"),
    }
    explanation = m.PolicyExplanation(
        user="alice", group="student", groups=("student",), limits=limits, reason="Thesis <b>"
    )
    usage = (
        m.Usage(limit="max_gpu_slots", used=2, allowed=2),
        m.Usage(limit="storage", used=None, allowed=100 * 1024**3),
        m.Usage(limit="max_containers_per_user", used=1, allowed=None),
    )
    usual = m.Me(
        user="alice",
        role=m.Role.STUDENT,
        interface="hub",
        explanation=explanation,
        usage=usage,
        containers=(),
        tickets=(),
        notices=(),
        notes=("The disk could not be read.",),
    )
    return usual.model_copy(update=facts)


@pytest.fixture
def model(api: FakeApi) -> MyLimitsModel:
    api.answers["getMe"] = lambda _asked: me()
    return MyLimitsModel(api.client)


def test_what_is_used_has_a_share_only_where_there_is_a_limit(model: MyLimitsModel) -> None:
    model.load()
    slots, storage, containers = model.usage
    assert (slots.title, slots.words, slots.share) == ("GPU slots", "2 of 2", 1.0)
    assert slots.set_by == "group student, resource-limits.yaml line 31"
    assert (storage.words, storage.share) == ("100 GB allowed; in use: not known", None)
    assert (containers.words, containers.share) == ("1 (no limit)", None)


def test_every_limit_says_who_set_it(model: MyLimitsModel) -> None:
    model.load()
    rows = {row.title: (row.words, row.set_by) for row in model.limits}
    assert rows["Memory of one server"] == ("16g", "built in")
    assert rows["Stops when unused for"][1].startswith("your own entry")
    assert "policies.new_in_a_later_release" in rows
    assert model.who == "alice, in group student"
    assert "The disk could not be read." in model.sentences
    assert any("stops after 2h" in each for each in model.sentences)


def test_an_administrator_without_limits_is_told_so(api: FakeApi, model: MyLimitsModel) -> None:
    api.answers["getMe"] = lambda _asked: me(explanation=None, usage=())
    assert model.who == "Looking up your limits …"
    model.load()
    assert "without limits" in model.who
    assert (model.limits, model.usage) == ((), ())


def test_bars_are_said_in_words_and_every_limit_is_shown_on_demand(model: MyLimitsModel) -> None:
    view = MyLimits(model=model)
    assert 'aria-label="100 percent"' in view.usage.value
    assert "ds01-full" in view.usage.value
    assert "2 of 2" in view.usage.value
    assert "Thesis &lt;b&gt;" in view.sentences.value
    assert view.limits.value == ""
    view.every.value = True
    assert "built in" in view.limits.value
    view.close()


def test_why_explains_limits_from_the_handbook(model: MyLimitsModel) -> None:
    view = MyLimits(model=model)
    view.why.button.value = True
    told = view.why.text.outputs[0]["data"]["text/markdown"]
    assert "### " in told
    assert view.why.text in view.why.children
    view.why.button.value = False
    assert view.why.text not in view.why.children
    view.close()


def test_who_cannot_be_answered_is_told(api: FakeApi, model: MyLimitsModel) -> None:
    api.refuses["getMe"] = Unavailable("The policy is broken.", "Tell your administrator.")
    view = MyLimits(model=model)
    assert "The policy is broken." in view.problem.value
    assert view.every.layout.display == "none"
    view.close()
