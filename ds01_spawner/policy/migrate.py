"""Rewrites a policy file in today's spelling, touching nothing but what is older.

The edits are made in the text itself, at the places that the YAML parser names, so that comments,
order, quotes and blank lines stay as somebody wrote them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from ds01_spawner.domain.errors import PolicyError, PolicyProblem
from ds01_spawner.policy.dialects import (
    AGGREGATE_SPELLINGS,
    FILE_SPELLINGS,
    LIFECYCLE_SPELLINGS,
    LIMIT_SPELLINGS,
    PER_USER_KEY,
    WHOLE_GPU_KEYS,
    OldSpelling,
    Spelling,
)
from ds01_spawner.policy.loading import load_file

_INDENT = "  "
_NULLS = frozenset({"null", "Null", "NULL", "~"})


@dataclass(frozen=True, slots=True, order=True)
class _Edit:
    """Put `text` in place of the characters from `start` to `end`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Migration:
    """A policy file before and after.

    Attributes:
        before: The text as it was.
        after: The same policy in today's spelling.
        old_spellings: What was replaced; empty when there was nothing to do.
    """

    before: str
    after: str
    old_spellings: tuple[OldSpelling, ...]


def migrate(text: str, path: str) -> Migration:
    """The same policy in today's spelling.

    Raises:
        PolicyError: The file is not valid, or an alias in it stands for values that have to become
            different ones.
    """
    _, before, old_spellings = load_file(text, path)
    if not old_spellings:
        return Migration(text, text, ())
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    after = mark + _rewrite(text.removeprefix(mark))
    try:
        _, again, left = load_file(after, path)
    except PolicyError:
        again, left = None, ()
    if left or again != before:
        raise PolicyError(
            (
                PolicyProblem(
                    path,
                    old_spellings[0].line,
                    old_spellings[0].old,
                    "this file cannot be rewritten by itself: an alias (*name) or a merge (<<) "
                    "stands in the way; write its values out and try again",
                ),
            )
        )
    return Migration(text, after, old_spellings)


def _rewrite(text: str) -> str:
    edits = sorted(set(_Editor(text).edits()), reverse=True)
    for edit in edits:
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


class _Editor:
    """Finds the edits. The text has been read before, so it is valid and not deep."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._newline = "\r\n" if "\r\n" in text else "\n"
        self._root = yaml.compose(text, Loader=yaml.CSafeLoader)

    def edits(self) -> Iterator[_Edit]:
        root = self._root
        yield from self._renames(root, FILE_SPELLINGS)
        silent = all(
            _get(limits, "allow_full_gpu") is None for limits in self._limit_mappings(root)
        )
        for limits in self._limit_mappings(root):
            yield from self._limits(limits, full_gpu_implied=silent)
        if (types := _get(root, "container_types")) is not None:
            yield from self._types(types)
        yield from self._moved_key(root)

    def _limit_mappings(self, root: yaml.Node | None) -> Iterator[yaml.Node]:
        if (defaults := _get(root, "defaults")) is not None:
            yield defaults
        for name in ("groups", "users", "user_overrides"):
            if (section := _get(root, name)) is not None:
                for _, limits in _entries(section):
                    yield limits

    def _limits(self, limits: yaml.Node, *, full_gpu_implied: bool) -> Iterator[_Edit]:
        yield from self._renames(limits, LIMIT_SPELLINGS)
        if full_gpu_implied:
            for key, value in _entries(limits):
                if key.value in WHOLE_GPU_KEYS:
                    yield self._beside(limits, key, value, "allow_full_gpu: true")
        if (aggregate := _get(limits, "aggregate")) is not None:
            yield from self._renames(aggregate, AGGREGATE_SPELLINGS)
        if (types := _get(limits, "container_types")) is not None:
            yield from self._types(types)

    def _types(self, types: yaml.Node) -> Iterator[_Edit]:
        for _, timeouts in _entries(types):
            yield from self._renames(timeouts, LIFECYCLE_SPELLINGS)

    def _renames(
        self, mapping: yaml.Node | None, spellings: Mapping[str, Spelling]
    ) -> Iterator[_Edit]:
        for key, value in _entries(mapping):
            if (spelling := spellings.get(key.value)) is None:
                continue
            yield _Edit(key.start_mark.index, key.end_mark.index, spelling.new)
            if not isinstance(value, yaml.ScalarNode) or (
                not value.style and value.value in _NULLS
            ):
                continue
            converted = spelling.convert(value.value)
            if converted != value.value:
                yield _Edit(value.start_mark.index, value.end_mark.index, str(converted))

    def _beside(self, mapping: yaml.Node, key: yaml.Node, value: yaml.Node, entry: str) -> _Edit:
        """`entry` after another one of the same mapping."""
        end = value.end_mark.index
        if _is_flow(mapping):
            return _Edit(end, end, f", {entry}")
        end = self._line_end(end)
        return _Edit(end, end, f"{self._newline}{' ' * key.start_mark.column}{entry}")

    def _moved_key(self, root: yaml.Node | None) -> Iterator[_Edit]:
        """Edits that take `max_containers_per_user` from `policies` to `defaults`."""
        policies, defaults = _get(root, "policies"), _get(root, "defaults")
        if policies is None:
            return
        found = [entry for entry in _entries(policies) if entry[0].value == PER_USER_KEY]
        if not found:
            return
        ((key, value),) = found
        section = next(each for each, _ in _entries(root) if each.value == "policies")
        if defaults is None and len(list(_entries(policies))) == 1:
            yield _Edit(section.start_mark.index, section.end_mark.index, "defaults")
            return
        yield self._removal(policies, key, value)
        plain = self._text[key.start_mark.index : value.end_mark.index]
        whole = self._text[key.start_mark.index : self._entry_end(policies, value)]
        if defaults is not None and list(_entries(defaults)):
            yield self._first(defaults, plain, whole)
        elif defaults is not None:
            name = next(each for each, _ in _entries(root) if each.value == "defaults")
            start = name.end_mark.index
            yield _Edit(start, max(defaults.end_mark.index, start + 1), f": {{{plain}}}")
        else:
            start = section.start_mark.index
            line = f"defaults:{self._newline}{_INDENT}{whole}{self._newline}"
            yield _Edit(start, start, f"defaults: {{{plain}}}, " if _is_flow(root) else line)

    def _entry_end(self, mapping: yaml.Node, value: yaml.Node) -> int:
        """The end of an entry, with the comment that follows it on its line."""
        end: int = value.end_mark.index
        return end if _is_flow(mapping) else self._line_end(end)

    def _removal(self, mapping: yaml.Node, key: yaml.Node, value: yaml.Node) -> _Edit:
        if not _is_flow(mapping):
            start = key.start_mark.index - key.start_mark.column
            end = self._line_end(value.end_mark.index)
            return _Edit(start, min(end + len(self._newline), len(self._text)), "")
        keys = [each for each, _ in _entries(mapping)]
        place = keys.index(key)
        if place + 1 < len(keys):
            return _Edit(key.start_mark.index, keys[place + 1].start_mark.index, "")
        if place:
            before = list(_entries(mapping))[place - 1][1]
            return _Edit(before.end_mark.index, value.end_mark.index, "")
        return _Edit(key.start_mark.index, value.end_mark.index, "")

    def _first(self, mapping: yaml.Node, plain: str, whole: str) -> _Edit:
        """An entry before all others: `plain` in braces, `whole` on a line of its own."""
        key, _ = next(_entries(mapping))
        start = key.start_mark.index
        line = f"{whole}{self._newline}{' ' * key.start_mark.column}"
        return _Edit(start, start, f"{plain}, " if _is_flow(mapping) else line)

    def _line_end(self, index: int) -> int:
        end = self._text.find("\n", index)
        if end < 0:
            return len(self._text)
        return end - 1 if self._text[end - 1 : end] == "\r" else end


def _entries(node: yaml.Node | None) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """The entries of a mapping; none for anything else.

    What it merges is not among them: the merged mapping is one of the others.
    """
    if isinstance(node, yaml.MappingNode):
        yield from (pair for pair in node.value if pair[0].tag != "tag:yaml.org,2002:merge")


def _get(node: yaml.Node | None, name: str) -> yaml.Node | None:
    return next((value for key, value in _entries(node) if key.value == name), None)


def _is_flow(node: yaml.Node | None) -> bool:
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)
