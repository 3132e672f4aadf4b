"""How long the builder's texts may become when it puts variables in. Pure.

It does so in memory that nobody bounds, in time that grows with the square, and goes on when its
client has gone: `ENV A=$A$A`, said 16 times, kept the engine busy for an hour.
"""

import re
from collections.abc import Iterable, Mapping

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown
from ds01_spawner.gateway.docker.dockerfile.parsing import Instruction, fault, pairs_of, words_of

LONGEST_INHERITED = 8 * 1024
"""Bytes of one variable of a base image: so long is what is not set here taken to be."""

_LONGEST = 64 * 1024
_LONGEST_TOGETHER = 4 * 1024**2
_USE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NOT_EXPANDED = frozenset({"RUN", "CMD", "ENTRYPOINT", "SHELL", "HEALTHCHECK", "MAINTAINER"})


class Growth:
    """Follows what variables may hold at most, from one instruction to the next.

    Args:
        given: Values of build arguments.
    """

    def __init__(self, given: Mapping[str, str | None]) -> None:
        self._sizes = {name: len(value or "") for name, value in given.items()}
        self._least = 0
        self._together = 0

    def follow(self, instruction: Instruction, escape: str) -> None:
        """Take the next instruction.

        Raises:
            InvalidRequest: It may become too long.
        """
        if instruction.name in _NOT_EXPANDED:
            return
        rest = instruction.rest
        size = len(rest) + sum(map(self._size, _USE.findall(rest)))
        self._together += size
        if size > _LONGEST or self._together > _LONGEST_TOGETHER:
            raise fault(
                instruction.line,
                f"with its variables put in, {instruction.name} {shown(rest)} may be too long.",
            )
        if instruction.name == "ENV":
            for name, value in pairs_of(rest, escape):
                self._set(name, value)
        elif instruction.name == "ARG":
            for word in words_of(rest, escape):
                name, equals, value = word.partition("=")
                if equals:
                    self._set(name, value)

    def _set(self, name: str, value: str) -> None:
        size = len(value) + sum(map(self._size, _USE.findall(value)))
        if _PLAIN_NAME.fullmatch(name):
            # The longer of the two: a stage, or an argument beside a variable, may have either.
            self._sizes[name] = max(self._sizes.get(name, 0), size)
        else:  # a name in quotes or of variables: any
            self._least = max(self._least, size)

    def _size(self, name: str) -> int:
        return max(self._least, self._sizes.get(name, LONGEST_INHERITED))


def check_inherited(environment: Iterable[str], image: str) -> None:
    """Return when what a build gets from an image is as short as it is taken to be.

    Raises:
        InvalidRequest: A variable is longer.
    """
    for text in environment:
        name, _, value = text.partition("=")
        if len(value) > LONGEST_INHERITED:
            raise InvalidRequest(
                f"The variable {shown(name)} of {image} has {len(value):,} characters; "
                f"{LONGEST_INHERITED:,} are allowed in what an image is made from."
            )


def check_trigger_growth(instruction: Instruction) -> None:
    """Return when an instruction that later builds run makes no variable grow.

    Raises:
        InvalidRequest: It holds more than one variable.
    """
    if instruction.name in {"ENV", "ARG", "LABEL"} and len(_USE.findall(instruction.rest)) > 1:
        raise fault(
            instruction.line, f"ONBUILD {instruction.name} may hold one variable, and no more."
        )
