from datetime import timedelta
from html.parser import HTMLParser
from typing import Any, cast

import pytest

from ds01_spawner.composition import Platform
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.operations.images.shelf import ImageShelf
from ds01_spawner.policy.images import ImageCatalogue, parse_images
from ds01_spawner.ports import LocalImage
from ds01_spawner.spawner.form import Form
from fakes.lab import Lab
from fakes.policy import FakePolicy
from fakes.probe import FakeProbe, card, machine

IMAGES = """
default: starter
images:
  starter:
    reference: ds01/starter:latest
    title: Starter
    description: A place to begin.
    gpu_recommended: true
  torch:
    reference: ds01/torch:latest
    title: PyTorch <3
    description: For "deep" learning & more.
  plain:
    reference: ds01/plain:latest
    title: Plain
    description: Python alone.
    gpu_recommended: false
"""
_VOID = {"input", "br", "img", "meta", "link", "hr"}


class Page(HTMLParser):
    """What a browser makes of the form; fails where tags do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.inputs: list[dict[str, str | None]] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.add(tag)
        if tag == "input":
            self.inputs.append(found)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        for key in ("for", "aria-labelledby", "aria-describedby"):
            self.references += str(found.get(key) or "").split()
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in {"style", "script"}:
            self.text += f" {' '.join(data.split())}"

    def named(self, name: str) -> dict[str, dict[str, str | None]]:
        """The inputs of this name, by value."""
        return {str(each.get("value")): each for each in self.inputs if each["name"] == name}

    def chosen(self, name: str) -> str:
        """The value that would be sent."""
        (value,) = (value for value, each in self.named(name).items() if "checked" in each)
        return value


class _Parts:
    def __init__(self, lab: Lab, images: ImageCatalogue) -> None:
        self.admission, self.probe, self.images = lab.admission, lab.probe, images
        self.clock, self.image_shelf = lab.clock, ImageShelf(lab.engine)


def shown(lab: Lab, user: str = "alice", container: str = "jupyter", **last: Any) -> Page:
    platform = cast("Platform", _Parts(lab, parse_images(IMAGES, "images.yaml")))
    return Page(Form(platform, user, container, last=last).render())


def test_the_form_is_well_formed_and_every_label_has_its_field() -> None:
    page = shown(Lab())
    assert len(page.ids) == len(set(page.ids))
    assert set(page.references) <= set(page.ids)
    assert {each["type"] for each in page.inputs} >= {"radio", "checkbox", "text", "hidden"}


def test_every_size_is_offered_with_what_is_free() -> None:
    lab = Lab()
    lab.run("bob", "3g.20gb")
    page = shown(lab)
    assert list(page.named("gpu")) == ["none", "1g.5gb", "2g.10gb", "3g.20gb"]
    assert "0 of 1 free" in page.text
    assert "7 of 7 free" in page.text


def test_what_can_never_be_had_is_not_offered_and_why_is_said_once() -> None:
    lab = Lab(probe=FakeProbe(machine(card(0, "1g.5gb"), card(1))))
    page = shown(lab)
    assert list(page.named("gpu")) == ["none", "1g.5gb"]
    assert page.text.count("Whole GPUs are for other groups") == 1


def test_a_group_without_gpus_is_offered_none_and_told_so() -> None:
    page = shown(Lab(policy=FakePolicy("defaults:\n  max_gpu_slots: 0\n")))
    assert list(page.named("gpu")) == ["none"]
    assert "Your group has no GPUs." in page.text


def test_images_are_shown_with_origin_size_and_age() -> None:
    lab = Lab()
    lab.engine.images |= {"ds01/starter:latest", "ds01-alice/thesis:latest", "ds01-alice/thesis:2"}
    lab.engine.images |= {"ds01-bob/secret:latest", "other:latest"}
    three_weeks = LocalImage(5 * 1024**3, lab.clock.now() - timedelta(days=22))
    lab.engine.image_facts["ds01/starter:latest"] = three_weeks
    page = shown(lab, image="ds01-alice/thesis")
    *others, older = "starter", "torch", "plain", "ds01-alice/thesis:2"
    last = "ds01-alice/thesis:latest"
    assert list(page.named("image")) == [last, *others, older]
    assert page.chosen("image") == "ds01-alice/thesis:latest"
    text = " ".join(page.text.split())
    assert "From the lab A place to begin. 5 GB, built 3 weeks ago" in text
    assert "thesis Built by you Your last choice 954 MB, built today" in text
    assert "Not fetched yet" in page.text
    assert "secret" not in page.text


def test_an_engine_that_keeps_its_images_to_itself_costs_only_sizes_and_ages() -> None:
    lab = Lab()
    lab.engine.fail_next("local_images", Unavailable("The engine does not answer."))
    page = shown(lab)
    assert list(page.named("image")) == ["starter", "torch", "plain"]
    assert "built" not in page.text
    assert "Not on this machine" not in page.text


def test_names_of_images_control_nothing_and_long_ones_are_cut() -> None:
    lab = Lab()
    lab.engine.images |= {f"ds01-alice/{'x' * 200}:latest"}
    assert f"{'x' * 79}…" in shown(lab).text


def test_the_wait_is_told_once_there_is_something_to_tell_it_from() -> None:
    lab = Lab(probe=FakeProbe(machine(card(0, "1g.5gb"))))
    lab.run("bob")
    assert "Expected wait" not in shown(lab).text
    lab.held_lately(timedelta(hours=2))
    assert "Expected wait: about 2 hours." in shown(lab).text


def test_at_the_slot_limit_only_a_server_without_gpu_is_left() -> None:
    lab = Lab()
    lab.run("alice", name="thesis")
    page = shown(lab)
    enabled = [value for value, each in page.named("gpu").items() if "disabled" not in each]
    assert enabled == ["none"]
    assert page.chosen("gpu") == "none"
    assert "thesis" in page.text


def test_the_slot_of_the_server_that_is_started_again_does_not_count() -> None:
    lab = Lab()
    lab.run("alice")
    lab.stop("alice")
    page = shown(lab)
    assert "disabled" not in page.named("gpu")["1g.5gb"]


def test_a_queue_is_shown_where_nothing_is_free() -> None:
    lab = Lab(probe=FakeProbe(machine(card(0, "1g.5gb"))))
    lab.run("bob")
    lab.queued(lab.request("carol"))
    page = shown(lab)
    assert "0 of 1 free" in page.text
    assert "1 person waits" in page.text
    assert "disabled" not in page.named("gpu")["1g.5gb"]
    assert "You would be number 2 in the queue" in page.text


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ("  idle_timeout: 90m\n  max_runtime: 7d\n", ("1 hour 30 minutes", "7 days")),
        ("  idle_timeout: null\n  max_runtime: null\n", ("never", "never")),
        (
            "  max_runtime: 7d\n  container_types: {hub: {idle_timeout: 45m}}\n",
            ("45 minutes", "7 days"),
        ),
    ],
    ids=["own", "none", "those of servers"],
)
def test_the_form_says_when_the_server_will_stop(limits: str, words: tuple[str, str]) -> None:
    lab = Lab(policy=FakePolicy(f"defaults:\n{limits}"))
    assert f"Stops when unused for {words[0]} " in shown(lab).text
    assert f"Stops at the latest after {words[1]} " in shown(lab).text


def test_the_last_choice_is_proposed_again() -> None:
    page = shown(Lab(), image="torch", gpu="2g.10gb", project="thesis", wait=False)
    assert page.chosen("image") == "torch"
    assert page.chosen("gpu") == "2g.10gb"
    assert page.named("project").keys() == {"thesis"}
    assert "checked" not in page.named("wait")["true"]


@pytest.mark.parametrize(
    "last",
    [
        {},
        {"image": "gone", "gpu": "9g.90gb"},
        {"image": 3, "gpu": ["mig"], "project": {}, "gpu_count": "many", "wait": "no"},
        {"gpu": "full"},
    ],
    ids=str,
)
def test_a_last_choice_that_is_none_any_more_falls_back(last: dict[str, Any]) -> None:
    page = shown(Lab(), **last)
    assert page.chosen("image") == "starter"
    assert page.chosen("gpu") == "1g.5gb"
    assert "checked" in page.named("wait")["true"]


def test_an_image_that_needs_no_gpu_proposes_none() -> None:
    assert shown(Lab(), image="plain").chosen("gpu") == "none"
    assert shown(Lab(), image="plain", gpu="2g.10gb").chosen("gpu") == "2g.10gb"


def test_hostile_words_are_words() -> None:
    bad = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    page = shown(Lab(), project=bad, image=bad, gpu=bad)
    assert page.named("project").keys() == {bad}
    assert "img" not in page.tags
    assert "PyTorch <3" in page.text
    assert 'For "deep" learning & more.' in page.text


def test_hostile_names_are_refused_in_words() -> None:
    page = shown(Lab(), user="</div><script>alert(1)</script>/")
    assert page.inputs == []
    assert "<script>" in page.text


@pytest.mark.parametrize("part", ["engine", "driver", "policy", "ledger"])
def test_a_part_that_does_not_answer_is_named_and_nothing_can_be_sent(part: str) -> None:
    lab = Lab()
    match part:
        case "engine":
            lab.engine.stuck = True
        case "driver":
            lab.probe.stuck = True
        case "policy":
            lab.policy.broken = True
        case _:
            lab.ledger.locked = True  # type: ignore[attr-defined]
    page = shown(lab)
    assert page.inputs == []
    assert "Nothing can be started until this is repaired" in page.text


def test_simulated_gpus_are_said_to_be_simulated() -> None:
    simulated = Lab(probe=FakeProbe(machine(card(0, "1g.5gb"), source="simulated")))
    assert "simulated" in shown(simulated).text
    assert "simulated" not in shown(Lab()).text


def test_looking_at_the_form_takes_nothing() -> None:
    lab = Lab()
    shown(lab)
    assert lab.reservations() == ()
    assert lab.events.events == []
