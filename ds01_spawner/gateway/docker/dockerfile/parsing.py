"""A Dockerfile's instructions, read as the classic builder reads them. Pure.

Versions of the engine differ in how they join lines, where comments end and what a directive is. So
nothing is sent on as it came: each instruction is read here once and said anew on one line. What
two versions could read differently is refused.

https://docs.docker.com/reference/dockerfile/#format
"""

import json
import re
from dataclasses import dataclass, field

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown

MOST_INSTRUCTIONS = 2000
DEFAULT_ESCAPE = "\\"
_ESCAPES = (DEFAULT_ESCAPE, "`")
_KNOWN = frozenset(
    {
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
        *("LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME"),
        "WORKDIR",
    }
)
_WITH_FLAGS = frozenset({"ADD", "COPY", "FROM"})
_DIRECTIVE = re.compile(r"[a-zA-Z][a-zA-Z0-9]*")
_BREAK = re.compile(r"[\t\v\f\r ]+")
_FLAG = re.compile(r"--(?P<name>[a-z-]+)(?:=(?P<value>[A-Za-z0-9_.:/@${}+-]*))?")
_HEREDOC = re.compile(r"\d*<<-?[^<]")
_MAY_HAVE_HEREDOC = frozenset({"ADD", "COPY", "ONBUILD", "RUN"})
_NO_SPACE_IN_GO = "\x1c\x1d\x1e\x1f"


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction, on one line.

    Attributes:
        line: 1-based line on which it begins.
        name: Upper case.
        rest: What follows, without the flags of `ADD`, `COPY` and `FROM`.
        flags: Those flags: `{"from": "builder"}`.
    """

    line: int
    name: str
    rest: str
    flags: dict[str, str] = field(default_factory=dict)

    def emitted(self) -> str:
        """Its text, as the builder is given it."""
        flags = [f"--{name}={value}" for name, value in self.flags.items()]
        return " ".join([self.name, *flags, self.rest]).rstrip()


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """A whole file.

    Attributes:
        escape: The character before which nothing is special.
        instructions: In order.
    """

    escape: str
    instructions: tuple[Instruction, ...]


def parse_dockerfile(content: bytes) -> Dockerfile:
    """The instructions of a Dockerfile.

    Raises:
        InvalidRequest: It cannot be understood; the message names the line.
    """
    text = content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    escape = _escape_of(lines)
    instructions = tuple(
        read_instruction(line, joined, escape) for line, joined in _joined(lines, escape)
    )
    if not instructions:
        raise InvalidRequest("the Dockerfile cannot be empty")
    if len(instructions) > MOST_INSTRUCTIONS:
        raise InvalidRequest(
            f"The Dockerfile has {len(instructions)} instructions; {MOST_INSTRUCTIONS} are allowed."
        )
    return Dockerfile(escape, instructions)


def read_instruction(line: int, text: str, escape: str) -> Instruction:
    """The instruction that stands on one line.

    Raises:
        InvalidRequest: It cannot be understood.
    """
    word, *others = _BREAK.split(text.strip(), maxsplit=1)
    name, rest = word.upper(), others[0].strip() if others else ""
    if name not in _KNOWN:
        raise InvalidRequest(f"Dockerfile line {line}: unknown instruction: {shown(word)[1:-1]}")
    if "\n" in rest or "\0" in rest or rest.endswith(escape):
        raise fault(line, f"{name} ends with {escape} or holds a character that is no text.")
    if name in _MAY_HAVE_HEREDOC and any(map(_HEREDOC.match, rest.split())):
        raise fault(line, "here-documents (<<) need BuildKit, which is off here; use RUN printf.")
    if name == "RUN" and rest.startswith("--"):
        raise fault(line, "flags of RUN (--mount, --network …) need BuildKit, which is off here.")
    if name not in _WITH_FLAGS:
        return Instruction(line, name, rest)
    return Instruction(line, name, *_without_flags(line, name, rest))


def words_of(rest: str, escape: str) -> list[str]:
    """The words of `ENV`, `LABEL` and `ARG`, with their quotes (parser.parseWords of BuildKit)."""
    words, word, quote = [], "", ""
    characters = iter(rest)
    for each in characters:
        if not quote and each.isspace() and each not in _NO_SPACE_IN_GO:
            words.append(word)
            word = ""
            continue
        if each == escape and quote != "'":
            word += each + next(characters, "")
            continue
        if each == quote:
            quote = ""
        elif not quote and each in {"'", '"'}:
            quote = each
        word += each
    return [each for each in [*words, word] if each]


def pairs_of(rest: str, escape: str) -> list[tuple[str, str]]:
    """Names and values, with their quotes, of `ENV` and `LABEL` in both of their forms."""
    words = words_of(rest, escape)
    if words and "=" not in words[0]:
        name, *value = _BREAK.split(rest, maxsplit=1)
        return [(name, value[0] if value else "")]
    return [(name, value) for name, _, value in (word.partition("=") for word in words)]


def unquoted(word: str) -> str:
    """A word without quotes and escapes of either kind: what may become of it, at most."""
    return word.translate({ord(each): None for each in "'\"\\`"})


def json_list(rest: str) -> list[str] | None:
    """The strings of the JSON form of an instruction, or `None` when it has the other form."""
    try:
        value = json.loads(rest)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    return None


def fault(line: int, sentence: str) -> InvalidRequest:
    """The refusal of one line of a Dockerfile."""
    return InvalidRequest(f"Dockerfile line {line}: {sentence}")


def _escape_of(lines: list[str]) -> str:
    for line in lines:
        name, equals, value = line.strip().removeprefix("#").partition("=")
        name, value = name.strip(" \t"), value.strip(" \t")
        if not (line.strip().startswith("#") and equals and value and _DIRECTIVE.fullmatch(name)):
            return DEFAULT_ESCAPE
        if name.lower() == "escape":
            if value not in _ESCAPES:
                raise InvalidRequest(f"invalid ESCAPE {shown(value)}: must be ` or \\")
            return value
    return DEFAULT_ESCAPE


def _joined(lines: list[str], escape: str) -> list[tuple[int, str]]:
    """Each instruction with the number of its first line; comments and empty lines left out."""
    found: list[tuple[int, str]] = []
    began, text = 0, ""
    for number, line in enumerate(lines, 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        ended = line.rstrip(" \t")
        goes_on = ended.endswith(escape)
        if ended.endswith(2 * escape):
            raise fault(number, f"the line ends with {2 * escape}, which engines read differently.")
        part = ended.removesuffix(escape) if goes_on else line
        text += part if began else part.lstrip()
        began = began or number
        if not goes_on:
            found.append((began, text.strip()))
            began, text = 0, ""
    if began:
        found.append((began, text.strip()))
    return [(number, joined) for number, joined in found if joined]


def _without_flags(line: int, name: str, rest: str) -> tuple[str, dict[str, str]]:
    flags: dict[str, str] = {}
    while rest.startswith("--"):
        word, *others = _BREAK.split(rest, maxsplit=1)
        match = _FLAG.fullmatch(word)
        if match is None or match["name"] in flags:
            raise fault(line, f"the flag {shown(word)} of {name} cannot be understood here.")
        flags[match["name"]] = match["value"] or ""
        rest = others[0] if others else ""
    return rest, flags
