"""The `filters` of lists, events and prunes: one JSON parameter, in either of Docker's two forms.

https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerList
"""

import json
from collections.abc import Mapping, Sequence

from ds01_spawner.domain.errors import InvalidRequest

Filters = Mapping[str, Sequence[str]]
"""Values by the name of the filter; several values of one are alternatives, but for labels."""

LONGEST = 16 * 1024
MOST_VALUES = 200


def parse_filters(text: str) -> dict[str, list[str]]:
    """The filters that `{"label": ["a=b"]}` or the older `{"label": {"a=b": true}}` spells.

    Raises:
        InvalidRequest: It is neither, or too long.
    """
    if not text:
        return {}
    if len(text) > LONGEST:
        raise InvalidRequest(f"Filters of {len(text)} characters are too long.")
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise InvalidRequest("invalid filter: it is not JSON.") from exc
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InvalidRequest("invalid filter: it is not a JSON object.")
    filters = {name: _values(name, value) for name, value in given.items()}
    if sum(len(values) for values in filters.values()) > MOST_VALUES:
        raise InvalidRequest(f"More than {MOST_VALUES} filters are given.")
    return {name: values for name, values in filters.items() if values}


def _values(name: str, value: object) -> list[str]:
    if value is None:
        return []
    if isinstance(value, dict) and all(isinstance(chosen, bool) for chosen in value.values()):
        return [text for text, chosen in value.items() if chosen]
    if isinstance(value, list) and all(isinstance(text, str) for text in value):
        return list(value)
    raise InvalidRequest(f"invalid filter {name!r:.80}: its values are not texts.")


def encode_filters(filters: Filters) -> str:
    """The parameter's text."""
    return json.dumps({name: list(values) for name, values in filters.items()})


def label_filter(marks: Mapping[str, str]) -> list[str]:
    """The values of a label filter that these labels, and more, meet."""
    return [f"{key}={value}" for key, value in marks.items()]


def has_label(marks: Mapping[str, str], wanted: str) -> bool:
    """Whether labels meet one value of a label filter: `key` or `key=value`."""
    key, equals, value = wanted.partition("=")
    return key in marks and (not equals or marks[key] == value)
