"""The whole way from text to a `Policy`: read, translate, check, and collect every fault."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ds01_spawner.domain.errors import PolicyError, PolicyProblem
from ds01_spawner.domain.exemption import Exemption
from ds01_spawner.policy.dialects import OldSpelling, translate
from ds01_spawner.policy.document import Document, read_document, unknown_key, validate
from ds01_spawner.policy.exemptions import ExemptionsFile, read_exemptions
from ds01_spawner.policy.members import MembersFile, read_members
from ds01_spawner.policy.models import PolicyFile
from ds01_spawner.policy.resolution import Membership, MemberSource, Policy


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A valid policy, and the older spellings it was written in."""

    policy: Policy
    old_spellings: tuple[OldSpelling, ...]


def load_policy(
    text: str,
    path: str,
    members_files: Sequence[MembersFile] = (),
    exemptions_file: ExemptionsFile | None = None,
) -> LoadedPolicy:
    """The policy that a file, its members files and the file of exemptions describe.

    Raises:
        PolicyError: Something is wrong with one of them; every fault found is in it.
    """
    document, file, old_spellings = load_file(text, path)
    problems = [*_cross_check(document, file)]
    listed = _listed(document, file)
    for members_file in sorted(members_files, key=lambda each: each.group):
        if members_file.group not in file.groups:
            problems.append(_no_such_group(members_file, tuple(file.groups), path))
            continue
        try:
            members = read_members(members_file)
        except PolicyError as exc:
            problems += exc.problems
            continue
        for user, line in members.items():
            before = listed.setdefault(user, ())
            if all(each.group != members_file.group for each in before):
                place = f"{members_file.path}:{line}"
                membership = Membership(members_file.group, MemberSource.FILE, place)
                listed[user] = (*before, membership)
    exemptions: tuple[Exemption, ...] = ()
    if exemptions_file is not None:
        try:
            exemptions = read_exemptions(exemptions_file)
        except PolicyError as exc:
            problems += exc.problems
    if problems:
        raise PolicyError(tuple(problems))
    return LoadedPolicy(Policy(document, file, listed, exemptions), old_spellings)


def load_file(text: str, path: str) -> tuple[Document, PolicyFile, tuple[OldSpelling, ...]]:
    """A policy file alone, in canonical spelling, with the older spellings that were in it.

    Raises:
        PolicyError: Something is wrong with it.
    """
    translation = translate(read_document(text, path))
    problems = translation.problems
    try:
        file = validate(translation.document, PolicyFile)
    except PolicyError as exc:
        raise PolicyError(_by_line(*problems, *exc.problems)) from exc
    if problems:
        raise PolicyError(_by_line(*problems))
    return translation.document, file, translation.old_spellings


def _by_line(*problems: PolicyProblem) -> tuple[PolicyProblem, ...]:
    return tuple(sorted(problems, key=lambda each: each.line or 0))


def _cross_check(document: Document, file: PolicyFile) -> Iterator[PolicyProblem]:
    if (group := file.default_group) is not None and group not in file.groups:
        message = f"no group is called {group!r}; {_groups(tuple(file.groups))}"
        yield document.problem(("default_group",), message)
    for group in file.bare_metal.groups or ():
        if group not in file.groups:
            message = f"no group is called {group!r}; {_groups(tuple(file.groups))}"
            yield document.problem(("bare_metal", "groups"), message)
    sections: Mapping[str, tuple[object, object]] = {
        "policies": (file.policies, file.defaults.policies),
        "container_types": (file.container_types, file.defaults.container_types),
    }
    for name, (top, under_defaults) in sections.items():
        for key in sorted(_stated(top) & _stated(under_defaults)):
            line = document.line(("defaults", name, *key))
            message = f"this is also said under defaults, on line {line}; keep one of them"
            yield document.problem((name, *key), message)


def _stated(section: object) -> set[tuple[str, ...]]:
    fields: set[str] = getattr(section, "model_fields_set", set())
    stated: set[tuple[str, ...]] = set()
    for name in fields:
        inner = getattr(section, name)
        if hasattr(inner, "model_fields_set"):
            stated |= {(name, *rest) for rest in _stated(inner)}
        else:
            stated.add((name,))
    return stated


def _listed(document: Document, file: PolicyFile) -> dict[str, tuple[Membership, ...]]:
    listed: dict[str, tuple[Membership, ...]] = {}
    for group, section in file.groups.items():
        for index, user in enumerate(section.members):
            before = listed.get(user, ())
            if any(each.group == group for each in before):
                continue
            place = f"{document.path}:{document.line(('groups', group, 'members', index))}"
            listed[user] = (*before, Membership(group, MemberSource.POLICY, place))
    return listed


def _no_such_group(file: MembersFile, groups: tuple[str, ...], path: str) -> PolicyProblem:
    hint = unknown_key(file.group, groups).removeprefix("unknown key").strip("; ")
    message = f"{path} has no group of that name; {hint or _groups(groups)}"
    return PolicyProblem(file.path, None, file.group, message)


def _groups(groups: tuple[str, ...]) -> str:
    return f"expected one of {', '.join(groups)}" if groups else "the file has no groups"
