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


def with_member(file: MembersFile, user: str, remark: str = "") -> str:
    """The text of a members file with `user` in it; everything else stays as it is.

    Args:
        file: The file before.
        user: Who is to be in it.
        remark: What stands behind the name, as a comment.

    Raises:
        PolicyError: A line is not one name.
        InvalidRequest: The name cannot stand in such a file.
    """
    if user in read_members(file):
        return file.text
    text = file.text if not file.text or file.text.endswith("\n") else f"{file.text}\n"
    remark = " ".join(remark.split())
    added = f"{text}{user}  # {remark}\n" if remark else f"{text}{user}\n"
    try:
        understood = read_members(MembersFile(file.group, file.path, added))
    except PolicyError:
        understood = {}
    if user not in understood:
        raise InvalidRequest(
            f"{user!r} cannot stand in {file.path}.",
            "Write it below members in resource-limits.yaml, in quotes.",
        )
    return added


def without_member(file: MembersFile, user: str) -> str:
    """The text of a members file without the lines of `user`."""
    kept = [
        line
        for line in file.text.splitlines(keepends=True)
        if _COMMENT.sub("", line.removeprefix("\ufeff").rstrip("\r\n")).strip() != user
    ]
    return "".join(kept)


def _fault(name: str) -> str:
    if any(char.isspace() for char in name):
        return f"expected one name a line; found {name!r}"
    try:
        check_user(name)
    except InvalidRequest as exc:
        return exc.message
    return ""
