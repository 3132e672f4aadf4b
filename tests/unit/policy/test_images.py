from pathlib import Path

import pytest

from ds01_spawner.domain.errors import Forbidden, InvalidRequest, PolicyError
from ds01_spawner.policy.images import (
    ImageCatalogue,
    canonical_reference,
    own_repository,
    parse_images,
)
from ds01_spawner.policy.json_schema import render_images_schema

CONFIG = Path(__file__).parents[3] / "config"
TEXT = """
default: starter
images:
  starter: {reference: "ds01/starter", title: Starter}
  torch:
    reference: registry.example.org:5000/lab/torch:2.6
    title: PyTorch
    gpu_recommended: yes
    groups: [researcher]
"""


def catalogue(text: str = TEXT) -> ImageCatalogue:
    return parse_images(text, "images.yaml")


def test_the_shipped_catalogue_offers_the_starter_image() -> None:
    shipped = parse_images((CONFIG / "images.yaml").read_text(), "images.yaml")
    assert shipped.resolve("alice", None, "starter") == "ds01/starter:latest"
    assert shipped.default_for(None) is shipped.entry("ds01/starter:latest")


def test_the_shipped_schema_is_current() -> None:
    assert (CONFIG / "images.schema.json").read_text() == render_images_schema()


@pytest.mark.parametrize(
    "spelling",
    [
        "starter",
        "ds01/starter",
        "ds01/starter:latest",
        "docker.io/ds01/starter:latest",
    ],
)
def test_an_entry_is_found_by_key_and_by_every_spelling_of_its_reference(spelling: str) -> None:
    entry = catalogue().entry(spelling)
    assert entry is not None
    assert entry.title == "Starter"


@pytest.mark.parametrize("text", ["ds01/starter:old", "starter:latest", "other", "", "a b", "-"])
def test_anything_else_is_no_entry(text: str) -> None:
    assert catalogue().entry(text) is None


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("python", "python:latest"),
        ("docker.io/library/python:3.13", "python:3.13"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
        (f"a/b@sha256:{'0' * 64}", f"a/b@sha256:{'0' * 64}"),
    ],
)
def test_references_have_one_canonical_spelling(text: str, canonical: str) -> None:
    assert canonical_reference(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a/B",
        "a b",
        "a/../b",
        "a:b:c",
        "a@sha256:1",
        "a/b\n",
        "/a",
        "a//b",
        "a" * 600,
        "-a",
        "ä",
    ],
)
def test_what_is_no_reference_is_refused_and_offers_what_there_is(text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        catalogue().resolve("alice", "researcher", text)
    assert caught.value.next_step == "Choose starter or torch."


def test_an_image_for_some_groups_is_for_them_only() -> None:
    assert catalogue().resolve("alice", "researcher", "torch").endswith("lab/torch:2.6")
    for group in ("student", None):
        with pytest.raises(Forbidden, match=r"PyTorch is for researcher only\. Choose starter\."):
            catalogue().resolve("alice", group, "torch")
        assert list(catalogue().offered_to(group)) == ["starter"]


def test_people_may_start_images_of_their_own() -> None:
    assert catalogue().resolve("alice", None, "ds01-alice/thesis") == "ds01-alice/thesis:latest"
    mail = f"{own_repository('Al.Ice@uni.example')}/x:1"
    assert catalogue().resolve("Al.Ice@uni.example", None, mail) == mail


@pytest.mark.parametrize(
    "image",
    [
        "ds01-bob/thesis:latest",
        "ds01-alicia/x",
        "ds01-alice2/x",
        "docker.io/ds01-bob/thesis",
    ],
)
def test_nobody_starts_somebody_elses_image(image: str) -> None:
    with pytest.raises(Forbidden, match="belongs to somebody else"):
        catalogue().resolve("alice", None, image)


@pytest.mark.parametrize(
    "image",
    [
        "python:3.13",
        "ds01-alice",
        "example.org/ds01-alice/thesis",
        "evil/ds01-alice/thesis",
    ],
)
def test_an_image_that_is_not_in_the_catalogue_is_forbidden(image: str) -> None:
    with pytest.raises(Forbidden, match="is not in the catalogue"):
        catalogue().resolve("alice", None, image)


def test_own_images_can_be_forbidden() -> None:
    with pytest.raises(Forbidden, match="Only images of the catalogue"):
        catalogue(TEXT + "allow_own_images: no\n").resolve("alice", None, "ds01-alice/thesis")


def test_the_proposed_image_is_one_that_the_group_may_start() -> None:
    swapped = catalogue(TEXT.replace("default: starter", "default: torch"))
    for group, title in (("researcher", "PyTorch"), ("student", "Starter")):
        entry = swapped.default_for(group)
        assert entry is not None
        assert entry.title == title


def test_nothing_is_proposed_where_nothing_is_offered() -> None:
    only = catalogue("default: a\nimages:\n  a: {reference: a, title: A, groups: [staff]}\n")
    assert only.default_for("student") is None
    with pytest.raises(Forbidden, match="Ask the administrator"):
        only.check("alice", "student", "a")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("default: a\nimages: {}", "images.yaml:2: images"),
        ("default: b\nimages:\n  a: {reference: a, title: A}", "'b' is no key of images (a)"),
        ("default: a\nimages:\n  a: {title: A}", "images.a.reference: this key is required"),
        (
            "default: a\nimages:\n  a: {reference: A B, title: A}",
            "images.yaml:3: images.a.reference",
        ),
        ("default: A\nimages:\n  A: {reference: a, title: A}", "images.A: expected lower-case"),
        ("default: a\nimages:\n  a: {reference: ds01-bob/x, title: A}", "person's own namespace"),
        ("default: a\nimages:\n  a: {reference: a, title: A, gpu: 1}", "images.a.gpu: unknown key"),
        (
            "default: a\nimages: {a: {reference: x, title: A}, b: {reference: x, title: B}}",
            "x:latest is listed more than once",
        ),
        ("default: a\nimages:\n  a: {reference: a, title: A, gpu_recommended: 2}", "true or false"),
    ],
)
def test_a_fault_names_file_line_key_and_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(PolicyError) as caught:
        catalogue(text)
    assert expected in str(caught.value)


PULLS = """
default: starter
pull_allowed: ["docker.io/library/*", "127.0.0.1:5000/lab/*", ghcr.io/lab/tool]
images:
  starter: {reference: "ds01/starter", title: Starter}
  torch: {reference: "pytorch:2", title: PyTorch, groups: [researcher]}
"""


@pytest.mark.parametrize(
    "reference",
    ["python:3.11", "127.0.0.1:5000/lab/x:1", "ghcr.io/lab/tool:9", f"python@sha256:{'0' * 64}"],
)
def test_what_the_allow_list_means_may_be_fetched_and_started(reference: str) -> None:
    shared = catalogue(PULLS)
    assert shared.is_pullable(reference)
    assert shared.resolve("alice", None, reference) == reference


@pytest.mark.parametrize(
    "reference",
    ["lab/x:1", "ghcr.io/lab/other:1", "ghcr.io/lab/tool/x:1", "127.0.0.1:5000/lab/x/y:1"],
)
def test_what_it_does_not_mean_may_not(reference: str) -> None:
    shared = catalogue(PULLS)
    assert not shared.is_pullable(reference)
    with pytest.raises(Forbidden, match="not in the catalogue"):
        shared.resolve("alice", None, reference)


def test_nobodys_namespace_is_ever_fetched() -> None:
    everything = PULLS.replace("ghcr.io/lab/tool", "docker.io/*/*")
    assert catalogue(everything).is_pullable("lab/x:1")
    assert not catalogue(everything).is_pullable("ds01-bob/x:1")


def test_an_entry_for_some_groups_is_not_everybodys_because_it_could_be_fetched() -> None:
    shared = catalogue(PULLS)
    assert not shared.is_shared_with("student", "pytorch:2")
    assert shared.is_shared_with("researcher", "pytorch:2")
    assert shared.is_shared_with("student", "pytorch:1")
    assert not shared.is_shared_with("student", "starter")


@pytest.mark.parametrize(
    "pattern",
    ["python", "*/library/*", "docker.io", "docker.io/library/py*", "docker.io//x", "ghcr.io/A/*"],
)
def test_a_pattern_that_says_too_little_is_a_mistake(pattern: str) -> None:
    with pytest.raises(PolicyError, match="expected a registry and a repository"):
        catalogue(PULLS.replace("ghcr.io/lab/tool", f'"{pattern}"'))
