import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.gateway.docker.dockerfile.parsing import pairs_of, parse_dockerfile, words_of
from ds01_spawner.gateway.docker.dockerfile.variables import expanded


def lines(text: str) -> list[str]:
    return [each.emitted() for each in parse_dockerfile(text.encode()).instructions]


def test_each_instruction_is_said_on_one_line() -> None:
    text = (
        "# syntax=docker/dockerfile:1\n\nfrom  busybox\r\n"
        '  RUN a && \\\n  # a comment\n\n    b \\ \n  c\ncopy --chown=1:2 x y\nCMD ["x"]'
    )
    assert lines(text) == [
        "FROM busybox",
        "RUN a &&     b   c",
        "COPY --chown=1:2 x y",
        'CMD ["x"]',
    ]


def test_the_escape_directive_counts_at_the_top_alone() -> None:
    first = parse_dockerfile(b"# escape=`\nFROM x\nRUN a `\nb \\\nRUN c")
    assert [each.rest for each in first.instructions] == ["x", "a b \\", "c"]
    later = parse_dockerfile(b"FROM x\n# escape=`\nRUN a \\\nb")
    assert [each.rest for each in later.instructions] == ["x", "a b"]


def test_a_line_that_goes_on_to_nowhere_ends_there() -> None:
    assert lines("FROM x\nRUN a \\\n") == ["FROM x", "RUN a"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "cannot be empty"),
        ("# nothing\n", "cannot be empty"),
        ("FROM x\nRUM y", "line 2: unknown instruction: RUM"),
        ("FROM x\nRUN a \\\\\nFROM y", "engines read differently"),
        ("FROM x\nRUN a \\\u00a0\nFROM y", "ends with"),
        ("FROM x\nRUN a\0b", "no text"),
        ("FROM x\nRUN cat <<EOF\nFROM y\nEOF", "here-documents"),
        ("FROM x\nCOPY <<'a' b", "here-documents"),
        ("FROM x\nONBUILD RUN cat <<1", "here-documents"),
        ("FROM x\nRUN --mount=type=cache,target=/x y", "BuildKit"),
        ("FROM x\nCOPY --fr\\om=y a b", "cannot be understood"),
        ("FROM x\nCOPY '--from=y' --from=\"z\" a b", None),
        ('FROM x\nCOPY --from="z" a b', "cannot be understood"),
        ("FROM x\nCOPY -- --from=z a b", "cannot be understood"),
        ("# escape=x\nFROM x", "invalid ESCAPE"),
        ("FROM x\n" * 2001, "2000 are allowed"),
    ],
)
def test_what_engines_may_read_differently_is_refused(text: str, says: str | None) -> None:
    if says is None:
        assert lines(text)[1].startswith("COPY '--from=y'")
        return
    with pytest.raises(InvalidRequest, match=says):
        parse_dockerfile(text.encode())


def test_no_line_that_is_said_can_go_on() -> None:
    for text in ("RUN a\\", "RUN a\\\n\n", "RUN a\\\n#x\n", "RUN a \\\n\\\n"):
        try:
            said = lines("FROM x\n" + text)
        except InvalidRequest:
            continue
        assert not any(line.endswith("\\") for line in said)


def test_words_keep_their_quotes() -> None:
    assert words_of(r'a="b c" d\ e=f \'g h', "\\") == ['a="b c"', r"d\ e=f", r"\'g", "h"]
    assert pairs_of("key some value", "\\") == [("key", "some value")]
    assert pairs_of('a=b "c d"=e', "\\") == [("a", "b"), ('"c d"', "e")]
    assert pairs_of("a\x1cb=c ds01.user=x", "\\")[1] == ("ds01.user", "x")


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("plain", "plain"),
        ("$V", "1"),
        ("${V}x", "1x"),
        ("${W:-d}", "d"),
        ("${V:-d}", "1"),
        ("${V:+o}", "o"),
        ("${W:+o}", ""),
        ("${W:-$V}", "1"),
        ("$W", ""),
        ("'$V'", "$V"),
        ('"$V"', "1"),
        ("\\$V", "$V"),
    ],
)
def test_variables_are_put_in(word: str, text: str) -> None:
    assert expanded(1, word, {"V": "1", "W": ""}, "\\") == text


@pytest.mark.parametrize("word", ["${V", "$", "${V:?x}", "${V#x}", "'x", '"x', "$1", "\\", "${}"])
def test_what_is_no_variable_is_refused(word: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be understood"):
        expanded(1, word, {"V": "1"}, "\\")


def test_a_bomb_of_variables_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        expanded(1, "${W:-" * 40 + "}" * 40, {}, "\\")
    with pytest.raises(InvalidRequest, match="too long"):
        expanded(1, "$V" * 100, {"V": "x" * 100}, "\\")


TEXTS = st.text(
    alphabet=st.sampled_from(
        [*"FROM RUN COPY LABEL x=\\`\"'$#-<>[]{}:\n\r\t\x0b\x0c\x1c\u00a0\u2028"]
    ),
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5), st.sampled_from(["", "# escape=`\n"]))
def test_what_is_said_is_read_the_same_by_everybody(parts: list[str], header: str) -> None:
    text = header + "FROM x\n" + "\n".join(f"RUN {part}" for part in parts)
    try:
        read = parse_dockerfile(text.encode())
    except InvalidRequest:
        return
    said = [each.emitted() for each in read.instructions]
    for line in said:
        assert "\n" not in line
        assert not line.rstrip().endswith(read.escape)
        assert line.split(maxsplit=1)[0] in {"FROM", "RUN", "COPY", "LABEL"}
    again = parse_dockerfile((f"# escape={read.escape}\n" + "\n".join(said)).encode())
    assert [each.emitted() for each in again.instructions] == said
