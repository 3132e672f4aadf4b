"""`config/groups/<group>.members`: who is in a group, one name a line, `#` comments."""

import re
from dataclasses import dataclass

from ds01_spawner.domain.errors import InvalidRequest, PolicyError, PolicyProblem
from ds01_spawner.domain.names import check_user

SUFFIX = ".members"

_COMMENT = re.compile(r"(^|\s)#.*$")


@dataclass(frozen=True, slots=True)
class MembersFile:
    """A members file as it was read.

    Attributes:
        group: The group it is for, from its name.
        path: The file, as messages name it.
        text: What is in it.
    """

    group: str
    path: str
    text: str


def read_members(file: MembersFile) -> dict[str, int]:
    """The names in a members file, each with its line.

    Raises:
        PolicyError: A line is not one name.
    """
    members: dict[str, int] = {}
    problems = []
    for line, written in enumerate(file.text.removeprefix("\ufeff").splitlines(), start=1):
        name = _COMMENT.sub("", written).strip()
        if not name:
            continue
        if fault := _fault(name):
            problems.append(PolicyProblem(file.path, line, file.group, fault))
        members.setdefault(name, line)
    if problems:
        raise PolicyError(tuple(problems))
    return members


def _fault(name: str) -> str:
    if any(char.isspace() for char in name):
        return f"expected one name a line; found {name!r}"
    try:
        check_user(name)
    except InvalidRequest as exc:
        return exc.message
    return ""
