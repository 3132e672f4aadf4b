import pytest

from ds01_spawner.domain.errors import PolicyError
from ds01_spawner.policy.loading import load_policy
from ds01_spawner.policy.members import MembersFile


def problems(text: str, *members_files: MembersFile) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        load_policy(text, "f.yaml", members_files)
    return [str(problem) for problem in caught.value.problems]


DURATION = "expected a duration such as 90s, 30m, 48h or 7d"
SIZE = "expected a size such as 512m, 32g or 1t"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("memroy: 32g", "memroy: unknown key; did you mean memory?"),
        ("max_gpu: 1", "max_gpu: unknown key; did you mean max_gpu_slots?"),
        ("xyzzy: 1", "xyzzy: unknown key"),
        ("memory: lots", f"memory: {SIZE}; found 'lots'"),
        ("memory: 32", f"memory: 32 has no unit; {SIZE} (did you mean 32g?)"),
        ("memory: 48h", f"memory: 'h' is not a unit; {SIZE}"),
        ("memory: -1g", f"memory: -1g is negative; {SIZE}"),
        ("memory: 1m", "memory: a container needs at least 6m of memory"),
        ("memory: 0g", "memory: 0 is not a limit here; write null for unlimited"),
        ("memory: true", f"memory: {SIZE}; found 'true'"),
        ("memory: [1g]", f"memory: {SIZE}; found a list"),
        ("memory:", f"memory: nothing stands after the colon; {SIZE}"),
        ("memory: ''", f"memory: {SIZE}; found ''"),
        ("memory: 'null'", f"memory: {SIZE}; found 'null'"),
        ("shm_size: 0b", "shm_size: 0 is not a limit here; write null for unlimited"),
        ("io_read_bps: 500", f"io_read_bps: 500 has no unit; {SIZE} (did you mean 500g?)"),
        ("idle_timeout: 48", f"idle_timeout: 48 has no unit; {DURATION} (did you mean 48h?)"),
        ("idle_timeout: 32g", f"idle_timeout: 'g' is not a unit; {DURATION}"),
        ("idle_timeout: -2h", f"idle_timeout: -2h is negative; {DURATION}"),
        ("idle_timeout: 1:30", f"idle_timeout: ':30' is not a unit; {DURATION}"),
        (
            "idle_timeout: 0s",
            "idle_timeout: 0 would stop everything at once; write null for never",
        ),
        ("max_runtime: never", f"max_runtime: {DURATION}; found 'never'"),
        (
            "max_gpu_slots: -1",
            "max_gpu_slots: -1 is negative; expected a whole number of at least 0",
        ),
        (
            "max_gpu_slots: true",
            "max_gpu_slots: expected a whole number of at least 0; found 'true'",
        ),
        (
            "max_gpu_slots: 1.5",
            "max_gpu_slots: expected a whole number of at least 0; found '1.5'",
        ),
        (
            "max_gpu_slots: 1e3",
            "max_gpu_slots: expected a whole number of at least 0; found '1e3'",
        ),
        (
            "max_gpu_slots: unlimited",
            "max_gpu_slots: expected a whole number of at least 0; found 'unlimited'",
        ),
        ("pids_limit: 0", "pids_limit: 0 is not a limit here; write null for unlimited"),
        ("max_cpus: 0", "max_cpus: 0 is not a limit here; write null for unlimited"),
        ("max_cpus: -4", "max_cpus: -4 is negative; expected a number such as 4 or 0.5"),
        ("max_cpus: .inf", "max_cpus: expected a number such as 4 or 0.5; found '.inf'"),
        ("max_cpus: nan", "max_cpus: expected a number such as 4 or 0.5; found 'nan'"),
        ("allow_full_gpu: 1", "allow_full_gpu: expected true or false; found '1'"),
        ("allow_full_gpu: maybe", "allow_full_gpu: expected true or false; found 'maybe'"),
        (
            "allow_full_gpu: null",
            "allow_full_gpu: null has no meaning here; expected true or false",
        ),
        ("priority: 101", "priority: expected a whole number from 0 to 100; found 101"),
        (
            "priority: null",
            "priority: null has no meaning here; expected a whole number from 0 to 100",
        ),
        ("aggregate: 3", "aggregate: expected a mapping of keys to values; found '3'"),
        (
            "aggregate: {swap: 1g}",
            "aggregate.swap: unknown key; expected one of cpus, memory, memory_high, pids",
        ),
        ("policies: null", "policies: expected a mapping of keys to values; found null"),
        (
            "policies: {gpu_idle_threshold: 1}",
            "policies.gpu_idle_threshold: 1 could be 1% or all of it; write 1% or 100%",
        ),
        (
            "policies: {gpu_idle_threshold: 101%}",
            (
                "policies.gpu_idle_threshold: 101% is more than all of it; expected a share such "
                "as 5% or 0.05"
            ),
        ),
        (
            "policies: {idle_detection_window: 3 checks}",
            (
                "policies.idle_detection_window: expected a whole number of at least 0; "
                "found '3 checks'"
            ),
        ),
        (
            "policies: {idle_timeout: 1h}",
            (
                "policies.idle_timeout: unknown key; write it under defaults, a group or a user, "
                "beside policies"
            ),
        ),
        (
            "policies: {wizard: 1}",
            (
                "policies.wizard: unknown key; expected one of gpu_idle_threshold, "
                "cpu_idle_threshold, network_idle_threshold, idle_detection_window, startup_grace, "
                "sigterm_grace, keep_alive_max, high_demand_threshold, "
                "high_demand_idle_reduction, active_when_connected, min_warning_lead, "
                "checkpoint_signal, slot_conflict, start_on_connect"
            ),
        ),
        (
            "policies: {checkpoint_signal: SIGTERM}",
            (
                "policies.checkpoint_signal: SIGTERM ends or interrupts programs that handle it; "
                "expected SIGUSR1 or SIGUSR2, or null for none"
            ),
        ),
        (
            "policies: {checkpoint_signal: SIGWINCH}",
            (
                "policies.checkpoint_signal: expected SIGUSR1 or SIGUSR2, or null for none; "
                "found 'SIGWINCH'"
            ),
        ),
        (
            "policies: {slot_conflict: kill}",
            "policies.slot_conflict: expected one of 'report' or 'stop'; found 'kill'",
        ),
        (
            "policies: {min_warning_lead: 5}",
            (
                "policies.min_warning_lead: 5 has no unit; expected a duration such as 90s, 30m, "
                "48h or 7d (did you mean 5h?)"
            ),
        ),
        (
            "policies: {min_warning_lead: null}",
            (
                "policies.min_warning_lead: null has no meaning here; expected a duration such as "
                "90s, 30m, 48h or 7d"
            ),
        ),
        (
            "policies: {active_when_connected: sometimes}",
            "policies.active_when_connected: expected true or false; found 'sometimes'",
        ),
        (
            "container_types: {vscode: {}}",
            (
                "container_types.vscode: unknown key; expected one of hub, cli, devcontainer, "
                "compose, docker, batch, api, unknown"
            ),
        ),
        (
            "container_types: {hub: {memory: 1g}}",
            (
                "container_types.hub.memory: unknown key; expected one of idle_timeout, "
                "max_runtime, gpu_hold_after_stop, container_hold_after_stop"
            ),
        ),
    ],
)
@pytest.mark.parametrize(
    ("head", "prefix"),
    [
        ("defaults:\n  ", "f.yaml:2: defaults."),
        ("groups:\n  phd:\n    ", "f.yaml:3: groups.phd."),
        ("users:\n  ana:\n    ", "f.yaml:3: users.ana."),
    ],
    ids=["defaults", "group", "user"],
)
def test_names_file_line_key_and_what_was_expected(
    entry: str, message: str, head: str, prefix: str
) -> None:
    assert problems(head + entry) == [prefix + message]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "defualts: {}",
            "f.yaml:1: defualts: unknown key; did you mean defaults?",
        ),
        (
            "wizard: {}",
            (
                "f.yaml:1: wizard: unknown key; expected one of defaults, groups, users, "
                "default_group, policies, container_types, unmanaged, bare_metal"
            ),
        ),
        (
            "groups: {phd: {}}\ndefault_group: student",
            "f.yaml:2: default_group: no group is called 'student'; expected one of phd",
        ),
        (
            "groups: {phd: {}}\nbare_metal:\n  groups: [phd, staff]",
            "f.yaml:3: bare_metal.groups: no group is called 'staff'; expected one of phd",
        ),
        (
            "default_group: student",
            "f.yaml:1: default_group: no group is called 'student'; the file has no groups",
        ),
        (
            "defaults: {}\ndefault_group:",
            "f.yaml:2: default_group: expected text; found nothing",
        ),
        (
            "users:\n  ana: {group: phd}",
            "f.yaml:2: users.ana.group: unknown key; list the person under groups.<group>.members",
        ),
        (
            "groups:\n  phd:\n    members: ana",
            "f.yaml:3: groups.phd.members: expected a list; found 'ana'",
        ),
        (
            "groups:\n  phd:\n    members:\n      - ana\n      - ben carl",
            "f.yaml:5: groups.phd.members.1: the name 'ben carl' holds a space; expected one name",
        ),
        (
            "groups:\n  phd:\n    members: [ana, null]",
            "f.yaml:3: groups.phd.members.1: expected text; found null",
        ),
        (
            "users:\n  a/b: {}",
            "f.yaml:2: users.a/b: The user name 'a/b' holds a slash or a control character.",
        ),
        (
            "users:\n  ana: null",
            "f.yaml:2: users.ana: expected a mapping of keys to values; found null",
        ),
        (
            "users: [ana]",
            "f.yaml:1: users: expected a mapping of keys to values; found a list",
        ),
        (
            "defaults:\n  memory: 32g\n  memory_swap: 16g",
            (
                "f.yaml:1: defaults: memory_swap is less than memory; it counts memory plus swap, "
                "so write at least the same"
            ),
        ),
        (
            "defaults:\n  policies: {gpu_idle_threshold: 5%}\npolicies: {gpu_idle_threshold: 6%}",
            (
                "f.yaml:3: policies.gpu_idle_threshold: this is also said under defaults, on line "
                "2; keep one of them"
            ),
        ),
        (
            (
                "defaults:\n  container_types: {hub: {max_runtime: 1h}}\n"
                "container_types: {hub: {max_runtime: 2h}}"
            ),
            (
                "f.yaml:3: container_types.hub.max_runtime: this is also said under defaults, on "
                "line 2; keep one of them"
            ),
        ),
    ],
)
def test_refuses_a_file_that_does_not_hold_together(text: str, expected: str) -> None:
    assert problems(text) == [expected]


def test_every_fault_is_reported_in_the_order_of_the_file() -> None:
    found = problems("users:\n  a: {memory: x}\ngroups:\n  g: {memory: y}\ndefaults: {memory: z}")
    assert [each.split(": ")[0] for each in found] == ["f.yaml:2", "f.yaml:4", "f.yaml:5"]


def test_a_members_file_needs_a_group_of_its_name() -> None:
    file = MembersFile("reseacher", "groups/reseacher.members", "ana\n")
    assert problems("groups: {researcher: {}}", file) == [
        (
            "groups/reseacher.members: reseacher: f.yaml has no group of that name; "
            "did you mean researcher?"
        )
    ]


def test_a_members_file_holds_one_name_a_line() -> None:
    file = MembersFile("phd", "groups/phd.members", "# who\nana\nben, carl\n\ndora  # new\n")
    assert problems("groups: {phd: {}}", file) == [
        "groups/phd.members:3: phd: expected one name a line; found 'ben, carl'"
    ]
