import re
from itertools import combinations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ds01_spawner.domain import names
from ds01_spawner.domain.errors import InvalidRequest

DOCKER_NAME = re.compile(r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+\Z")
"""https://github.com/moby/moby/blob/20.10/daemon/names/names.go"""

SLICE_PART = re.compile(r"^[a-z0-9_.]+\Z")
"""A part of a slice's name: without a hyphen, which would be another level."""


def _is_allowed(user: str) -> bool:
    try:
        names.check_user(user)
    except InvalidRequest:
        return False
    return True


ALIKE = ["alice", "Alice", "ALICE", "alice@x.org", "alice.x.org", "alice-x-org", "älice", "a lice"]
people = st.one_of(
    st.text(min_size=1, max_size=64),
    st.text(alphabet="aA.@-_ äß1", min_size=1, max_size=12),
    st.sampled_from(ALIKE),
).filter(_is_allowed)


@given(people, people)
def test_two_people_never_share_a_name(one: str, other: str) -> None:
    assume(one != other)
    assert names.user_slug(one) != names.user_slug(other)
    assert names.cgroup_slug(one) != names.cgroup_slug(other)
    assert names.home_volume(one) != names.home_volume(other)
    assert names.network_name(one) != names.network_name(other)
    assert names.container_name("jupyter", one) != names.container_name("jupyter", other)


def test_people_whose_names_look_alike_share_nothing() -> None:
    for one, other in combinations(ALIKE, 2):
        assert names.user_slug(one) != names.user_slug(other)
        assert names.cgroup_slug(one) != names.cgroup_slug(other)


@given(people)
@example("a" * 64)
@example("a" * 255)
@example("💡" * 64)
@example("-")
@example(".")
@example("..")
def test_docker_accepts_every_derived_name(user: str) -> None:
    for name in (
        names.container_name("a" * 48, user),
        names.home_volume(user),
        names.network_name(user),
    ):
        assert DOCKER_NAME.match(name)
        assert len(name) <= 128


@given(people)
@example("tasks")
@example("a-b")
@example("no.group")
def test_systemd_and_cgroupfs_accept_every_derived_name(user: str) -> None:
    slug = names.cgroup_slug(user)
    assert SLICE_PART.match(slug)
    assert slug not in {"tasks", "notify_on_release", "release_agent", ".", "..", names.NO_GROUP}
    assert len(f"ds01-{slug}-{slug}.slice") <= 255


@pytest.mark.parametrize("user", ["alice", "s1234567", "anna-lena", "ab_c", "a", "a" * 40])
def test_plain_names_are_kept(user: str) -> None:
    assert names.user_slug(user) == user


@pytest.mark.parametrize(
    ("user", "readable"),
    [
        ("Alice", "alice"),
        ("jürgen@uni.example", "jurgen-uni-example"),
        ("a.b", "a-b"),
        ("山田", "user"),
        ("a" * 41, "a" * 40),
        ("-alice", "alice"),
        ("alice\n", "alice"),
    ],
)
def test_other_names_stay_readable(user: str, readable: str) -> None:
    slug = names.user_slug(user)
    assert re.fullmatch(re.escape(readable) + r"\.[0-9a-f]{16}", slug)


def test_a_cgroup_name_has_no_hyphen_because_systemd_reads_it_as_a_level() -> None:
    assert names.cgroup_slug("ab_c") == "ab_c"
    assert names.cgroup_slug("anna-lena").startswith("anna_lena.")
    assert names.cgroup_slugs(None, "alice") == ("no.group", "alice")
    assert names.cgroup_slugs("no.group", "alice")[0] != "no.group"


@pytest.mark.parametrize("user", ["", "a" * 256, "a/b", "a\nb", "a\x00b", "../etc", "a\u202eb"])
def test_an_impossible_user_name_is_refused(user: str) -> None:
    with pytest.raises(InvalidRequest):
        names.check_user(user)


@pytest.mark.parametrize("user", ["a.b", "a@b.c", "Alice", "Jürgen Müller", "山田", "a" * 64])
def test_a_possible_user_name_is_kept_as_it_is(user: str) -> None:
    assert names.check_user(user) == user


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a_b", "a.b", "a" * 49, "a b", "a\n", "ä"])
def test_an_impossible_container_name_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        names.check_name(name)
    assert str(caught.value) == (
        f"{name!r} cannot name a container. Use 1 to 48 lower-case letters, digits and inner "
        "hyphens, such as thesis-run."
    )


@pytest.mark.parametrize("project", ["", ".a", "a/b", "a\n", "a" * 64, "a b", "../x"])
def test_an_impossible_project_name_is_refused_with_an_example(project: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        names.check_project(project)
    assert str(caught.value) == (
        f"{project!r} cannot name a project. Use 1 to 63 letters, digits, dots, hyphens and "
        "underscores, such as thesis-2026."
    )


def test_each_installation_but_the_main_one_has_a_top_of_its_own_for_cgroups() -> None:
    tops = [names.cgroup_top(each, is_main=False) for each in ("0123456789ab", "ab", "my-lab")]

    assert names.cgroup_top("0123456789ab", is_main=True) == "ds01"
    assert tops[:2] == ["ds01_0123456789ab", "ds01_ab"]
    assert not any("-" in top for top in tops)
    assert len({"ds01", *tops}) == 4


def test_possible_names_are_kept() -> None:
    assert names.check_name("thesis-run") == "thesis-run"
    assert names.check_project("Thesis_2026.v1") == "Thesis_2026.v1"
    assert names.container_name("thesis-run", "alice") == "thesis-run._.alice"


def test_a_bridge_fits_the_kernel_and_tells_its_installation() -> None:
    one = names.bridge_name("web._.alice", "0123456789ab")

    assert len(one) == 15
    assert one.startswith(names.bridge_prefix("0123456789ab"))
    assert not one.startswith(names.bridge_prefix("another"))
    assert one == names.bridge_name("web._.alice", "0123456789ab")
    assert len({one, *(names.bridge_name(f"n{each}", "0123456789ab") for each in range(5000))}) == (
        5001
    )


def test_each_attempt_gives_another_name() -> None:
    found = {names.bridge_name("web", "one", attempt) for attempt in range(100)}

    assert len(found) == 100
