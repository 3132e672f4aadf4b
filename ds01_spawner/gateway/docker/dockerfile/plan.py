"""Which images a Dockerfile uses, and the Dockerfile that uses those alone. Pure.

The builder would look an image up by its name among everybody's, fetch it where it is missing, and
fetch what `ADD` names from the host's network. So each image is looked up for the person before
and named by its id, and what only the builder could look up is refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ds01_spawner.domain.errors import Forbidden
from ds01_spawner.domain.labels import IMAGE_OWNER, RESERVED_LABELS
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.docker.dockerfile.growth import Growth
from ds01_spawner.gateway.docker.dockerfile.parsing import (
    DEFAULT_ESCAPE,
    Dockerfile,
    Instruction,
    fault,
    words_of,
)
from ds01_spawner.gateway.docker.dockerfile.rules import check_instruction, check_trigger
from ds01_spawner.gateway.docker.dockerfile.variables import expanded

SCRATCH = "scratch"
_STAGE_NAME = re.compile(r"[a-z][a-z0-9-_.]*")
PLATFORM = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_.-]+){0,3}")
_PLAIN_LABEL = re.compile(r"[A-Za-z0-9_.-]+")
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
