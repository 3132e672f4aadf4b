import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ds01_spawner.policy.dialects import LIMIT_SPELLINGS
from ds01_spawner.policy.loading import load_policy
from ds01_spawner.policy.migrate import migrate
from ds01_spawner.policy.schema import policy_schema, render_schema

CONFIG = Path(__file__).parents[3] / "config"
SHIPPED = CONFIG / "resource-limits.yaml"
DIALECTS = sorted((Path(__file__).parent / "dialects").glob("*.yaml"))


def accepts(data: Any) -> bool:
    validator = jsonschema.Draft202012Validator(policy_schema())
    return bool(validator.is_valid(data))


def test_the_shipped_schema_is_current() -> None:
    shipped = (CONFIG / "resource-limits.schema.json").read_text(encoding="utf-8")
    assert shipped == render_schema(), (
        "run: ds01 policy schema > config/resource-limits.schema.json"
    )


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(render_schema()))


def test_the_shipped_policy_names_its_schema_and_satisfies_it() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=./resource-limits.schema.json\n")
    assert accepts(yaml.safe_load(text))


@pytest.mark.parametrize("path", DIALECTS, ids=lambda path: path.stem)
def test_a_migrated_dialect_satisfies_the_schema(path: Path) -> None:
    after = yaml.safe_load(migrate(path.read_text(encoding="utf-8"), path.name).after)
    assert accepts(after)


@pytest.mark.parametrize(
    "data",
    [
        {"defaults": {"memory": "lots"}},
        {"defaults": {"memory": 32}},
        {"defaults": {"max_gpu_slots": -1}},
        {"defaults": {"priority": 101}},
        {"defaults": {"policies": {"gpu_idle_threshold": 1}}},
        {"defaults": {"policies": {"checkpoint_signal": "SIGTERM"}}},
        {"policies": {"slot_conflict": "kill"}},
        {"policies": {"min_warning_lead": 5}},
        {"policies": {"active_when_connected": "sometimes"}},
        {"users": {"ana": {"memroy": "1g"}}},
        {"wizard": {}},
        *({"defaults": {old: 1}} for old in LIMIT_SPELLINGS),
    ],
    ids=str,
)
def test_the_schema_refuses_what_the_platform_refuses_or_calls_old(data: Any) -> None:
    assert not accepts(data)


def test_the_shipped_policy_is_valid_and_in_current_spelling() -> None:
    loaded = load_policy(SHIPPED.read_text(encoding="utf-8"), SHIPPED.name)
    assert loaded.old_spellings == ()
    student = loaded.policy.limits("somebody new")
    assert (student.group, student.allow_full_gpu, student.max_gpu_slots) == ("student", False, 2)
    assert loaded.policy.groups == ("admin", "faculty", "researcher", "student")


def test_every_shipped_members_file_has_a_group() -> None:
    groups = load_policy(SHIPPED.read_text(encoding="utf-8"), SHIPPED.name).policy.groups
    assert {path.stem for path in (CONFIG / "groups").glob("*.members")} <= set(groups)
