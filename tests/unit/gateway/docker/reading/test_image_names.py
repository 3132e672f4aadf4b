import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.docker.reading.image_names import (
    candidates,
    id_prefix,
    is_full_id,
    own_reference,
    shown_image,
)
from ds01_spawner.policy.image_references import own_repository


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("web", "ds01-alice/web:latest"),
        ("web:1", "ds01-alice/web:1"),
        ("ds01-alice/web:1", "ds01-alice/web:1"),
        ("docker.io/library/web:1", "ds01-alice/web:1"),
        ("docker.io/alice/web", "ds01-alice/alice/web:latest"),
        ("registry.host/x:1", "ds01-alice/registry.host/x:1"),
    ],
)
def test_what_a_person_makes_is_in_their_namespace(text: str, reference: str) -> None:
    assert own_reference(text, "alice") == reference


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("registry.host:5000/x:1", "registry with a port"),
        ("ds01-bob/x", "somebody else's"),
        ("docker.io/ds01-bob/x", "somebody else's"),
        ("index.docker.io/ds01-bob/x", "somebody else's"),
        (f"x@sha256:{'0' * 64}", "digest"),
        ("Web", "invalid reference format"),
        ("a b", "invalid reference format"),
        ("", "invalid reference format"),
        ("../x", "invalid reference format"),
    ],
)
def test_a_name_that_cannot_be_ones_own_is_refused(text: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        own_reference(text, "alice")


def test_ones_own_image_comes_before_the_shared_one_of_that_name() -> None:
    assert candidates("python:3.11", "alice") == ("ds01-alice/python:3.11", "python:3.11")
    assert candidates("ds01-alice/web", "alice") == ("ds01-alice/web:latest",)
    assert candidates("registry.host:5000/x", "alice") == ("registry.host:5000/x:latest",)


@pytest.mark.parametrize("text", ["ds01-bob/x", "docker.io/ds01-bob/x", "ds01-alicex/x"])
def test_somebody_elses_image_has_no_candidate(text: str) -> None:
    assert candidates(text, "alice") == ()


@pytest.mark.parametrize("user", ["alice", "a_-b", "Anna.Maria@uni.example", "a___b", "x" * 60])
def test_names_go_there_and_back_for_everybody(user: str) -> None:
    reference = own_reference("lab/web:1", user)
    assert shown_image(reference, user) == "lab/web:1"
    assert candidates("lab/web:1", user)[0] == reference


def test_nobody_shares_a_namespace() -> None:
    users = ["a_-b", "a-_b", "a-b", "a___b", "A-B"]
    assert len({own_repository(user) for user in users}) == len(users)


def test_anybody_elses_reference_is_shown_as_it_is() -> None:
    assert shown_image("python:3.11", "alice") == "python:3.11"
    assert shown_image("ds01-alicex/web:1", "alice") == "ds01-alicex/web:1"


def test_ids_are_recognised() -> None:
    assert id_prefix("sha256:abc") == "abc"
    assert id_prefix("beef") == "beef"
    assert id_prefix("starter") is None
    assert is_full_id("sha256:" + "a" * 64)
    assert not is_full_id("a" * 63)
