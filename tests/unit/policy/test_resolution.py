import random
from datetime import timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01_spawner.domain.limits import Limits, SlotConflict
from ds01_spawner.policy.layers import KEYS
from ds01_spawner.policy.loading import load_policy
from ds01_spawner.policy.members import MembersFile
from ds01_spawner.policy.resolution import Policy
from ds01_spawner.policy.wording import explanation_to_json, in_words, origin_in_words

GIB = 1024**3

LAB = """\
default_group: student
defaults:
  max_gpu_slots: 1
  memory: 8g
  idle_timeout: 1h
  aggregate:
    cpus: 8
    memory: 16g
groups:
  student:
    priority: 10
    members: [ana, both]
    memory: 12g
    max_runtime: 12h
    aggregate: {cpus: 4}
  phd:
    priority: 60
    members: [ben, both]
    max_gpu_slots: 4
    max_runtime: null
users:
  ana:
    aggregate: {memory: 64g}
    max_cpus: 12
    reason: thesis
  zoe: {max_gpu_slots: null}
"""


def load(text: str, *members_files: MembersFile) -> Policy:
    return load_policy(text, "f.yaml", members_files).policy


def origin(policy: Policy, user: str, key: str) -> tuple[object, str, str | None]:
    resolved = policy.explain(user).limits[key]
    return resolved.value, resolved.origin, resolved.source


def test_user_wins_over_group_over_defaults_over_built_in() -> None:
    policy = load(LAB)
    assert origin(policy, "ana", "max_cpus") == (12.0, "user", "f.yaml:24")
    assert origin(policy, "ana", "memory") == (12 * GIB, "group:student", "f.yaml:13")
    assert origin(policy, "ana", "max_gpu_slots") == (1, "defaults", "f.yaml:3")
    assert origin(policy, "ana", "pids_limit") == (Limits().pids_limit, "builtin", None)


def test_nested_keys_merge_one_by_one() -> None:
    policy = load(LAB)
    assert origin(policy, "ana", "aggregate.memory") == (64 * GIB, "user", "f.yaml:23")
    assert origin(policy, "ana", "aggregate.cpus") == (4.0, "group:student", "f.yaml:15")
    assert policy.limits("ana").aggregate.memory_bytes == 64 * GIB
    assert policy.limits("ana").aggregate.cpus == 4.0


def test_null_is_a_value_that_wins_like_any_other() -> None:
    policy = load(LAB)
    assert origin(policy, "ben", "max_runtime") == (None, "group:phd", "f.yaml:20")
    assert origin(policy, "zoe", "max_gpu_slots") == (None, "user", "f.yaml:26")


def test_aggregate_null_lifts_every_bound() -> None:
    policy = load("defaults:\n  aggregate: {cpus: 4}\nusers:\n  ana:\n    aggregate: null")
    assert policy.limits("ana").aggregate.cpus is None
    assert origin(policy, "ana", "aggregate.pids") == (None, "user", "f.yaml:5")


def test_the_group_with_the_highest_priority_wins_per_key() -> None:
    policy = load(LAB)
    both = policy.limits("both")
    assert both.group == "phd"
    assert (both.max_gpu_slots, both.max_runtime, both.priority) == (4, None, 60)
    assert both.memory_bytes == 12 * GIB
    assert origin(policy, "both", "memory")[1] == "group:student"


def test_an_unlisted_person_gets_the_default_group_and_their_own_exceptions() -> None:
    policy = load(LAB)
    assert policy.limits("nobody").group == "student"
    assert policy.limits("zoe").memory_bytes == 12 * GIB
    (membership,) = policy.explain("nobody").memberships
    assert str(membership) == "default_group (f.yaml:1)"


def test_without_a_default_group_the_defaults_alone_apply() -> None:
    policy = load("defaults: {memory: 8g}\ngroups: {phd: {memory: 64g}}")
    limits = policy.limits("nobody")
    assert (limits.group, limits.memory_bytes) == (None, 8 * GIB)


def test_an_empty_policy_section_is_the_built_in_one() -> None:
    assert load("users:\n").limits("ana") == Limits()


def test_membership_comes_from_all_four_sources() -> None:
    groups = "\n".join(
        f"  {name}: {{priority: {rank}, members: {'[ana]' if name == 'a' else '[]'}}}"
        for name, rank in (("a", 10), ("b", 20), ("c", 30), ("d", 40))
    )
    policy = load(f"groups:\n{groups}\n", MembersFile("b", "groups/b.members", "# x\nana # y\n"))
    explanation = policy.explain("ana", hub_groups=["c", "unknown"], unix_groups=["d", "sudo"])
    assert [(each.group, str(each)) for each in explanation.memberships] == [
        ("d", "Unix group"),
        ("c", "JupyterHub group"),
        ("b", "members file (groups/b.members:2)"),
        ("a", "members (f.yaml:2)"),
    ]


def test_between_equal_priorities_the_stronger_source_wins_and_then_the_name() -> None:
    policy = load(
        "groups:\n  z: {members: [ana], max_gpu_slots: 1}\n"
        "  y: {max_gpu_slots: 2}\n  x: {max_gpu_slots: 3}\n  w: {max_gpu_slots: 4}\n",
        MembersFile("x", "x.members", "ana"),
    )
    explanation = policy.explain("ana", hub_groups=["y", "w"], unix_groups=["z"])
    assert [each.group for each in explanation.memberships] == ["z", "x", "w", "y"]
    assert policy.limits("ana", ["y", "w"]).max_gpu_slots == 1


def test_a_group_without_priority_has_that_of_the_defaults() -> None:
    policy = load(
        "defaults: {priority: 70}\n"
        "groups:\n  low: {priority: 60, members: [ana]}\n  same: {members: [ana]}\n"
    )
    assert policy.limits("ana").group == "same"
    assert policy.limits("ana").priority == 70


def test_policies_and_container_types_apply_from_the_top_of_the_file() -> None:
    policy = load(
        "policies: {gpu_idle_threshold: 10%, startup_grace: 5m}\n"
        "container_types:\n  docker: {idle_timeout: 10m}\n"
        "groups:\n  g:\n    members: [ana]\n    policies: {startup_grace: 1h}\n"
        "    container_types: {docker: {max_runtime: 2h}}\n"
    )
    limits = policy.limits("ana")
    assert limits.policies.gpu_idle_threshold == pytest.approx(0.1)
    assert limits.policies.startup_grace == timedelta(hours=1)
    docker = limits.container_types["docker"]
    assert docker.given == {"idle_timeout", "max_runtime"}
    assert (docker.idle_timeout, docker.max_runtime) == (timedelta(minutes=10), timedelta(hours=2))
    assert origin(policy, "ana", "container_types.docker.idle_timeout")[1:] == (
        "defaults",
        "f.yaml:3",
    )


@pytest.mark.parametrize(
    ("written", "share"), [("5%", 0.05), ("5 %", 0.05), ("0.05", 0.05), ("5", 0.05), ("100%", 1.0)]
)
def test_shares_are_percent_or_fractions(written: str, share: float) -> None:
    policy = load(f"policies: {{cpu_idle_threshold: {written}}}")
    assert policy.limits("ana").policies.cpu_idle_threshold == pytest.approx(share)


@pytest.mark.parametrize(("written", "value"), [("yes", True), ("On", True), ("no", False)])
def test_flags_may_be_written_the_older_way(written: str, value: bool) -> None:
    assert load(f"defaults: {{allow_full_gpu: {written}}}").limits("a").allow_full_gpu is value


def test_the_keys_of_the_lifecycle_reach_the_limits_and_explain() -> None:
    policy = load(
        "policies: {active_when_connected: yes, min_warning_lead: 10m, slot_conflict: stop}\n"
        "groups:\n  g:\n    members: [ana]\n    policies: {checkpoint_signal: USR1}\n"
        "users:\n  ana:\n    policies: {min_warning_lead: 0s}\n"
    )
    found = policy.limits("ana").policies
    assert (found.active_when_connected, found.min_warning_lead) == (True, timedelta(0))
    assert (found.checkpoint_signal, found.slot_conflict) == ("SIGUSR1", SlotConflict.STOP)
    assert origin(policy, "ana", "policies.min_warning_lead") == (timedelta(0), "user", "f.yaml:8")
    assert origin(policy, "ana", "policies.slot_conflict") == ("stop", "defaults", "f.yaml:1")
    assert origin(policy, "ana", "policies.checkpoint_signal")[1] == "group:g"


def test_without_a_word_about_them_the_keys_of_the_lifecycle_are_built_in() -> None:
    found = load("defaults: {}").limits("ana").policies
    assert (found.active_when_connected, found.min_warning_lead) == (False, timedelta(minutes=5))
    assert (found.checkpoint_signal, found.slot_conflict) == (None, SlotConflict.REPORT)
    assert found.start_on_connect


def test_a_group_may_have_its_containers_started_by_hand() -> None:
    policy = load(
        "groups:\n  g:\n    members: [ana]\n    policies: {start_on_connect: no}\n"
        "users:\n  bo: {}\n"
    )
    assert not policy.limits("ana").policies.start_on_connect
    assert policy.limits("bo").policies.start_on_connect
    assert origin(policy, "ana", "policies.start_on_connect")[1] == "group:g"


@pytest.mark.parametrize(
    ("written", "signal"),
    [
        ("SIGUSR1", "SIGUSR1"),
        ("USR1", "SIGUSR1"),
        ("SIGUSR2", "SIGUSR2"),
        ("USR2", "SIGUSR2"),
        ("null", None),
    ],
)
def test_a_checkpoint_signal_is_known_by_its_name(written: str, signal: str | None) -> None:
    policy = load(f"policies: {{checkpoint_signal: {written}}}")
    assert policy.limits("ana").policies.checkpoint_signal == signal


@pytest.mark.parametrize("name", ["on", "no", "007", "1e3", "2026-01-31", "ü@x.y", "A.B", "null"])
def test_odd_names_are_people(name: str) -> None:
    policy = load(f"groups:\n  g: {{members: ['{name}']}}\nusers:\n  {name}: {{max_cpus: 2}}\n")
    assert policy.limits(name).group == "g"
    assert policy.limits(name).max_cpus == 2.0


def test_memory_plus_swap_follows_a_nearer_memory() -> None:
    policy = load("defaults: {memory: 8g, memory_swap: 8g}\nusers:\n  ana: {memory: 32g}")
    assert policy.limits("ana").memory_swap_bytes == 32 * GIB
    assert origin(policy, "ana", "memory_swap") == (32 * GIB, "user", "f.yaml:3")


def test_unlimited_memory_takes_the_bound_on_swap_away() -> None:
    policy = load("defaults: {memory_swap: 8g, memory: 8g}\nusers:\n  ana: {memory: null}")
    assert policy.limits("ana").memory_swap_bytes is None


def test_a_nearer_bound_on_memory_plus_swap_bounds_the_memory() -> None:
    policy = load("defaults: {memory: 32g, memory_swap: null}\nusers:\n  ana: {memory_swap: 8g}")
    limits = policy.limits("ana")
    assert (limits.memory_bytes, limits.memory_swap_bytes) == (8 * GIB, 8 * GIB)


def test_explain_json_has_seconds_bytes_and_null() -> None:
    shown = explanation_to_json(load(LAB).explain("ben"))
    assert set(shown) == {"user", "group", "groups", "limits"}
    assert (shown["user"], shown["group"], shown["groups"]) == ("ben", "phd", ["phd"])
    limits: Any = shown["limits"]
    assert limits["idle_timeout"] == {
        "value": 3600,
        "origin": "defaults",
        "source": "f.yaml:5",
    }
    assert limits["memory"]["value"] == 8 * GIB
    assert limits["max_runtime"]["value"] is None
    assert limits["policies.startup_grace"]["value"] == 1800
    assert limits["allow_full_gpu"] == {"value": False, "origin": "builtin", "source": None}


def test_explain_shows_every_key_in_one_order() -> None:
    shown = list(load(LAB).explain("ana").limits)
    assert shown == [key for key in KEYS if key in shown]
    assert {"priority", "aggregate.pids", "policies.keep_alive_max"} <= set(shown)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("memory", 32 * GIB, "32g"),
        ("memory", None, "unlimited"),
        ("max_runtime", None, "never"),
        ("max_runtime", timedelta(hours=48), "48h"),
        ("allow_full_gpu", True, "yes"),
        ("policies.gpu_idle_threshold", 0.05, "5%"),
        ("max_gpu_equivalents", 1.0, "1"),
        ("max_gpu_slots", 0, "0"),
        ("policies.network_idle_threshold", 1024**2, "1m"),
        ("policies.min_warning_lead", timedelta(minutes=5), "5m"),
        ("policies.active_when_connected", False, "no"),
        ("policies.checkpoint_signal", "SIGUSR1", "SIGUSR1"),
        ("policies.checkpoint_signal", None, "none"),
        ("policies.slot_conflict", SlotConflict.STOP, "stop"),
        ("policies.keep_alive_max", None, "unlimited"),
        ("gpu_hold_after_stop", None, "unlimited"),
        ("container_types.cli.container_hold_after_stop", None, "unlimited"),
        ("container_types.cli.gpu_hold_after_stop", timedelta(0), "0s"),
    ],
)
def test_values_are_shown_as_the_file_would_say_them(key: str, value: Any, words: str) -> None:
    assert in_words(key, value) == words


@pytest.mark.parametrize(
    ("user", "key", "value", "words"),
    [
        ("ana", "max_cpus", "12", "user ana, f.yaml line 24"),
        ("ana", "memory", "12g", "group student, f.yaml line 13"),
        ("ben", "idle_timeout", "1h", "the defaults, f.yaml line 5"),
        ("ben", "max_runtime", "never", "group phd, f.yaml line 20"),
        ("ana", "gpu_hold_after_stop", "15m", "built in"),
        ("ana", "container_types.devcontainer.max_runtime", "7d", "built in"),
        ("ana", "policies.slot_conflict", "report", "built in"),
    ],
)
def test_one_setting_says_its_value_and_where_it_is_set(
    user: str, key: str, value: str, words: str
) -> None:
    resolved = load_policy(LAB, "/etc/ds01/f.yaml").policy.setting(user, (), key)
    assert in_words(key, resolved.value) == value
    assert origin_in_words(resolved, user) == words


def test_a_setting_knows_groups_of_the_hub_and_of_labels() -> None:
    policy = load(LAB)
    assert policy.setting("zoe", ["phd"], "max_runtime").origin == "group:phd"
    assert policy.setting("zoe", (), "max_runtime").origin == "group:student"


def test_a_timeout_that_nobody_sets_for_an_origin_is_the_persons_own() -> None:
    policy = load(LAB)
    resolved = policy.setting("ben", (), "container_types.hub.idle_timeout")
    assert resolved == policy.setting("ben", (), "idle_timeout")


@pytest.mark.parametrize("key", ["nonsense", "container_types.hub.nonsense", "aggregate", ""])
def test_a_key_that_does_not_exist_is_no_setting(key: str) -> None:
    with pytest.raises(KeyError):
        load(LAB).setting("ana", (), key)


NAMES = ["ana", "ben", "cai"]
GROUPS = ["one", "two", "three"]


def limit_sections() -> st.SearchStrategy[dict[str, Any]]:
    sizes = st.one_of(st.none(), st.integers(6, 64).map(lambda size: f"{size}g"))
    return st.fixed_dictionaries(
        {},
        optional={
            "max_gpu_slots": st.one_of(st.none(), st.integers(0, 8)),
            "memory": sizes,
            "idle_timeout": st.one_of(st.none(), st.integers(1, 99).map(lambda span: f"{span}h")),
            "priority": st.integers(0, 2),
            "aggregate": st.one_of(
                st.none(),
                st.fixed_dictionaries({}, optional={"cpus": st.integers(1, 9), "memory": sizes}),
            ),
            "policies": st.fixed_dictionaries(
                {}, optional={"startup_grace": st.integers(1, 9).map(lambda span: f"{span}m")}
            ),
            "container_types": st.fixed_dictionaries(
                {}, optional={"hub": st.just({"max_runtime": "3h"}), "cli": st.just({})}
            ),
        },
    )


def policies() -> st.SearchStrategy[dict[str, Any]]:
    members = st.lists(st.sampled_from(NAMES), unique=True)
    group = st.tuples(limit_sections(), members).map(lambda pair: {**pair[0], "members": pair[1]})
    return st.fixed_dictionaries(
        {"groups": st.fixed_dictionaries(dict.fromkeys(GROUPS, group))},
        optional={
            "defaults": limit_sections(),
            "users": st.dictionaries(st.sampled_from(NAMES), limit_sections()),
            "default_group": st.sampled_from(GROUPS),
        },
    )


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(key, shuffled(inner, chance)) for key, inner in value.items()]
        chance.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        return chance.sample(value, len(value))
    return value


@settings(deadline=None)
@given(policies(), st.randoms(use_true_random=False), st.lists(st.sampled_from(GROUPS)))
def test_resolution_is_stable_under_key_order(
    data: dict[str, Any], chance: random.Random, hub_groups: list[str]
) -> None:
    one = load(yaml.safe_dump(data, sort_keys=False))
    other = load(yaml.safe_dump(shuffled(data, chance), sort_keys=False))
    for user in [*NAMES, "unlisted"]:
        assert one.limits(user, hub_groups) == other.limits(user, hub_groups[::-1])


@settings(deadline=None)
@given(policies(), st.lists(st.sampled_from(GROUPS)))
def test_limits_are_what_explain_says(data: dict[str, Any], hub_groups: list[str]) -> None:
    policy = load(yaml.safe_dump(data))
    for user in [*NAMES, "unlisted"]:
        limits = policy.limits(user, hub_groups)
        shown = policy.explain(user, hub_groups)
        assert shown.group == limits.group
        assert shown.limits == {key: policy.setting(user, hub_groups, key) for key in shown.limits}
        assert shown.limits["memory"].value == limits.memory_bytes
        assert shown.limits["memory_swap"].value == limits.memory_swap_bytes
        assert shown.limits["idle_timeout"].value == limits.idle_timeout
        assert shown.limits["aggregate.memory"].value == limits.aggregate.memory_bytes
        assert shown.limits["policies.startup_grace"].value == limits.policies.startup_grace
        hub = limits.container_types.get("hub")
        assert ("container_types.hub.max_runtime" in shown.limits) == (hub is not None)


@settings(deadline=None)
@given(policies())
def test_the_engine_accepts_every_pair_of_memory_and_swap(data: dict[str, Any]) -> None:
    policy = load(yaml.safe_dump(data))
    for user in NAMES:
        limits = policy.limits(user)
        if limits.memory_swap_bytes is not None:
            assert limits.memory_bytes is not None
            assert limits.memory_bytes <= limits.memory_swap_bytes
