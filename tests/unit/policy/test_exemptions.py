import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import jsonschema
import pytest
import yaml

from ds01_spawner.domain.errors import PolicyError
from ds01_spawner.domain.exemption import Exemption, exempted
from ds01_spawner.domain.work import Rule
from ds01_spawner.policy.exemptions import (
    ExemptionsFile,
    exemption_notes,
    read_exemptions,
    rules_in_words,
    until_in_words,
)
from ds01_spawner.policy.json_schema import render_exemptions_schema
from ds01_spawner.policy.loading import load_policy
from ds01_spawner.policy.wording import explanation_to_json

CONFIG = Path(__file__).parents[3] / "config"
SHIPPED = CONFIG / "lifecycle-exemptions.yaml"
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
EXPECTED = "expected a date such as 2026-12-31, or a time such as 2026-12-31 18:00"

TWO = """\
exemptions:
  - user: alice
    container: thesis-run
    exempt_from: [idle_timeout, max_runtime]
    until: 2026-12-31
    reason: thesis
  - {user: alice, exempt_from: [max_runtime], until: 2026-07-01, reason: a long training}
"""


def read(text: str) -> tuple[Exemption, ...]:
    return read_exemptions(ExemptionsFile("e.yaml", text, BERLIN))


def entry(**changes: str) -> str:
    said = {
        "user": "alice",
        "exempt_from": "[idle_timeout]",
        "until": "2026-12-31",
        "reason": "thesis",
    } | changes
    return "  - {" + ", ".join(f"{key}: {value}" for key, value in said.items() if value) + "}\n"


def one(**changes: str) -> Exemption:
    (found,) = read("exemptions:\n" + entry(**changes))
    return found


def notes(text: str, *people: str) -> list[str]:
    found = exemption_notes(read(text), NOW, BERLIN, people.__contains__, people)
    return [str(note) for note in found]


def test_an_entry_says_who_what_until_when_and_why() -> None:
    first, second = read(TWO)
    assert first == Exemption(
        user="alice",
        container="thesis-run",
        rules=frozenset({Rule.IDLE, Rule.RUNTIME}),
        until=datetime(2026, 12, 31, 23, tzinfo=UTC),
        reason="thesis",
        source="e.yaml:2",
    )
    assert (second.container, second.rules) == (None, frozenset({Rule.RUNTIME}))
    assert second.source == "e.yaml:7"


@pytest.mark.parametrize(
    ("written", "until"),
    [
        ("2026-12-31", datetime(2026, 12, 31, 23, tzinfo=UTC)),
        ("'2026-12-31'", datetime(2026, 12, 31, 23, tzinfo=UTC)),
        ("2026-07-01", datetime(2026, 7, 1, 22, tzinfo=UTC)),
        ("2026-03-28", datetime(2026, 3, 28, 23, tzinfo=UTC)),
        ("2026-03-29", datetime(2026, 3, 29, 22, tzinfo=UTC)),
        ("2026-12-31 18:00", datetime(2026, 12, 31, 17, tzinfo=UTC)),
        ("2026-07-01T18:00:30", datetime(2026, 7, 1, 16, 0, 30, tzinfo=UTC)),
        ("2026-12-31T18:00:00Z", datetime(2026, 12, 31, 18, tzinfo=UTC)),
        ("2026-12-31t18:00:00.5z", datetime(2026, 12, 31, 18, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-12-31T18:00:00-05:00", datetime(2026, 12, 31, 23, tzinfo=UTC)),
        ("2026-12-31 18:00:00 +09:00", datetime(2026, 12, 31, 9, tzinfo=UTC)),
    ],
)
def test_a_day_lasts_to_its_end_here_and_an_offset_is_respected(
    written: str, until: datetime
) -> None:
    assert one(until=written).until == until


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"until": "tomorrow"}, f"until: {EXPECTED}; found 'tomorrow'"),
        ({"until": "31.12.2026"}, f"until: {EXPECTED}; found '31.12.2026'"),
        ({"until": "20261231"}, f"until: {EXPECTED}; found '20261231'"),
        ({"until": "2026-12-31 +01:00"}, f"until: {EXPECTED}; found '2026-12-31 +01:00'"),
        ({"until": "9999-12-31"}, f"until: {EXPECTED}; found '9999-12-31'"),
        (
            {"until": "2026-02-29"},
            f"until: there is no such day or time; {EXPECTED}; found '2026-02-29'",
        ),
        (
            {"until": "2026-12-31 25:00"},
            f"until: there is no such day or time; {EXPECTED}; found '2026-12-31 25:00'",
        ),
        (
            {"until": "null"},
            (
                f"until: every exemption ends; {EXPECTED}. For good, write null for the limit "
                "itself in resource-limits.yaml"
            ),
        ),
        ({"until": ""}, "until: this key is required"),
        ({"reason": ""}, "reason: this key is required"),
        ({"reason": "' '"}, "reason: expected why, in a few words; found ' '"),
        (
            {"reason": "null"},
            "reason: null has no meaning here; expected why, in a few words",
        ),
        ({"user": ""}, "user: this key is required"),
        (
            {"user": "a/b"},
            "user: The user name 'a/b' holds a slash or a control character.",
        ),
        (
            {"exempt_from": "[gpu_hold_after_stop]"},
            "exempt_from.0: expected idle_timeout or max_runtime; found 'gpu_hold_after_stop'",
        ),
        (
            {"exempt_from": "[slot_conflict]"},
            "exempt_from.0: expected idle_timeout or max_runtime; found 'slot_conflict'",
        ),
        (
            {"exempt_from": "[]"},
            "exempt_from: expected at least one of idle_timeout, max_runtime",
        ),
        (
            {"exempt_from": "idle_timeout"},
            "exempt_from: expected a list; found 'idle_timeout'",
        ),
        (
            {"container": "jupyter._.alice"},
            (
                "container: expected what its owner calls the container, 'jupyter'; "
                "found 'jupyter._.alice'"
            ),
        ),
        (
            {"container": "''"},
            "container: expected what its owner calls the container; found ''",
        ),
        ({"expires": "2026-12-31"}, "expires: unknown key; write until"),
        ({"username": "alice"}, "username: unknown key; write user"),
        ({"resaon": "x"}, "resaon: unknown key; did you mean reason?"),
    ],
)
def test_a_fault_names_file_line_key_and_what_was_expected(
    changes: dict[str, str], message: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        read("exemptions:\n" + entry() + entry(**changes))
    assert [str(each) for each in caught.value.problems] == [f"e.yaml:3: exemptions.1.{message}"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "e.yaml: the file is empty; expected a mapping of keys to values"),
        ("users: {}\n", "e.yaml: exemptions: this key is required"),
        ("exemptions: {alice: x}\n", "e.yaml:1: exemptions: expected a list; found a mapping"),
        (
            "exemptions:\n  - alice\n",
            "e.yaml:2: exemptions.0: expected a mapping of keys to values; found 'alice'",
        ),
    ],
)
def test_a_file_of_another_shape_is_refused(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(text)
    assert str(caught.value.problems[0]) == message


@pytest.mark.parametrize("text", ["exemptions:\n", "exemptions: []\n", "exemptions:\n#  - user\n"])
def test_nobody_may_be_exempted(text: str) -> None:
    assert read(text) == ()


def test_faults_of_policy_and_exemptions_are_reported_together() -> None:
    file = ExemptionsFile("e.yaml", "exemptions:\n" + entry(until="soon"))
    with pytest.raises(PolicyError) as caught:
        load_policy("default_group: x\n", "f.yaml", (), file)
    assert [each.path for each in caught.value.problems] == ["f.yaml", "e.yaml"]


def test_a_policy_knows_its_exemptions_and_explains_each_persons() -> None:
    policy = load_policy("users: {}\n", "f.yaml", (), ExemptionsFile("e.yaml", TWO)).policy
    assert len(policy.exemptions) == 2
    assert policy.explain("alice").exemptions == policy.exemptions
    assert policy.explain("bob").exemptions == ()
    shown = explanation_to_json(policy.explain("alice"))["exemptions"]
    assert isinstance(shown, list)
    assert shown[0] == {
        "container": "thesis-run",
        "exempt_from": ["idle_timeout", "max_runtime"],
        "until": "2027-01-01T00:00:00.000000Z",
        "reason": "thesis",
        "source": "e.yaml:2",
    }
    assert "exemptions" not in explanation_to_json(policy.explain("bob"))


def test_two_entries_for_one_person_both_hold() -> None:
    found = read(TWO)
    run = exempted(found, "alice", "thesis-run", Rule.RUNTIME, NOW)
    other = exempted(found, "alice", "jupyter", Rule.RUNTIME, NOW)
    assert (run, other) == found
    assert exempted(found, "alice", "jupyter", Rule.IDLE, NOW) is None


def test_a_valid_file_of_people_who_exist_needs_no_note() -> None:
    assert notes(TWO, "alice") == []


def test_an_expired_entry_is_a_note_and_nothing_else_is_said_of_it() -> None:
    text = "exemptions:\n" + entry(until="2026-05-31") + entry()
    assert notes(text, "alice") == [
        "e.yaml:2: the exemption of alice expired on 2026-05-31; remove it"
    ]


def test_somebody_unknown_is_a_note_with_a_guess() -> None:
    text = "exemptions:\n" + entry(user="alcie") + entry(user="zoe")
    assert notes(text, "alice") == [
        "e.yaml:2: nobody is called 'alcie' yet; did you mean alice?",
        "e.yaml:3: nobody is called 'zoe' yet; it takes effect when somebody is",
    ]


def test_the_same_limit_twice_for_the_same_containers_is_a_note() -> None:
    text = "exemptions:\n" + "".join(
        [
            entry(),
            entry(exempt_from="[idle_timeout, max_runtime]", until="2027-01-31"),
            entry(container="thesis-run"),
            entry(user="bob"),
        ]
    )
    assert notes(text, "alice", "bob") == [
        "e.yaml:3: line 2 exempts the same from idle_timeout; the later end holds"
    ]


def test_an_end_is_worded_as_it_is_written() -> None:
    assert until_in_words(one(until="2026-07-01").until, BERLIN) == "the end of 2026-07-01"
    assert until_in_words(one(until="2026-07-01 18:00").until, BERLIN) == "2026-07-01 18:00"
    both = one(exempt_from="[max_runtime, idle_timeout]")
    assert rules_in_words(both) == "idle_timeout, max_runtime"


def test_the_shipped_file_exempts_nobody_and_its_example_is_valid() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert read(text) == ()
    example = text.partition("exemptions:\n")[2].replace("#  ", "  ")
    (exemption,) = read("exemptions:\n" + example)
    assert (exemption.user, exemption.reason) == ("alice", "thesis deadline")


def test_the_shipped_schema_is_current_and_the_file_names_it() -> None:
    shipped = (CONFIG / "lifecycle-exemptions.schema.json").read_text(encoding="utf-8")
    assert shipped == render_exemptions_schema(), (
        "run: ds01 policy schema exemptions > config/lifecycle-exemptions.schema.json"
    )
    text = SHIPPED.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=./lifecycle-exemptions.schema.json\n")


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (SHIPPED.read_text(encoding="utf-8"), True),
        (TWO, True),
        ("exemptions:\n" + entry(until="2026-12-31T18:00:00+01:00"), True),
        ("exemptions:\n" + entry(until="soon"), False),
        ("exemptions:\n" + entry(reason="' '"), False),
        ("exemptions:\n" + entry(reason=""), False),
        ("exemptions:\n" + entry(exempt_from="[]"), False),
        ("exemptions:\n" + entry(exempt_from="[memory]"), False),
        ("exemptions:\n" + entry(username="alice"), False),
        ("users: {}", False),
    ],
)
def test_the_schema_accepts_what_the_platform_accepts(text: str, *, valid: bool) -> None:
    schema = json.loads(render_exemptions_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    data = yaml.load(text, Loader=yaml.BaseLoader)
    data = data | {"exemptions": data.get("exemptions") or None} if "exemptions" in data else data
    assert jsonschema.Draft202012Validator(schema).is_valid(data) is valid


def test_an_exemption_ends_at_its_moment() -> None:
    exemption = one(until="2026-06-01T12:00:00Z")
    second = timedelta(seconds=1)
    assert exempted([exemption], "alice", "any", Rule.IDLE, NOW - second) is exemption
    assert exempted([exemption], "alice", "any", Rule.IDLE, NOW) is None
