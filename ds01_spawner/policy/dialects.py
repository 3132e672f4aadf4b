"""Older spellings of policy keys: what each means today.

Three dialects have been in use: one counts MIG instances, one counts whole GPUs, one comes from
systemd and numbers of hours. They share one table here, and may be mixed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from ds01_spawner.domain.errors import PolicyProblem
from ds01_spawner.policy.document import Document, found
from ds01_spawner.policy.yaml_reader import Blank, KeyPath

Convert = Callable[[object], object]

_NUMBER = re.compile(r"^[+-]?\d+(\.\d+)?$", re.ASCII)
_PERCENT = re.compile(r"^[+-]?\d+(\.\d+)? ?%$", re.ASCII)


def same(value: object) -> object:
    """The value as it is: only the key is older."""
    return value


def hours(value: object) -> object:
    """`48` hours as `48h`."""
    if value is None or isinstance(value, Blank):
        return value
    if not isinstance(value, str) or _NUMBER.match(value) is None:
        raise ValueError(f"expected a number of hours such as 48; found {found(value)}")
    return f"{value}h"


def percent_of_cpu(value: object) -> object:
    """`9600%` as 96 CPUs."""
    if value is None or isinstance(value, Blank):
        return value
    if not isinstance(value, str) or _PERCENT.match(value) is None:
        raise ValueError(f"expected a share of one CPU such as 400% for four; found {found(value)}")
    cpus = Fraction(value.rstrip("% ")) / 100
    return f"{float(cpus):.6f}".rstrip("0").rstrip(".")


@dataclass(frozen=True, slots=True)
class Spelling:
    """What an older key is called today, and how its value reads."""

    new: str
    convert: Convert = same


_LIFECYCLE = {
    "max_runtime_hours": Spelling("max_runtime", hours),
    "max_runtime_h": Spelling("max_runtime", hours),
    "runtime": Spelling("max_runtime"),
    "idle_timeout_h": Spelling("idle_timeout", hours),
    "gpu_hold_after_stop_h": Spelling("gpu_hold_after_stop", hours),
    "container_hold_after_stop_h": Spelling("container_hold_after_stop", hours),
}
LIFECYCLE_SPELLINGS: Mapping[str, Spelling] = MappingProxyType(_LIFECYCLE)
LIMIT_SPELLINGS: Mapping[str, Spelling] = MappingProxyType(
    {
        "max_mig_instances": Spelling("max_gpu_slots"),
        "gpu_limit": Spelling("max_gpu_slots"),
        "gpus": Spelling("max_gpu_slots"),
        "gpu": Spelling("max_gpu_slots"),
        "max_gpus_per_user": Spelling("max_gpu_slots"),
        "max_mig_per_container": Spelling("max_gpu_slots_per_container"),
        "max_gpus_per_container": Spelling("max_gpu_slots_per_container"),
        "cpus": Spelling("max_cpus"),
        "cpu_limit": Spelling("max_cpus"),
        "cpu": Spelling("max_cpus"),
        "memory_limit": Spelling("memory"),
        **_LIFECYCLE,
    }
)
AGGREGATE_SPELLINGS: Mapping[str, Spelling] = MappingProxyType(
    {
        "cpu_quota": Spelling("cpus", percent_of_cpu),
        "memory_max": Spelling("memory"),
        "tasks_max": Spelling("pids"),
    }
)
FILE_SPELLINGS: Mapping[str, Spelling] = MappingProxyType({"user_overrides": Spelling("users")})
WHOLE_GPU_KEYS = frozenset({"gpu_limit", "gpus", "gpu"})
"""Keys that count whole GPUs; where the file is silent they imply `allow_full_gpu`."""

PER_USER_KEY = "max_containers_per_user"
"""Stands under the top-level `policies` in older files."""


@dataclass(frozen=True, slots=True)
class OldSpelling:
    """An older key that a file uses.

    Attributes:
        path: The file.
        line: First line where it stands.
        old: What stands there.
        new: What it is called today.
        places: How often it stands there.
        implies: What else it says, in words; usually nothing.
    """

    path: str
    line: int | None
    old: str
    new: str
    places: int = 1
    implies: str = ""

    def __str__(self) -> str:
        times = f" ({self.places} places)" if self.places > 1 else ""
        implied = f"; {self.implies}" if self.implies else ""
        return (
            f"{self.path}:{self.line}: {self.old} is an older spelling of {self.new}"
            f"{times}{implied}"
        )


@dataclass(frozen=True, slots=True)
class Translation:
    """A file in canonical spelling, with what was not, and what could not be read."""

    document: Document
    old_spellings: tuple[OldSpelling, ...]
    problems: tuple[PolicyProblem, ...]


def translate(document: Document) -> Translation:
    """`document` with every older spelling replaced by today's."""
    return _Translator(document).translation()


def limit_mappings(data: Mapping[str, object]) -> Iterator[tuple[KeyPath, Mapping[str, object]]]:
    """Every mapping that holds limits: the defaults, each group, each user; keys are today's."""
    if isinstance(defaults := data.get("defaults"), dict):
        yield ("defaults",), defaults
    for section in ("groups", "users"):
        if isinstance(named := data.get(section), dict):
            for name, limits in named.items():
                if isinstance(limits, dict):
                    yield (section, name), limits


class _Translator:
    def __init__(self, document: Document) -> None:
        self._document = document
        self._moved: dict[KeyPath, KeyPath] = {}
        self._seen: dict[tuple[str, str], OldSpelling] = {}
        self._problems: list[PolicyProblem] = []

    def translation(self) -> Translation:
        data = self._renamed(self._document.data, (), FILE_SPELLINGS)
        full_gpu_decided = any("allow_full_gpu" in limits for _, limits in limit_mappings(data))
        for name in ("groups", "users"):
            if isinstance(named := data.get(name), dict):
                data[name] = {
                    key: self._limits(value, (name, key), full_gpu_decided=full_gpu_decided)
                    for key, value in named.items()
                }
        if "defaults" in data:
            data["defaults"] = self._limits(
                data["defaults"], ("defaults",), full_gpu_decided=full_gpu_decided
            )
        if "container_types" in data:
            data["container_types"] = self._types(data["container_types"], ("container_types",))
        self._move_per_user_key(data)
        document = self._document
        return Translation(
            Document(document.path, data, document.lines, self._moved),
            tuple(sorted(self._seen.values(), key=lambda each: each.line or 0)),
            tuple(self._problems),
        )

    def _limits(self, value: object, path: KeyPath, *, full_gpu_decided: bool) -> object:
        if not isinstance(value, dict):
            return value
        limits = value
        if not LIMIT_SPELLINGS.keys().isdisjoint(value):
            limits = self._renamed(value, path, LIMIT_SPELLINGS)
            if not full_gpu_decided and (whole := WHOLE_GPU_KEYS.intersection(value)):
                self._imply_full_gpu(limits, path, min(whole))
        if "aggregate" in limits:
            inner = self._section(limits["aggregate"], (*path, "aggregate"), AGGREGATE_SPELLINGS)
            limits = {**limits, "aggregate": inner}
        if "container_types" in limits:
            inner = self._types(limits["container_types"], (*path, "container_types"))
            limits = {**limits, "container_types": inner}
        return limits

    def _imply_full_gpu(self, limits: dict[str, object], path: KeyPath, old: str) -> None:
        limits["allow_full_gpu"] = "true"
        self._moved[(*path, "allow_full_gpu")] = (*self._place(path), old)
        seen = self._seen[(old, "max_gpu_slots")]
        self._seen[(old, "max_gpu_slots")] = OldSpelling(
            seen.path,
            seen.line,
            seen.old,
            seen.new,
            seen.places,
            "it counts whole GPUs, so it implies allow_full_gpu: true",
        )

    def _types(self, value: object, path: KeyPath) -> object:
        if not isinstance(value, dict):
            return value
        return {
            name: self._section(inner, (*path, name), LIFECYCLE_SPELLINGS)
            for name, inner in value.items()
        }

    def _section(self, value: object, path: KeyPath, spellings: Mapping[str, Spelling]) -> object:
        if not isinstance(value, dict) or spellings.keys().isdisjoint(value):
            return value
        return self._renamed(value, path, spellings)

    def _renamed(
        self, mapping: Mapping[str, object], path: KeyPath, spellings: Mapping[str, Spelling]
    ) -> dict[str, object]:
        renamed: dict[str, object] = {}
        written: dict[str, str] = {}
        for key, value in mapping.items():
            spelling = spellings.get(key)
            new = key if spelling is None else spelling.new
            place = (*self._place(path), key)
            if new in written:
                self._twice(new, written[new], place)
                continue
            written[new] = key
            if spelling is None:
                renamed[key] = value
                continue
            self._moved[(*path, new)] = place
            self._report(key, new, place)
            try:
                renamed[new] = spelling.convert(value)
            except ValueError as exc:
                self._problems.append(self._document.problem(place, str(exc)))
        return renamed

    def _move_per_user_key(self, data: dict[str, object]) -> None:
        policies, defaults = data.get("policies"), data.get("defaults", {})
        if not isinstance(policies, dict) or PER_USER_KEY not in policies:
            return
        place = ("policies", PER_USER_KEY)
        self._report(".".join(place), f"defaults.{PER_USER_KEY}", place)
        data["policies"] = {key: value for key, value in policies.items() if key != PER_USER_KEY}
        if not isinstance(defaults, dict):
            return
        if PER_USER_KEY in defaults:
            self._twice(PER_USER_KEY, PER_USER_KEY, place, ("defaults", PER_USER_KEY))
            return
        self._moved[("defaults", PER_USER_KEY)] = place
        data["defaults"] = {**defaults, PER_USER_KEY: policies[PER_USER_KEY]}

    def _place(self, path: KeyPath) -> KeyPath:
        return Document("", {}, {}, self._moved).place(path) if self._moved else path

    def _report(self, old: str, new: str, place: KeyPath) -> None:
        line = self._document.line(place)
        before = self._seen.get((old, new))
        if before is None:
            self._seen[(old, new)] = OldSpelling(self._document.path, line, old, new)
            return
        first = min(before.line or 0, line or 0)
        self._seen[(old, new)] = OldSpelling(
            before.path, first, old, new, before.places + 1, before.implies
        )

    def _twice(self, new: str, first: str, place: KeyPath, other: KeyPath = ()) -> None:
        line = self._document.line(other or (*place[:-1], first))
        message = f"this says {new}, and so does {first} on line {line}; keep one of them"
        self._problems.append(self._document.problem(place, message))
