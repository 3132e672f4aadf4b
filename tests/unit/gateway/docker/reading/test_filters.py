import pytest

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.docker.reading.filters import encode_filters, has_label, parse_filters


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("{}", {}),
        ("null", {}),
        ('{"label": ["a=b", "c"]}', {"label": ["a=b", "c"]}),
        ('{"label": {"a=b": true, "c": false}}', {"label": ["a=b"]}),
        ('{"label": null, "name": []}', {}),
    ],
)
def test_both_forms_are_read(text: str, expected: dict[str, list[str]]) -> None:
    assert parse_filters(text) == expected
    assert parse_filters(encode_filters(expected)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "1",
        '{"label": "a"}',
        '{"label": [1]}',
        '{"label": {"a": "true"}}',
        "[" * 5000,
        '{"a":' * 2000,
        '{"name": ["' + "x" * 20_000 + '"]}',
        '{"name": [' + ",".join(['"x"'] * 201) + "]}",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        parse_filters(text)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("a", True), ("a=1", True), ("a=2", False), ("b", False), ("a=", False)],
)
def test_a_label_is_met_by_key_or_by_key_and_value(wanted: str, expected: bool) -> None:
    assert has_label({"a": "1"}, wanted) is expected
