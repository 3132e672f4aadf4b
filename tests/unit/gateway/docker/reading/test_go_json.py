import json

import pytest

from ds01_spawner.domain.errors import Forbidden, InvalidRequest
from ds01_spawner.gateway.docker.reading.go_json import MAX_DEPTH, Fields, decoded, folded, is_empty


@pytest.mark.parametrize(
    "spelling",
    ["Sysctls", "sysctls", "SYSCTLS", "\u017fysctls", "Sysctl\u017f", "\u017fYSCTL\u017f"],
)
def test_a_field_is_found_in_every_spelling_that_go_accepts(spelling: str) -> None:
    assert Fields({spelling: "x"}).text("Sysctls") == "x"


def test_the_kelvin_sign_is_a_k() -> None:
    assert Fields({"\u212aernelMemory": 1}).number("KernelMemory") == 1
    assert folded("\u212a\u017f") == "ks"


@pytest.mark.parametrize("other", ["CgroupParen\u017f", "\u0130mage", "\ufb01eld", "\u00edmage"])
def test_other_letters_are_not_folded(other: str) -> None:
    assert folded(other) not in {"cgroupparent", "image", "field"}


@pytest.mark.parametrize(
    "body",
    [
        '{"Memory": 1, "memory": 0}',
        '{"Memory": 1, "Memory": 0}',
        '{"Sysctls": null, "\u017fysctls": {"a": "b"}}',
        '{"Unknown": null, "unknown": null}',
    ],
)
def test_a_field_said_twice_is_refused(body: str) -> None:
    with pytest.raises(InvalidRequest, match="twice"):
        Fields.of(body.encode())


def test_keys_of_data_keep_their_case() -> None:
    fields = Fields.of(b'{"Labels": {"a": "1", "A": "2"}}')
    assert fields.text_entries("Labels") == {"a": "1", "A": "2"}


@pytest.mark.parametrize("value", [None, False, 0, 0.0, "", [], {}, [0, 0], {"a": [{}, None]}])
def test_an_unknown_field_that_says_nothing_is_dropped(value: object) -> None:
    assert is_empty(value)
    Fields({"Later": value}).finish()


@pytest.mark.parametrize("value", [True, 1, -1, "x", [1], {"a": {"b": [0, "x"]}}])
def test_an_unknown_field_that_says_something_is_refused_by_its_name(value: object) -> None:
    with pytest.raises(Forbidden, match=r"HostConfig\.Later is not known"):
        Fields({"Later": value}, "HostConfig").finish()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no body"),
        (b"  \n", "no body"),
        (b"[]", "object"),
        (b'"x"', "object"),
        (b"{", "not JSON"),
        (b"{} {}", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "not JSON"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 9223372036854775808}', "64 bits"),
        (b'{"a": -9223372036854775809}', "64 bits"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "64 bits"),
        (b'{"a": "x\\u0000y"}', "NUL"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'{"a": "\\ud800"}', "half a character"),
        (b'{"a": "\n"}', "not JSON"),
        (b'{"a": ' + b"[" * 70 + b"]" * 70 + b"}", "nested"),
        (b'{"a": ' + b"[" * 90_000, "nested"),
        (b'{"a": ' + b"[" * 200_000, "values"),
        (b'{"a": [' + b"0," * 60_000 + b"0]}", "values"),
    ],
    ids=range(22),
)
def test_a_body_that_programs_read_differently_is_refused(body: bytes, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        Fields.of(body)


def test_a_body_may_be_as_deep_as_the_bound() -> None:
    body = b'{"a": ' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert decoded(body) == json.loads(body)


@pytest.mark.parametrize(
    ("method", "value"),
    [
        ("text", 1),
        ("text", []),
        ("flag", 1),
        ("flag", "true"),
        ("number", True),
        ("number", 1.0),
        ("number", "3g"),
        ("texts", 1),
        ("texts", [1]),
        ("texts", {}),
        ("entries", []),
        ("entries", "x"),
        ("text_entries", {"a": 1}),
        ("inner", []),
        ("inner", "x"),
        ("each", {}),
        ("each", [1]),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_name(method: str, value: object) -> None:
    with pytest.raises(InvalidRequest, match="Memory"):
        getattr(Fields({"memory": value}), method)("Memory")


def test_null_says_nothing() -> None:
    fields = Fields(dict.fromkeys("abcdefg"))
    assert fields.text("a") == ""
    assert fields.flag("b") is None
    assert fields.number("c") is None
    assert fields.texts("d") is None
    assert fields.entries("e") == {}
    assert list(fields.each("f")) == []
    fields.inner("g").finish()


def test_one_string_is_a_list_of_it() -> None:
    assert Fields({"Cmd": "ls"}).texts("Cmd") == ("ls",)


def test_a_megabyte_in_a_key_is_cut_in_the_message() -> None:
    with pytest.raises(Forbidden) as caught:
        Fields({"x" * 10**6: 1}).finish()
    assert len(str(caught.value)) < 300
