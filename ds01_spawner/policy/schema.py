"""The JSON Schema of `resource-limits.yaml`, for completion and checking in an editor."""

import json
from typing import Any

from ds01_spawner.policy.layers import BUILT_IN_LAYER
from ds01_spawner.policy.models import PolicyFile
from ds01_spawner.policy.wording import in_words

_PREFIXES = {"AggregateSection": "aggregate.", "PoliciesSection": "policies."}
_ALSO_LIMITS = ("LimitsSection", "GroupSection", "UserSection")


def policy_schema() -> dict[str, Any]:
    """The schema of the canonical spelling; older spellings are not in it."""
    schema: dict[str, Any] = PolicyFile.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "DS01 resource limits"
    for name, definition in schema["$defs"].items():
        _tidy(definition)
        prefix = "" if name in _ALSO_LIMITS else _PREFIXES.get(name)
        if prefix is not None:
            _say_built_in(definition["properties"], prefix)
    _tidy(schema)
    for name, section in schema["properties"].items():
        schema["properties"][name] = _may_be_empty(section)
    return dict(sorted(schema.items()))


def render_schema() -> str:
    """The schema as the text of its file."""
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"


def _may_be_empty(section: dict[str, Any]) -> dict[str, Any]:
    """A section under which nothing stands, only comments perhaps, is an empty one."""
    inner = section.get("additionalProperties")
    if isinstance(inner, dict):
        section = {**section, "additionalProperties": {"anyOf": [inner, {"type": "null"}]}}
        return {**section, "type": ["object", "null"]}
    if "$ref" not in section:
        return section
    reference = {"$ref": section["$ref"]}
    rest = {key: value for key, value in section.items() if key != "$ref"}
    return {"anyOf": [reference, {"type": "null"}], **rest}


def _tidy(definition: dict[str, Any]) -> None:
    """Take away what pydantic adds and an editor would show: titles and unstated defaults."""
    for each in definition.get("properties", {}).values():
        each.pop("title", None)
        each.pop("default", None)


def _say_built_in(properties: dict[str, Any], prefix: str) -> None:
    for name, each in properties.items():
        if (setting := BUILT_IN_LAYER.get(prefix + name)) is not None:
            built_in = in_words(prefix + name, setting.value)
            each["description"] = f"{each.get('description', '')} (built in: {built_in})"
