import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01_spawner.domain.errors import PolicyError
from ds01_spawner.policy.document import read_document
from ds01_spawner.policy.yaml_reader import Blank, read_yaml


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        read_document(text, "f.yaml")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "scalar",
    ["no", "on", "1:30", "1e3", "2026-01-31", "007", "0x1F", "1_000", ".inf", "true", "<3", "5%"],
)
def test_an_unquoted_scalar_stays_the_text_that_was_written(scalar: str) -> None:
    assert read_yaml(f"a: {scalar}", "f")[0] == {"a": scalar}


@pytest.mark.parametrize("key", ["no", "on", "007", "2026-01-31", "null", "1e3", "ü", "a@b.c"])
def test_a_key_stays_the_text_that_was_written(key: str) -> None:
    assert list(read_yaml(f"{key}: x", "f")[0]) == [key]


def test_null_is_none_only_when_unquoted() -> None:
    data, _ = read_yaml("a: null\nb: ~\nc: 'null'\nd: !!str null", "f")
    assert data == {"a": None, "b": None, "c": "null", "d": "null"}


def test_nothing_after_the_colon_is_blank_and_not_null() -> None:
    data, _ = read_yaml("a:\nb: ''", "f")
    assert isinstance(data["a"], Blank)
    assert data["b"] == ""


def test_every_key_and_item_knows_its_line() -> None:
    _, lines = read_yaml("# c\na:\n  b: 1\n  c:\n    - x\n    - y: 1\nd: {e: 1,\n  f: 2}", "f")
    assert lines == {
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "c"): 4,
        ("a", "c", 0): 5,
        ("a", "c", 1): 6,
        ("a", "c", 1, "y"): 6,
        ("d",): 7,
        ("d", "e"): 7,
        ("d", "f"): 8,
    }


def test_byte_order_mark_and_windows_line_ends_are_read() -> None:
    data, lines = read_yaml("\ufeffa: 1\r\nb: 2\r\n", "f")
    assert data == {"a": "1", "b": "2"}
    assert lines["b",] == 2


def test_aliases_and_merges_are_followed() -> None:
    data, lines = read_yaml("a: &x {k: 1, l: 2}\nb: *x\nc:\n  <<: *x\n  k: 3", "f")
    assert data["b"] == {"k": "1", "l": "2"}
    assert data["c"] == {"k": "3", "l": "2"}
    assert lines["c", "l"] == 4


def test_a_merge_of_several_takes_the_first() -> None:
    data, _ = read_yaml("a: &a {k: 1}\nb: &b {k: 2, l: 2}\nc: {<<: [*a, *b]}", "f")
    assert data["c"] == {"k": "1", "l": "2"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["f.yaml: the file is empty; expected a mapping of keys to values"]),
        ("# only\n", ["f.yaml: the file is empty; expected a mapping of keys to values"]),
        ("---\n", ["f.yaml: the file is empty; expected a mapping of keys to values"]),
        ("- a\n", ["f.yaml:1: expected a mapping of keys to values at the top of the file"]),
        ("text", ["f.yaml:1: expected a mapping of keys to values at the top of the file"]),
        ("null", ["f.yaml: the file is empty; expected a mapping of keys to values"]),
        (
            "a: 1\nb:\n\tc: 2",
            ["f.yaml:3: this is not valid YAML: indent with spaces, not with tabs"],
        ),
        ("a: 1\nb: \0", ["f.yaml:2: a text file has no such character: #x00"]),
        ("é: 1\nb: \x07", ["f.yaml:2: a text file has no such character: #x07"]),
        ("a: \ud800", ["f.yaml:1: a text file has no such character: '\\ud800'"]),
        (
            "a: @x",
            ["f.yaml:1: this is not valid YAML: put text that begins with @ in quotes"],
        ),
        ("a: 1\n---\nb: 1", ["f.yaml:2: a second document starts here; expected one only"]),
        ("b: *x", ["f.yaml:1: b: *x names nothing that is complete above"]),
        ("b: &x {c: *x}", ["f.yaml:1: b.c: *x names nothing that is complete above"]),
        ("? [a]\n: 1", ["f.yaml:1: a key must be plain text, not a mapping or a list"]),
        (
            "a: &x [1]\nb:\n  *x : 1",
            ["f.yaml:3: b: a key must be plain text, not a mapping or a list"],
        ),
        ("a: {? : 1}", ["f.yaml:1: a: a key is missing before the colon"]),
        ("a: !secret 1", ["f.yaml:1: a: the tag !secret is not understood; remove it"]),
        ("a: {<<: 1}", ["f.yaml:1: a: << takes an alias of a mapping, such as *name"]),
        (
            "a: 1\nb:\n  c: 1\n  c: 2\na: 3",
            [
                "f.yaml:4: b.c: this key is already on line 3",
                "f.yaml:5: a: this key is already on line 1",
            ],
        ),
    ],
)
def test_refuses_with_file_and_line(text: str, expected: list[str]) -> None:
    assert problems(text) == expected


def test_refuses_python_objects() -> None:
    (problem,) = problems("a: !!python/object/apply:os.system [id]")
    assert "the tag tag:yaml.org,2002:python/object/apply:os.system is not understood" in problem


def test_unfinished_brackets_are_a_sentence_with_a_line() -> None:
    (problem,) = problems("a: [1, 2\nb: 3\n")
    assert problem.startswith("f.yaml:2: this is not valid YAML: ")


def test_deep_nesting_is_refused_and_not_followed() -> None:
    (problem,) = problems("a: " + "[" * 50_000)
    assert "nested more than 30 deep" in problem


def test_aliases_cannot_grow_without_bound() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    (problem,) = problems("\n".join(lines))
    assert "aliases repeat more than 100,000 values" in problem


@settings(deadline=None)
@given(st.text(alphabet=st.characters(), max_size=60))
def test_any_text_is_read_or_refused_with_a_policy_error(text: str) -> None:
    try:
        document = read_document(text, "f.yaml")
    except PolicyError as error:
        assert error.problems  # noqa: PT017 - most texts are refused
    else:
        assert isinstance(document.data, dict)


@settings(deadline=None)
@given(st.text(alphabet="ab:-[]{}&*<>!|?#'\"\n \t,1~%@", max_size=40))
def test_any_punctuation_is_read_or_refused_with_a_policy_error(text: str) -> None:
    try:
        read_document(text, "f.yaml")
    except PolicyError as error:
        assert all(problem.message for problem in error.problems)  # noqa: PT017 - most are refused
