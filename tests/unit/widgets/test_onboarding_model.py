"""The five steps, without a widget and without a terminal."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from ds01_spawner import handbook
from ds01_spawner.client import models as m
from ds01_spawner.domain.errors import InvalidRequest, Unavailable
from ds01_spawner.home.folders import FOLDERS
from ds01_spawner.recipes.starter import STARTER
from ds01_widgets.models import onboarding
from ds01_widgets.models.first_look import WAIT
from ds01_widgets.models.onboarding import OnboardingModel
from ds01_widgets.running import Job, Running
from fakes.api_app import NOW, FakeApi

PUBLIC = f"ssh-ed25519 {'A' * 68} anna@laptop"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DS01_USER_CONFIG_DIR", str(tmp_path / ".config" / "ds01"))
    monkeypatch.setenv("DS01_CONTAINER", "jupyter")
    return tmp_path


@pytest.fixture
def api(home: Path) -> FakeApi:
    assert home.is_dir()
    return FakeApi()


@pytest.fixture
def model(api: FakeApi) -> OnboardingModel:
    found = OnboardingModel(api.client)
    found.load()
    return found


def states(model: OnboardingModel) -> list[str]:
    return [each.state for each in model.found.steps]


def take_all(model: OnboardingModel) -> None:
    model.make_folders()
    model.make_key()
    model.tell_editors()
    model.start_container(model.found.offers[0])
    model.finish()


def test_a_look_changes_nothing(model: OnboardingModel, api: FakeApi, home: Path) -> None:
    assert states(model) == ["open"] * 5
    assert model.next_step == "folders"
    assert list(home.iterdir()) == []
    assert not {"createContainer", "addSshKey"} & set(api.operations())


def test_each_step_is_taken_and_found_again(
    model: OnboardingModel, api: FakeApi, home: Path
) -> None:
    take_all(model)
    assert model.problem is None
    assert model.next_step is None
    assert all((home / name).is_dir() for name in FOLDERS)
    assert "first" in api.containers
    assert "ssh first.ds01" in (home / ".config/ds01/first-steps.md").read_text()

    again = OnboardingModel(api.client)
    again.load()

    assert states(again) == ["there"] * 5
    assert again.editor_link() == "vscode://vscode-remote/ssh-remote+first.ds01/home/alice"


def test_twice_is_as_good_as_once(model: OnboardingModel, api: FakeApi, home: Path) -> None:
    take_all(model)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    model.make_folders()
    model.make_key()
    model.tell_editors()
    assert states(model)[:4] == ["there", "there", "there", "there"]
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before
    assert api.operations().count("addSshKey") == 1


def test_a_step_that_was_taken_is_told_as_such(model: OnboardingModel) -> None:
    model.make_folders()
    assert model.step("folders").state == "done"
    assert "~/projects" in model.step("folders").words
    assert model.next_step == "key"


def test_a_file_in_the_way_is_a_problem_and_stays(model: OnboardingModel, home: Path) -> None:
    (home / "data").write_text("mine")
    model.make_folders()
    assert model.problem is not None
    assert "is a file where a folder should be" in str(model.problem)
    assert (home / "data").read_text() == "mine"


def test_a_key_from_elsewhere_is_added_once(
    model: OnboardingModel, api: FakeApi, home: Path
) -> None:
    model.add_key(f"  {PUBLIC}\n")
    assert model.step("key").state == "done"
    model.add_key(PUBLIC)
    assert model.step("key").state == "there"
    assert [each.key for each in api.keys] == [PUBLIC]
    assert not (home / ".config").exists(), "no key is made beside it"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Nothing was pasted"),
        ("hello", "not the public half"),
        ("ssh-ed25519 AAAA\nssh-rsa BBBB", "not the public half"),
    ],
)
def test_what_is_no_key_is_refused_in_words(
    model: OnboardingModel, api: FakeApi, text: str, words: str
) -> None:
    model.add_key(text)
    assert isinstance(model.problem, InvalidRequest)
    assert words in str(model.problem)
    assert "addSshKey" not in api.operations()


def test_a_private_key_is_never_sent(model: OnboardingModel, api: FakeApi) -> None:
    model.add_key("-----BEGIN OPENSSH PRIVATE KEY-----\nsecret\n-----END OPENSSH PRIVATE KEY-----")
    assert "was not sent" in str(model.problem)
    assert "secret" not in repr(api.asked)
    assert "secret" not in str(model.problem)


def test_the_configuration_is_ones_own(model: OnboardingModel) -> None:
    text = model.configuration()
    assert text.startswith("Host *.ds01\n")
    assert "User alice" in text
    assert "ds01 ssh-proxy" in text


def test_who_set_a_laptop_up_says_so_once(model: OnboardingModel, api: FakeApi) -> None:
    model.configured()
    assert model.step("vscode").state == "done"
    again = OnboardingModel(api.client)
    again.load()
    assert again.step("vscode").state == "there"


def test_a_server_that_runs_is_a_container(api: FakeApi) -> None:
    api.has("jupyter", server="")
    model = OnboardingModel(api.client)
    model.load()
    assert model.step("container").state == "there"
    assert model.found.offers == ()
    assert "planContainer" not in api.operations()


def test_a_stopped_first_one_is_started_again(api: FakeApi) -> None:
    api.has("first", state="exited")
    model = OnboardingModel(api.client)
    model.load()
    (offer,) = model.found.offers
    model.start_container(offer)
    assert model.step("container").state == "done"
    assert "startContainer" in api.operations()
    assert "createContainer" not in api.operations()


def refused(detail: str) -> m.Problem:
    return m.Problem(
        type="urn:ds01:problem:quota",
        title="Quota",
        status=403,
        detail=detail,
        next_step="Ask.",
    )


def plans(api: FakeApi, of: Callable[[m.CreateRequest], dict[str, object]]) -> None:
    def told(asked: object) -> m.Plan:
        wanted: m.CreateRequest = asked.body  # type: ignore[attr-defined]
        return m.Plan.model_validate(
            {"sentences": ("Now.",), "name": wanted.name, "image": "x", **of(wanted)}
        )

    api.answers["planContainer"] = told


def test_what_the_policy_refuses_is_not_offered(api: FakeApi) -> None:
    plans(api, lambda wanted: {"refused": refused("No GPU for you.")} if wanted.gpus else {})
    model = OnboardingModel(api.client)
    model.load()
    assert [each.label for each in model.found.offers] == ["Without a GPU"]
    assert model.found.not_offered == ("With one GPU slot: No GPU for you. Ask.",)


def test_when_none_is_free_one_may_wait(api: FakeApi) -> None:
    place = m.Place(place=1, length=1, reason="All are in use.", gpu="a GPU slot", waited_seconds=0)
    plans(api, lambda wanted: {"would_wait": place} if wanted.gpus else {})
    api.places = [place]
    model = OnboardingModel(api.client)
    model.load()
    offer = model.found.offers[0]
    assert offer.wanted.wait == WAIT
    assert offer.words == "Waiting for a GPU slot: you are the next. All are in use."
    told: list[str] = []
    model.observe(lambda: told.append(model.waiting))
    model.start_container(offer)
    assert offer.words in told
    assert (model.waiting, model.is_making) == ("", False)


class Held(Running):
    """Work that has been started, and does not end."""

    def start(self, work: object, done: object, failed: object) -> Job:
        self.given = (work, done, failed)
        return Job(self.hand)

    def hand(self, deed: Callable[[], None]) -> None:
        deed()

    def close(self) -> None:
        pass


def test_a_place_is_given_up(api: FakeApi, model: OnboardingModel) -> None:
    ticket = m.Ticket.model_validate(
        {
            "id": "t1",
            "user": "alice",
            "name": "first",
            "place": 1,
            "length": 1,
            "gpu": "a GPU slot",
            "priority": 1,
            "since": NOW,
            "reason": "All are in use.",
        }
    )
    other = ticket.model_copy(update={"id": "t2", "name": "thesis"})
    api.answers["listQueue"] = lambda _asked: m.Queue(taken_at=NOW, tickets=(ticket, other))
    api.answers["leaveQueue"] = lambda asked: m.Removed(name=asked.parts["ticket"])
    offer, inline = model.found.offers[0], model.running
    model.running = Held()
    model.start_container(offer)
    assert model.is_making
    model.running = inline
    model.cancel()
    assert not model.is_making
    left = [each.parts for each in api.asked if each.operation == "leaveQueue"]
    assert [dict(each) for each in left] == [{"ticket": "t1"}]
    assert model.step("container").state == "open"


def test_an_api_that_does_not_answer_is_said(api: FakeApi) -> None:
    api.refuses["getMe"] = Unavailable("The gateway rests.", "Try again.")
    model = OnboardingModel(api.client)
    model.load()
    assert str(model.problem) == "The gateway rests. Try again."
    del api.refuses["getMe"]
    model.load()
    assert model.problem is None
    assert states(model) == ["open"] * 5


def test_each_step_has_words_and_ideas() -> None:
    for name in OnboardingModel.NAMES:
        assert onboarding.title(name)
        assert onboarding.explanation(name)
        assert set(onboarding.ideas(name)) <= set(handbook.concepts())


def test_a_project_begins_beside_others(api: FakeApi, model: OnboardingModel, home: Path) -> None:
    api.options = m.ImageOptions.model_validate(asdict(STARTER))
    model.begin_project(" leaves ")
    assert model.problem is None
    assert (home / "projects/leaves/Dockerfile").is_file()
    assert model.found.projects == ("~/projects/leaves",)
    before = (home / "projects/leaves/Dockerfile").stat()
    model.begin_project("leaves")
    assert "is there already" in str(model.problem)
    assert (home / "projects/leaves/Dockerfile").stat() == before


def test_a_project_that_cannot_be_called_so_is_refused(model: OnboardingModel, home: Path) -> None:
    model.begin_project("../mine")
    assert "cannot name a project" in str(model.problem)
    assert list(home.iterdir()) == []
