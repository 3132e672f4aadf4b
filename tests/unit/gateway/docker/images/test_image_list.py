from datetime import UTC, datetime
from typing import Any

import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.limits import Limits
from ds01_spawner.gateway.docker.images.rights import ImageRights
from ds01_spawner.gateway.docker.images.view import (
    ImageFilters,
    freed_bytes,
    image_filters,
    image_history,
    in_own_words,
    inspected_image,
    is_prunable,
    removed_images,
)
from ds01_spawner.policy.images import parse_images

CATALOGUE = parse_images(
    """
default: starter
pull_allowed: ["docker.io/library/*"]
images:
  starter: {reference: ds01/starter, title: Starter}
  torch: {reference: "lab/torch:2", title: PyTorch, groups: [researcher]}
""",
    "images.yaml",
)
ALICE = ImageRights("alice", Limits(group="student"), CATALOGUE)
MARK = {"ds01.image.owner": "alice"}


def entry(*tags: str, labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "Id": "sha256:" + "a" * 64,
        "RepoTags": list(tags) or ["<none>:<none>"],
        "RepoDigests": None,
        "Labels": labels,
        "Created": 100,
        "Size": 10,
        **more,
    }


@pytest.mark.parametrize(
    "seen",
    [
        entry("ds01-alice/web:1"),
        entry("ds01/starter:latest"),
        entry("python:3.11"),
        entry("ds01-bob/x:1", "ds01-alice/x:1"),
        entry(labels=MARK),
        entry(RepoDigests=[f"python@sha256:{'0' * 64}"]),
    ],
)
def test_own_and_shared_images_are_seen(seen: dict[str, Any]) -> None:
    assert ALICE.sees(seen)


@pytest.mark.parametrize(
    "hidden",
    [
        entry("ds01-bob/web:1"),
        entry("ds01-bob/web:1", labels=MARK),
        entry("ds01/starter:old"),
        entry("lab/torch:2"),
        entry("lab/other:1"),
        entry(),
        entry(labels={"ds01.image.owner": "bob"}),
        entry(labels={"ds01.user": "alice"}),
        entry(labels=MARK, RepoDigests=["lab/x@sha256:0"]),
    ],
)
def test_nothing_else_is_seen(hidden: dict[str, Any]) -> None:
    assert not ALICE.sees(hidden)
    assert ImageFilters().view(hidden, ALICE) is None


def test_a_view_has_ones_own_words_and_nobody_elses_names() -> None:
    digests = ["ds01-alice/x@sha256:0", "ds01-bob/x@sha256:0", "python@sha256:0"]
    tags = ["ds01-alice/x:1", "ds01-bob/x:1", "lab/secret:1"]
    view = ImageFilters().view(entry(*tags, RepoDigests=digests), ALICE)
    assert view is not None
    assert view["RepoTags"] == ["x:1"]
    assert view["RepoDigests"] == ["x@sha256:0", "python@sha256:0"]
    assert inspected_image(entry(*tags, RepoDigests=[]), ALICE)["RepoTags"] == ["x:1"]
    assert image_history([{"Tags": tags}, {"Tags": None}], ALICE) == [
        {"Tags": ["x:1"]},
        {"Tags": None},
    ]


def test_what_has_no_name_is_shown_as_docker_does() -> None:
    view = ImageFilters().view(entry(labels=MARK), ALICE)
    assert view is not None
    assert view["RepoTags"] == ["<none>:<none>"]
    assert view["RepoDigests"] == ["<none>@<none>"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("web", True), ("web:1", True), ("web:*", True), ("w?b", True), ("*", False), ("x", False)],
)
def test_patterns_match_names_as_the_person_gives_them(pattern: str, found: bool) -> None:
    wanted = image_filters({"reference": [pattern]}, {})
    tag = "ds01-alice/web:1" if pattern != "*" else "ds01-alice/lab/web:1"
    assert (wanted.view(entry(tag), ALICE) is not None) is found


def test_other_filters() -> None:
    tagged, untagged = entry("ds01-alice/web:1", labels={"a": "b"}), entry(labels=MARK)

    def found(value: dict[str, Any], **filters: list[str]) -> bool:
        moments = {"early": 50.0, "late": 150.0}
        until = datetime.fromtimestamp(100, UTC) if filters.pop("until", None) else None
        return image_filters(filters, moments, until).view(value, ALICE) is not None

    assert found(untagged, dangling=["true"])
    assert not found(tagged, dangling=["true"])
    assert found(tagged, dangling=["false"])
    assert found(tagged, label=["a=b"])
    assert not found(tagged, label=["a=c"])
    assert found(tagged, before=["late"])
    assert not found(tagged, before=["early"])
    assert found(tagged, since=["early"])
    assert not found(tagged, since=["late"])
    assert not found(tagged, until=["x"])


@pytest.mark.parametrize("filters", [{"nonsense": ["1"]}, {"dangling": ["maybe"]}])
def test_filters_that_say_nothing_are_refused(filters: dict[str, list[str]]) -> None:
    with pytest.raises(InvalidRequest, match="Invalid filter"):
        image_filters(filters, {})


def test_a_pattern_of_many_stars_is_answered_at_once() -> None:
    wanted = image_filters({"reference": ["(a+)+$", "*a" * 60 + "b"]}, {})
    assert wanted.view(entry("ds01-alice/" + "a" * 200), ALICE) is None


def test_removals_and_errors_are_in_ones_own_words() -> None:
    steps = [{"Untagged": "ds01-alice/web:1"}, {"Deleted": "sha256:0"}]
    assert removed_images(steps, "alice") == [{"Untagged": "web:1"}, {"Deleted": "sha256:0"}]
    message = {"message": "conflict: docker.io/ds01-alice/web:1 and ds01-alice/x"}
    assert in_own_words(message, "alice") == {"message": "conflict: web:1 and x"}
    assert in_own_words([1], "alice") == [1]


def test_only_what_is_ones_own_and_unused_is_pruned() -> None:
    own, untagged, shared = entry("ds01-alice/x:1"), entry(labels=MARK), entry("python:3")
    none: frozenset[str] = frozenset()
    assert is_prunable(untagged, ALICE, none, tagged_too=False)
    assert not is_prunable(own, ALICE, none, tagged_too=False)
    assert is_prunable(own, ALICE, none, tagged_too=True)
    assert not is_prunable(shared, ALICE, none, tagged_too=True)
    assert not is_prunable(own, ALICE, frozenset({own["Id"]}), tagged_too=True)


def test_what_was_freed_is_what_the_parent_did_not_have() -> None:
    every = [
        {"Id": "base", "Size": 100, "ParentId": ""},
        {"Id": "top", "Size": 130, "ParentId": "base"},
    ]
    assert freed_bytes(["top", "sha256:layer"], every) == 30


def test_an_image_is_started_by_its_own_name_first() -> None:
    assert ALICE.start_reference(entry("python:3", "ds01-alice/x:1")) == "ds01-alice/x:1"
    assert ALICE.start_reference(entry("python:3")) == "python:3"
    assert ALICE.start_reference(entry(labels=MARK)) == "sha256:" + "a" * 64
    assert ALICE.start_reference(entry("ds01-bob/x:1")) is None


def test_volumes_are_where_compose_1_looks_for_them_whatever_the_engine() -> None:
    config: dict[str, Any] = {"Volumes": {"/data": {}}}
    newer = entry("ds01-alice/x:1", RepoDigests=[], Config=config)
    older = {**newer, "ContainerConfig": {"Volumes": None, "Cmd": ["sh"]}}

    assert inspected_image(newer, ALICE)["ContainerConfig"] == config
    assert inspected_image(older, ALICE)["ContainerConfig"] == older["ContainerConfig"]
