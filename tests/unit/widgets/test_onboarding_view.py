"""The first day as widgets, set and read without a browser."""

from pathlib import Path

import pytest

from ds01_spawner.domain.errors import Unavailable
from ds01_widgets.models.onboarding import OnboardingModel
from ds01_widgets.views.onboarding import Onboarding
from fakes.api_app import FakeApi


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DS01_USER_CONFIG_DIR", str(tmp_path / ".config" / "ds01"))
    monkeypatch.setenv("DS01_CONTAINER", "jupyter")
    return tmp_path


@pytest.fixture
def view(api: FakeApi, home: Path) -> Onboarding:
    assert home.is_dir()
    return Onboarding(model=OnboardingModel(api.client))


def is_seen(widget: object) -> bool:
    return widget.layout.display != "none"  # type: ignore[attr-defined, no-any-return]


def open_panels(view: Onboarding) -> list[str]:
    return [name for name, panel in view.panels.items() if is_seen(panel)]


def labels(view: Onboarding) -> list[str]:
    return [label for label, _ in view.steps.options]


def test_it_begins_at_the_first_step_that_is_open(view: Onboarding, api: FakeApi) -> None:
    assert (view.step, open_panels(view)) == ("folders", ["folders"])
    view.make.click()
    again = Onboarding(model=OnboardingModel(api.client))
    assert (again.step, open_panels(again)) == ("key", ["key"])
    assert labels(again)[0] == "1 ✓ Your folders"


def test_everything_by_clicking(view: Onboarding, api: FakeApi, home: Path) -> None:
    view.make.click()
    view.onward.click()
    view.make_key.click()
    view.onward.click()
    view.copied.click()
    view.onward.click()
    assert open_panels(view) == ["container"]
    assert view.offers.options == ("With one GPU slot", "Without a GPU")
    view.offers.index = 1
    view.start.click()
    assert api.body("createContainer").gpu == "none"
    view.onward.click()
    view.keep.click()
    assert all("✓" in each for each in labels(view))
    assert not is_seen(view.onward)
    assert (home / ".config/ds01/first-steps.md").is_file()
    assert "# First steps" in view.page.outputs[0]["data"]["text/markdown"]


def test_what_was_done_is_said_before_going_on(view: Onboarding) -> None:
    view.make.click()
    assert "Folders made: ~/projects" in view.said.value
    assert is_seen(view.onward)


def test_a_step_may_be_chosen(view: Onboarding) -> None:
    view.steps.value = "vscode"
    assert open_panels(view) == ["vscode"]
    assert "Host *.ds01" in view.configuration.value
    view.look_again.click()
    assert view.step == "vscode"


def test_it_may_begin_elsewhere(api: FakeApi, home: Path) -> None:
    assert home.is_dir()
    view = Onboarding(model=OnboardingModel(api.client), step="key")
    assert open_panels(view) == ["key"]


def test_a_pasted_key_leaves_the_field(view: Onboarding, api: FakeApi) -> None:
    view.steps.value = "key"
    view.public_key.value = "hello"
    view.add.click()
    assert "not the public half" in view.problem.value
    assert view.public_key.value == "hello"
    view.public_key.value = f"ssh-ed25519 {'A' * 68} anna@laptop"
    view.add.click()
    assert view.public_key.value == ""
    assert not is_seen(view.problem)
    assert len(api.keys) == 1


def test_why_is_answered_from_the_handbook(view: Onboarding) -> None:
    why = view.ideas["folders"]
    why.button.value = True
    assert "Your workspace is a folder" in why.text.outputs[0]["data"]["text/markdown"]


def test_explanations_are_markup_not_marks(view: Onboarding) -> None:
    assert "<strong>folders</strong>" in view.told.value
    assert "**" not in view.told.value


def test_a_problem_is_words(api: FakeApi, home: Path) -> None:
    assert home.is_dir()
    api.refuses["getMe"] = Unavailable("The gateway rests.", "Try again.")
    view = Onboarding(model=OnboardingModel(api.client))
    assert "The gateway rests." in view.problem.value
    del api.refuses["getMe"]
    view.look_again.click()
    assert not is_seen(view.problem)


def test_nothing_that_somebody_else_said_becomes_markup(api: FakeApi, home: Path) -> None:
    assert home.is_dir()
    api.refuses["getMe"] = Unavailable("<b>bold</b>")
    view = Onboarding(model=OnboardingModel(api.client))
    assert "&lt;b&gt;" in view.problem.value
