"""Which images a Dockerfile uses, and the Dockerfile that uses those alone. Pure.

The builder would look an image up by its name among everybody's, fetch it where it is missing, and
fetch what `ADD` names from the host's network. So each image is looked up for the person before
and named by its id, and what only the builder could look up is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ds01_spawner.domain.closed_places import check_working_dir
from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.labels import IMAGE_OWNER, RESERVED_LABELS
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.docker.dockerfile.growth import Growth, check_trigger_growth
from ds01_spawner.gateway.docker.dockerfile.parsing import (
    DEFAULT_ESCAPE,
    Dockerfile,
    Instruction,
    fault,
    json_list,
    pairs_of,
    parse_dockerfile,
    unquoted,
    words_of,
)
from ds01_spawner.gateway.docker.dockerfile.variables import expanded

SCRATCH = "scratch"
_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
PLATFORM = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_.-]+){0,3}")
_PLAIN_LABEL = re.compile(r"[A-Za-z0-9_.-]+")
_FLAGS = {"FROM": {"platform"}, "COPY": {"from", "chown"}, "ADD": {"chown"}}
_NO_TRIGGER = frozenset({"FROM", "MAINTAINER", "ONBUILD"})
_MOST_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Base:
    """An image that the person may use.

    Attributes:
        id: The engine's id, `sha256:…`.
        labels: Its labels.
        triggers: Its `ONBUILD` instructions.
    """

    id: str
    labels: Mapping[str, str] = field(default_factory=dict)
    triggers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Use:
    """An instruction that uses an image, or a stage, or nothing (`scratch`)."""

    instruction: Instruction
    image: str = ""
    literal: str = ""
    ending: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A Dockerfile that was understood.

    Attributes:
        images: What it calls the images that it uses, each once.
    """

    escape: str
    steps: tuple[Instruction | _Use, ...]
    images: tuple[str, ...]

    def rewritten(self, bases: Mapping[str, Base], owner: str) -> str:
        """The Dockerfile for the builder.

        Args:
            bases: For each of `images`, which it is.
            owner: Slug of the person; what is built is marked with it from its first layer, so
                that nobody's cache is anybody else's.

        Raises:
            Forbidden: A base image would do, or say of itself, what the person may not.
        """
        header = [] if self.escape == DEFAULT_ESCAPE else [f"# escape={self.escape}"]
        lines = header
        for step in self.steps:
            lines += (
                [step.emitted()] if isinstance(step, Instruction) else _said(step, bases, owner)
            )
        return "\n".join(lines) + "\n"


def plan_build(dockerfile: Dockerfile, build_args: Mapping[str, str | None]) -> Plan:
    """What a build uses.

    Args:
        dockerfile: The file.
        build_args: What the client sets.

    Raises:
        InvalidRequest: It cannot be understood.
        Forbidden: It asks for what nobody may have.
    """
    planner = _Planner(dockerfile.escape, build_args)
    steps = tuple(planner.step(each) for each in dockerfile.instructions)
    images = [each.image for each in steps if isinstance(each, _Use) and each.image]
    return Plan(dockerfile.escape, steps, tuple(dict.fromkeys(images)))


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


class _Planner:
    """Follows stages and build arguments from one instruction to the next."""

    def __init__(self, escape: str, build_args: Mapping[str, str | None]) -> None:
        self._escape = escape
        self._build_args = build_args
        self._growth = Growth(build_args)
        self._args: dict[str, str] = {}
        self._stages: list[str] = []

    def step(self, instruction: Instruction) -> Instruction | _Use:
        check_instruction(instruction, self._escape)
        self._growth.follow(instruction, self._escape)
        if instruction.name == "ONBUILD":  # a later FROM of this stage runs it
            check_trigger(instruction.rest, instruction.line)
        if instruction.name == "FROM":
            return self._from(instruction)
        if not self._stages:
            if instruction.name != "ARG":
                raise fault(instruction.line, "no build stage in current context: FROM comes first")
            self._declare(instruction)
        if instruction.name == "COPY" and "from" in instruction.flags:
            return self._copy(instruction)
        return instruction

    def _declare(self, instruction: Instruction) -> None:
        for word in words_of(instruction.rest, self._escape):
            name, equals, default = word.partition("=")
            given = self._build_args.get(name)
            if given is not None:
                self._args[name] = given
            elif equals:
                self._args[name] = self._expanded(instruction, default)

    def _from(self, instruction: Instruction) -> _Use:
        words = instruction.rest.split()
        name = ""
        if len(words) == 3 and words[1].lower() == "as":  # noqa: PLR2004 - IMAGE AS NAME
            name = words[2].lower()
            if not _STAGE_NAME.fullmatch(name) or name == SCRATCH:
                raise fault(instruction.line, f"invalid name for build stage: {shown(words[2])}")
        elif len(words) != 1:
            raise fault(instruction.line, "FROM requires either one or three arguments")
        image = self._expanded(instruction, words[0])
        if not image:
            raise fault(instruction.line, f"base name ({words[0]}) should not be blank")
        platform = self._expanded(instruction, instruction.flags.get("platform", ""))
        if platform and not PLATFORM.fullmatch(platform):
            raise fault(
                instruction.line, f"{shown(platform)} is not a platform such as linux/amd64"
            )
        flags = {"platform": platform} if platform else {}
        plain = Instruction(instruction.line, "FROM", "", flags)
        ending = f" AS {name}" if name else ""
        known = image.lower() in self._stages
        self._stages.append(name or f"\0{len(self._stages)}")
        if known:
            return _Use(plain, literal=image.lower(), ending=ending)
        if image == SCRATCH:
            return _Use(plain, literal=SCRATCH, ending=ending)
        return _Use(plain, image=image, ending=ending)

    def _copy(self, instruction: Instruction) -> _Use:
        source = instruction.flags["from"]
        if "$" in source or not source:
            raise fault(instruction.line, "COPY --from takes a stage or an image, no variable")
        # The stage that is being built is none yet: the builder would take its name for an image.
        if source.lower() in self._stages[:-1]:
            return _Use(instruction, literal=source.lower())
        if source.isascii() and source.isdecimal() and len(source) <= _MOST_DIGITS:
            if int(source) >= len(self._stages) - 1:
                raise fault(instruction.line, f"there is no earlier stage {source}")
            return _Use(instruction, literal=str(int(source)))
        return _Use(instruction, image=source)

    def _expanded(self, instruction: Instruction, word: str) -> str:
        return expanded(instruction.line, word, self._args, self._escape)


def _said(use: _Use, bases: Mapping[str, Base], owner: str) -> list[str]:
    base = bases[use.image] if use.image else None
    what = use.literal if base is None else base.id
    plain = use.instruction
    if plain.name == "COPY":
        flags = {**plain.flags, "from": what}
        return [Instruction(plain.line, "COPY", plain.rest, flags).emitted()]
    said = [Instruction(plain.line, "FROM", what + use.ending, plain.flags).emitted()]
    if base is None:
        return [*said, _marks({}, owner)] if use.literal == SCRATCH else said
    for trigger in base.triggers:
        check_trigger(trigger)
    forged = {
        name: ""
        for name, value in base.labels.items()
        if name.startswith(RESERVED_LABELS) and value and name != IMAGE_OWNER
    }
    if forged and (base.triggers or not all(map(_PLAIN_LABEL.fullmatch, forged))):
        raise Forbidden(
            f"The image {shown(use.image)} carries the platform's label {shown(min(forged))}, and "
            "steps of its own (ONBUILD) or odd names of labels.",
            "Choose another base image.",
        )
    return [*said, _marks(forged, owner)]


def _marks(forged: Mapping[str, str], owner: str) -> str:
    """Steps of a build are containers with their image's labels: none of them may be forged."""
    pairs = {**forged, IMAGE_OWNER: owner}
    return " ".join(["LABEL", *(f'{name}="{value}"' for name, value in sorted(pairs.items()))])
