import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01_spawner.domain.errors import PolicyError
from ds01_spawner.policy.loading import load_policy
from ds01_spawner.policy.migrate import migrate

DIALECTS = sorted((Path(__file__).parent / "dialects").glob("*.yaml"))
PEOPLE = ["ana", "ben", "chris", "dana@uni.example", "erin", "frank", "gina", "hugo", "ida", "x"]


def comments(text: str) -> list[str]:
    return sorted("#" + line.partition("#")[2].strip() for line in text.splitlines() if "#" in line)


def assert_same_policy(before: str, after: str) -> None:
    one, other = load_policy(before, "before"), load_policy(after, "after")
    assert other.old_spellings == ()
    for user in {*PEOPLE, *one.policy.users}:
        assert one.policy.limits(user) == other.policy.limits(user)
        shown, again = one.policy.explain(user), other.policy.explain(user)
        assert again.reason == shown.reason
        assert {key: (each.value, each.origin) for key, each in again.limits.items()} == {
            key: (each.value, each.origin) for key, each in shown.limits.items()
        }


@pytest.mark.parametrize("path", DIALECTS, ids=lambda path: path.stem)
def test_a_dialect_resolves_as_before_and_keeps_its_comments(path: Path) -> None:
    before = path.read_text(encoding="utf-8")
    after = migrate(before, path.name).after
    assert_same_policy(before, after)
    assert comments(after) == comments(before)


def test_the_keys_of_the_lifecycle_stay_beside_what_is_rewritten() -> None:
    before = (
        "defaults:\n  max_runtime_h: 12\n"
        "  policies: {checkpoint_signal: USR1, min_warning_lead: 0s}  # save\n"
        "policies:\n  max_containers_per_user: 2\n  active_when_connected: yes\n"
        "  slot_conflict: stop   # later one\n"
    )
    after = migrate(before, "f.yaml").after
    assert_same_policy(before, after)
    assert "  policies: {checkpoint_signal: USR1, min_warning_lead: 0s}  # save\n" in after
    assert "  active_when_connected: yes\n  slot_conflict: stop   # later one\n" in after


@pytest.mark.parametrize("path", DIALECTS, ids=lambda path: path.stem)
def test_migrating_twice_changes_nothing_more(path: Path) -> None:
    once = migrate(path.read_text(encoding="utf-8"), path.name).after
    again = migrate(once, path.name)
    assert (again.after, again.old_spellings) == (once, ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("defaults: # d\n  cpu:   8   # c\n", "defaults: # d\n  max_cpus:   8   # c\n"),
        ('defaults:\n  "cpu": 8', "defaults:\n  max_cpus: 8"),
        ("defaults:\r\n  gpu: 1 # é\r\n", None),
        ("users: {ana: {max_runtime_hours: 48}}", "users: {ana: {max_runtime: 48h}}"),
        ("users: {ana: {runtime: 48h}}", "users: {ana: {max_runtime: 48h}}"),
        ("users: {ana: {idle_timeout_h: null}}", "users: {ana: {idle_timeout: null}}"),
        (
            "defaults:\n  aggregate:\n    cpu_quota: '9600%' # all",
            "defaults:\n  aggregate:\n    cpus: 96 # all",
        ),
        (
            "defaults:\n  gpu: 2 # two\n  memory: 8g\n",
            "defaults:\n  max_gpu_slots: 2 # two\n  allow_full_gpu: true\n  memory: 8g\n",
        ),
        (
            "defaults: {gpu: 2, memory: 8g}",
            "defaults: {max_gpu_slots: 2, allow_full_gpu: true, memory: 8g}",
        ),
        (
            "policies:\n  max_containers_per_user: 3 # three\n",
            "defaults:\n  max_containers_per_user: 3 # three\n",
        ),
        (
            "policies:\n  max_containers_per_user: 3 # three\n  sigterm_grace: 5s\n",
            "defaults:\n  max_containers_per_user: 3 # three\npolicies:\n  sigterm_grace: 5s\n",
        ),
        (
            "defaults:\n  memory: 8g\npolicies:\n  max_containers_per_user: 3",
            "defaults:\n  max_containers_per_user: 3\n  memory: 8g\npolicies:\n",
        ),
        (
            "defaults:\npolicies: {max_containers_per_user: 3, sigterm_grace: 5s}\n",
            "defaults: {max_containers_per_user: 3}\npolicies: {sigterm_grace: 5s}\n",
        ),
        (
            "defaults: {memory: 8g}\npolicies: {sigterm_grace: 5s, max_containers_per_user: 3}\n",
            "defaults: {max_containers_per_user: 3, memory: 8g}\npolicies: {sigterm_grace: 5s}\n",
        ),
        (
            "defaults:\n  memory: 8g\npolicies: {max_containers_per_user: 3}\n",
            "defaults:\n  max_containers_per_user: 3\n  memory: 8g\npolicies: {}\n",
        ),
        (
            "groups:\n  a: &a {gpu: 1}\n  b: *a\n  c:\n    <<: *a\n    cpu: 2\n",
            (
                "groups:\n  a: &a {max_gpu_slots: 1, allow_full_gpu: true}\n  b: *a\n"
                "  c:\n    <<: *a\n    max_cpus: 2\n"
            ),
        ),
        (
            "{policies: {max_containers_per_user: 3, sigterm_grace: 5s}, users: {}}",
            "{defaults: {max_containers_per_user: 3}, policies: {sigterm_grace: 5s}, users: {}}",
        ),
        (
            (
                "defaults:  # all\n  # nothing\npolicies: {max_containers_per_user: 3, "
                "sigterm_grace: 5s}"
            ),
            (
                "defaults: {max_containers_per_user: 3}  # all\n  # nothing\n"
                "policies: {sigterm_grace: 5s}"
            ),
        ),
        ("\ufeffdefaults: {cpu: 8}", "\ufeffdefaults: {max_cpus: 8}"),
        ("# ünï\ndefaults: {cpu: 8}", "# ünï\ndefaults: {max_cpus: 8}"),
        ("defaults: {max_cpus: 8}  # kept", "defaults: {max_cpus: 8}  # kept"),
    ],
)
def test_touches_only_what_is_older(before: str, after: str | None) -> None:
    migrated = migrate(before, "f.yaml").after
    assert_same_policy(before, migrated)
    if after is not None:
        assert migrated == after


def test_windows_line_ends_stay() -> None:
    migrated = migrate("defaults:\r\n  gpu: 1 # é\r\n  cpu: 2\r\n", "f.yaml").after
    assert migrated == (
        "defaults:\r\n  max_gpu_slots: 1 # é\r\n  allow_full_gpu: true\r\n  max_cpus: 2\r\n"
    )


def test_an_alias_that_would_have_to_become_two_values_is_refused() -> None:
    text = "defaults:\n  max_runtime_h: &n 1\n  max_gpus_per_user: *n\n"
    with pytest.raises(PolicyError, match=r"f.yaml:2: max_runtime_h: .*an alias"):
        migrate(text, "f.yaml")


def test_a_broken_file_is_not_migrated() -> None:
    with pytest.raises(PolicyError, match="memory_limit"):
        migrate("defaults: {memory_limit: lots}", "f.yaml")


KEYS: dict[str, st.SearchStrategy[Any]] = {
    "max_gpu_slots": st.one_of(st.none(), st.integers(0, 9)),
    "memory": st.integers(6, 99).map(lambda size: f"{size}G"),
    "max_cpus": st.integers(1, 9),
    "max_runtime": st.one_of(st.none(), st.integers(1, 99).map(lambda span: f"{span}h")),
}
HOURS = st.one_of(st.none(), st.sampled_from([1, 48, 0.25]))
OLD: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "max_gpu_slots": dict.fromkeys(
        ("max_mig_instances", "gpu_limit", "gpus", "gpu", "max_gpus_per_user"),
        KEYS["max_gpu_slots"],
    ),
    "memory": {"memory_limit": KEYS["memory"]},
    "max_cpus": dict.fromkeys(("cpus", "cpu_limit", "cpu"), KEYS["max_cpus"]),
    "max_runtime": {"max_runtime_hours": HOURS, "runtime": KEYS["max_runtime"]},
}


@st.composite
def limits(draw: st.DrawFn) -> dict[str, Any]:
    section: dict[str, Any] = {}
    for new in draw(st.permutations(list(KEYS))):
        spelled = draw(st.sampled_from([None, new, *OLD[new]]))
        if spelled is not None:
            section[spelled] = draw(OLD[new].get(spelled, KEYS[new]))
    if draw(st.booleans()):
        section["aggregate"] = draw(
            st.fixed_dictionaries(
                {}, optional={"cpu_quota": st.just("150%"), "tasks_max": st.just(9)}
            )
        )
    if draw(st.integers(0, 5)) == 0:
        section["allow_full_gpu"] = draw(st.booleans())
    return section


def files() -> st.SearchStrategy[dict[str, Any]]:
    people = st.dictionaries(st.sampled_from(PEOPLE[:3]), limits())
    return st.fixed_dictionaries(
        {},
        optional={
            "defaults": limits(),
            "groups": st.dictionaries(
                st.sampled_from(["one", "two"]),
                limits().map(lambda section: {**section, "members": PEOPLE[:2]}),
            ),
            "policies": st.fixed_dictionaries(
                {},
                optional={"max_containers_per_user": st.just(4), "sigterm_grace": st.just("5s")},
            ),
        },
    ).flatmap(
        lambda data: st.sampled_from(["users", "user_overrides"]).flatmap(
            lambda name: people.map(lambda section: {**data, name: section})
        )
    )


@settings(deadline=None)
@given(files(), st.sampled_from([None, False, True]))
def test_every_file_resolves_as_before_with_every_comment(
    data: dict[str, Any], flow: bool | None
) -> None:
    plain = yaml.safe_dump(data, sort_keys=False, default_flow_style=flow, width=10_000)
    number = itertools.count()
    before = "".join(f"{line}  # {next(number)}\n" for line in plain.splitlines())
    after = migrate(before, "f.yaml").after
    assert_same_policy(before, after)
    moved_out_of_flow = flow is not False and "max_containers_per_user" in before
    if not moved_out_of_flow:
        assert comments(after) == comments(before)
