from datetime import timedelta
from pathlib import Path

import pytest

from ds01_spawner.domain.errors import PolicyError
from ds01_spawner.domain.limits import Limits
from ds01_spawner.policy.loading import LoadedPolicy, load_policy

DIALECTS = Path(__file__).parent / "dialects"
GIB = 1024**3


def load(text: str) -> LoadedPolicy:
    return load_policy(text, "f.yaml")


def load_dialect(name: str) -> LoadedPolicy:
    path = DIALECTS / f"{name}.yaml"
    return load_policy(path.read_text(encoding="utf-8"), path.name)


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        load(text)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("old", "new", "written", "value"),
    [
        ("max_mig_instances", "max_gpu_slots", "3", 3),
        ("gpu_limit", "max_gpu_slots", "3", 3),
        ("gpus", "max_gpu_slots", "3", 3),
        ("gpu", "max_gpu_slots", "null", None),
        ("max_gpus_per_user", "max_gpu_slots", "3", 3),
        ("max_mig_per_container", "max_gpu_slots_per_container", "2", 2),
        ("max_gpus_per_container", "max_gpu_slots_per_container", "2", 2),
        ("cpus", "max_cpus", "1.5", 1.5),
        ("cpu_limit", "max_cpus", "16", 16.0),
        ("cpu", "max_cpus", "16", 16.0),
        ("memory_limit", "memory", "64G", 64 * GIB),
        ("max_runtime_hours", "max_runtime", "48", timedelta(hours=48)),
        ("max_runtime_h", "max_runtime", "0.5", timedelta(minutes=30)),
        ("runtime", "max_runtime", "7d", timedelta(days=7)),
        ("idle_timeout_h", "idle_timeout", "null", None),
        ("gpu_hold_after_stop_h", "gpu_hold_after_stop", "0.25", timedelta(minutes=15)),
        ("container_hold_after_stop_h", "container_hold_after_stop", "12", timedelta(hours=12)),
    ],
)
@pytest.mark.parametrize("section", ["defaults", "groups", "users", "user_overrides"])
def test_an_older_limit_means_the_same_everywhere(
    old: str, new: str, written: str, value: object, section: str
) -> None:
    entry = f"{old}: {written}"
    text = {
        "defaults": f"defaults:\n  # here\n  {entry}",
        "groups": f"groups:\n  g: {{members: [ana],\n    {entry}}}",
        "users": f"users:\n  ana:\n    {entry}",
        "user_overrides": f"user_overrides:\n  ana:\n    {entry}",
    }[section]
    loaded = load(text)
    resolved = loaded.policy.explain("ana").limits[new]
    assert resolved.value == value
    assert resolved.source == "f.yaml:3"
    assert (3, old, new) in [
        (spelling.line, spelling.old, spelling.new) for spelling in loaded.old_spellings
    ]


@pytest.mark.parametrize(
    ("old", "new", "written", "value"),
    [
        ("cpu_quota", "aggregate.cpus", '"9600%"', 96.0),
        ("cpu_quota", "aggregate.cpus", "150 %", 1.5),
        ("cpu_quota", "aggregate.cpus", "null", None),
        ("memory_max", "aggregate.memory", "96G", 96 * GIB),
        ("tasks_max", "aggregate.pids", "4096", 4096),
    ],
)
def test_an_older_aggregate_means_the_same(old: str, new: str, written: str, value: object) -> None:
    loaded = load(f"groups:\n  g:\n    members: [ana]\n    aggregate:\n      {old}: {written}")
    assert loaded.policy.explain("ana").limits[new].value == value
    assert loaded.policy.explain("ana").limits[new].source == "f.yaml:5"
    assert [spelling.old for spelling in loaded.old_spellings] == [old]


def test_older_timeouts_are_read_in_container_types() -> None:
    loaded = load("container_types:\n  devcontainer: {max_runtime_h: 12, idle_timeout_h: 3}")
    override = loaded.policy.limits("ana").container_types["devcontainer"]
    assert override.max_runtime == timedelta(hours=12)
    assert override.idle_timeout == timedelta(hours=3)


def test_containers_per_user_under_policies_is_a_default() -> None:
    loaded = load("policies:\n  max_containers_per_user: 7\n  gpu_idle_threshold: 3%")
    resolved = loaded.policy.explain("ana").limits["max_containers_per_user"]
    assert (resolved.value, resolved.origin, resolved.source) == (7, "defaults", "f.yaml:2")
    assert [str(spelling) for spelling in loaded.old_spellings] == [
        (
            "f.yaml:2: policies.max_containers_per_user is an older spelling of "
            "defaults.max_containers_per_user"
        )
    ]


@pytest.mark.parametrize("key", ["gpu_limit", "gpus", "gpu"])
def test_counting_whole_gpus_allows_them_where_the_file_is_silent(key: str) -> None:
    loaded = load(f"groups:\n  g: {{members: [ana], {key}: 2}}")
    assert loaded.policy.limits("ana").allow_full_gpu
    assert not loaded.policy.limits("other").allow_full_gpu
    assert loaded.policy.explain("ana").limits["allow_full_gpu"].source == "f.yaml:2"
    assert "implies allow_full_gpu: true" in str(loaded.old_spellings[0])


@pytest.mark.parametrize(
    "said", ["defaults: {allow_full_gpu: false}", "users: {x: {allow_full_gpu: yes}}"]
)
def test_counting_whole_gpus_implies_nothing_where_the_file_speaks(said: str) -> None:
    loaded = load(f"groups:\n  g: {{members: [ana], gpu: 2}}\n{said}")
    assert not loaded.policy.limits("ana").allow_full_gpu


@pytest.mark.parametrize("key", ["max_mig_instances", "max_gpus_per_user", "max_gpu_slots"])
def test_other_counts_do_not_allow_whole_gpus(key: str) -> None:
    assert not load(f"defaults: {{{key}: 2}}").policy.limits("ana").allow_full_gpu


def test_each_older_spelling_is_reported_once_with_its_first_line() -> None:
    loaded = load("users:\n  a:\n    cpu: 1\n  b:\n    cpu: 2\n  c:\n    cpu: 3")
    assert [str(spelling) for spelling in loaded.old_spellings] == [
        "f.yaml:3: cpu is an older spelling of max_cpus (3 places)"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "defaults:\n  max_cpus: 4\n  cpu: 8",
            (
                "f.yaml:3: defaults.cpu: this says max_cpus, and so does max_cpus on line 2; "
                "keep one of them"
            ),
        ),
        (
            "defaults:\n  gpu: 4\n  gpus: 8",
            (
                "f.yaml:3: defaults.gpus: this says max_gpu_slots, and so does gpu on line 2; "
                "keep one of them"
            ),
        ),
        (
            "users: {}\nuser_overrides: {}",
            (
                "f.yaml:2: user_overrides: this says users, and so does users on line 1; "
                "keep one of them"
            ),
        ),
        (
            "defaults:\n  max_containers_per_user: 1\npolicies:\n  max_containers_per_user: 2",
            (
                "f.yaml:4: policies.max_containers_per_user: this says max_containers_per_user, "
                "and so does max_containers_per_user on line 2; keep one of them"
            ),
        ),
        (
            "defaults:\n  max_runtime_hours: 48h",
            (
                "f.yaml:2: defaults.max_runtime_hours: expected a number of hours such as 48; "
                "found '48h'"
            ),
        ),
        (
            "defaults:\n  max_runtime_h: -1",
            (
                "f.yaml:2: defaults.max_runtime_h: -1h is negative; expected a duration such as "
                "90s, 30m, 48h or 7d"
            ),
        ),
        (
            "defaults:\n  idle_timeout_h:",
            (
                "f.yaml:2: defaults.idle_timeout_h: nothing stands after the colon; expected a "
                "duration such as 90s, 30m, 48h or 7d"
            ),
        ),
        (
            "user_overrides:\n  ana:\n    memory_limit: lots",
            (
                "f.yaml:3: user_overrides.ana.memory_limit: expected a size such as 512m, 32g or "
                "1t; found 'lots'"
            ),
        ),
        (
            "defaults:\n  aggregate:\n    cpu_quota: 96",
            (
                "f.yaml:3: defaults.aggregate.cpu_quota: expected a share of one CPU such as 400% "
                "for four; found '96'"
            ),
        ),
        (
            "defaults:\n  aggregate:\n    cpu_quota: 0%",
            (
                "f.yaml:3: defaults.aggregate.cpu_quota: 0 is not a limit here; write null for "
                "unlimited"
            ),
        ),
        (
            "groups: {g: {policies: {max_containers_per_user: 2}}}",
            (
                "f.yaml:1: groups.g.policies.max_containers_per_user: unknown key; "
                "write it under defaults, a group or a user, beside policies"
            ),
        ),
    ],
)
def test_a_wrong_older_spelling_is_named_as_the_file_names_it(text: str, expected: str) -> None:
    assert problems(text) == [expected]


def test_faults_in_older_and_in_current_spelling_are_reported_together() -> None:
    found = problems("defaults:\n  memory: lots\n  max_runtime_h: x\n  shm: 1g")
    assert [each.split(" ")[0] for each in found] == ["f.yaml:2:", "f.yaml:3:", "f.yaml:4:"]


def test_the_mig_dialect_loads_unchanged() -> None:
    policy = load_dialect("mig").policy
    ana, chris = policy.limits("ana"), policy.limits("chris")
    assert (ana.group, ana.max_gpu_slots, ana.max_runtime) == ("students", 4, None)
    assert ana.aggregate.cpus == 96.0
    assert ana.aggregate.memory_high_bytes == 86 * GIB
    assert ana.idle_timeout == timedelta(minutes=30)
    assert (chris.max_gpu_slots, chris.allow_full_gpu) == (None, True)
    assert policy.limits("nobody").group == "students"
    assert policy.limits("dana@uni.example").group == "phd"
    assert policy.explain("ana").reason == "Thesis deadline"
    assert ana.max_containers_per_user == 3


def test_the_whole_gpu_dialect_loads_unchanged() -> None:
    policy = load_dialect("whole_gpus").policy
    frank = policy.limits("frank")
    assert (frank.max_gpu_slots, frank.max_gpu_slots_per_container) == (4, 2)
    assert (frank.max_runtime, frank.max_cpus) == (timedelta(days=7), 16.0)
    assert all(policy.limits(user).allow_full_gpu for user in ("frank", "erin", "unlisted"))
    assert policy.limits("gina").max_gpu_slots == 0


def test_the_hours_dialect_loads_unchanged() -> None:
    policy = load_dialect("hours").policy
    hugo, ida = policy.limits("hugo"), policy.limits("ida")
    assert hugo.idle_timeout == timedelta(hours=1.5)
    assert hugo.container_hold_after_stop is None
    assert hugo.container_types["compose"].max_runtime == timedelta(hours=4)
    assert hugo.container_types["devcontainer"].idle_timeout is None
    assert (ida.max_runtime, ida.aggregate.cpus) == (timedelta(hours=72), 32.0)
    assert policy.limits("nobody").max_containers_per_user == 2
    assert not policy.limits("nobody").allow_full_gpu


def test_what_a_dialect_does_not_say_stays_built_in() -> None:
    assert load_dialect("hours").policy.limits("hugo").memory_bytes == Limits().memory_bytes
