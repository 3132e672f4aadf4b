"""What no instruction of a Dockerfile may ask for, whosever build it is in. Pure."""

from ds01_spawner.domain.closed_places import check_working_dir
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.labels import RESERVED_LABELS
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.docker.dockerfile.growth import check_trigger_growth
from ds01_spawner.gateway.docker.dockerfile.parsing import (
    DEFAULT_ESCAPE,
    Instruction,
    fault,
    json_list,
    pairs_of,
    parse_dockerfile,
    unquoted,
)

_FLAGS = {"FROM": {"platform"}, "COPY": {"from", "chown"}, "ADD": {"chown"}}
_NO_TRIGGER = frozenset({"FROM", "MAINTAINER", "ONBUILD"})


def check_trigger(text: str, line: int = 1) -> None:
    """Return when an `ONBUILD` instruction may run in a build: of a base image, or of a stage.

    Args:
        text: What follows `ONBUILD`.
        line: Where that is, for a message.

    Raises:
        InvalidRequest: It cannot be understood.
        Forbidden: It asks for what nobody may have.
    """
    parsed = parse_dockerfile(text.encode("utf-8", "surrogateescape"))
    if len(parsed.instructions) != 1 or "\n" in text:
        raise fault(line, f"ONBUILD {shown(text)} is not a single instruction.")
    instruction = parsed.instructions[0]
    if instruction.name in _NO_TRIGGER:
        raise fault(line, f"{instruction.name} cannot follow ONBUILD.")
    if "from" in instruction.flags:
        raise Forbidden(
            f"ONBUILD {shown(text)} copies from an image by name.",
            "Write that COPY into the Dockerfile itself, without ONBUILD.",
        )
    check_trigger_growth(instruction)
    check_instruction(instruction, DEFAULT_ESCAPE)


def check_instruction(instruction: Instruction, escape: str) -> None:
    """Return when an instruction asks for nothing that nobody may have.

    Raises:
        InvalidRequest: It has a flag that is not known here.
        Forbidden: It fetches from the network by itself, sets the platform's labels, or works in
            a folder of the kernel's.
    """
    unknown = instruction.flags.keys() - _FLAGS.get(instruction.name, set())
    if unknown:
        raise fault(
            instruction.line,
            f"{instruction.name} --{min(unknown)} needs BuildKit, which is off here.",
        )
    if instruction.name == "ADD":
        _check_added(instruction)
    if instruction.name == "WORKDIR":
        check_working_dir(unquoted(instruction.rest))
    if instruction.name == "LABEL":
        check_labels([name for name, _value in pairs_of(instruction.rest, escape)])


def check_labels(names: list[str]) -> None:
    """Return when labels of these names may be put on an image; names may be quoted.

    Raises:
        Forbidden: One is the platform's, or may turn into it.
    """
    for name in names:
        if "$" in name:
            raise Forbidden(
                f"The name of the label {shown(name)} holds a variable.", "Write it out."
            )
        if unquoted(name).startswith(RESERVED_LABELS):
            raise Forbidden(
                f"The label {shown(unquoted(name))} is the platform's own.", "Leave it out."
            )


def _check_added(instruction: Instruction) -> None:
    listed = json_list(instruction.rest)
    if listed is None and instruction.rest.startswith("["):
        raise fault(instruction.line, "ADD [ … ] is no JSON list of strings.")
    sources = (instruction.rest.split() if listed is None else listed)[:-1]
    if any("://" in unquoted(text) for text in [instruction.rest, *(listed or ())]) or any(
        unquoted(source).startswith("git@") for source in sources
    ):
        raise Forbidden(
            f"Dockerfile line {instruction.line}: ADD fetches from the network as the server, not "
            "as you.",
            "Use RUN with curl or wget, or fetch the file first and COPY it.",
        )
    if any("$" in source for source in sources):
        raise Forbidden(
            f"Dockerfile line {instruction.line}: a source of ADD holds a variable, which may turn "
            "into an address.",
            "Use COPY, or write the source out.",
        )
