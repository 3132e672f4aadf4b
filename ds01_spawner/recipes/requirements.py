"""Packages that a project lists: `requirements.txt`, `environment.yml`, `pyproject.toml`.

A `requirements.txt` is read by pip itself, whenever the image is built; it is checked here so that
what cannot work is told before the build, with its line. The other two are said anew in its words.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

import yaml
from packaging.requirements import InvalidRequirement, Requirement

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.domain.names import shown
from ds01_spawner.recipes.packages import pip_package

_INCLUDE = re.compile(r"(?:-r|-c|--requirement|--constraint)(?:\s+|=|(?=[^\s-]))(?P<name>\S+)")
_LOCAL = re.compile(r"-e\b|--editable\b|\.{0,2}/|\.{1,2}(?:\[|$|\s)|file:")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_HASH = re.compile(r"\s--(?:hash|config-settings?|global-option)[= ].*$")
_CONDA = re.compile(
    r"(?:[\w.-]+::)?(?P<name>[A-Za-z0-9_.-]+?)\s*(?P<version>(?:[=<>!~].*)|(?:\s+[\d.*]+.*))?"
)
_PIP_NAMES = {"pytorch": "torch", "opencv": "opencv-python-headless", "msgpack-python": "msgpack"}
_NOT_FOR_PIP = frozenset(
    {"cudatoolkit", "cudnn", "mkl", "openssl", "pip", "python", "pytorch-cuda", "setuptools"}
)
_LONGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Listed:
    """What a file lists.

    Attributes:
        packages: In pip's words.
        includes: Other files that it names, which have to be there as well.
        notes: What was left out or is meant otherwise, in sentences.
    """

    packages: tuple[str, ...]
    includes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def listed(name: str, text: str) -> Listed:
    """What a file lists, by its name.

    Raises:
        InvalidRequest: It is of no kind that is known, or wrong in a line.
    """
    if len(text) > _LONGEST:
        raise InvalidRequest(f"{name} is too long.")
    suffix = PurePosixPath(name).suffix.lower()
    if PurePosixPath(name).name == "pyproject.toml":
        return _pyproject(name, text)
    if suffix in {".yml", ".yaml"}:
        return _environment(name, text)
    if suffix in {".txt", ".in", ".lock"}:
        return _requirements(name, text)
    raise InvalidRequest(
        f"{shown(name)} is no list of packages.",
        "Give a requirements.txt, an environment.yml or a pyproject.toml.",
    )


def as_text(found: Listed, source: str) -> str:
    """A file for pip of what another one lists."""
    head = (
        f"# Made from {source} by ds01, and made anew with the image: change that file, not this.",
    )
    return "\n".join([*head, *found.packages, ""])


def _requirements(name: str, text: str) -> Listed:
    packages: list[str] = []
    includes: list[str] = []
    for number, line in _logical_lines(text):
        place = f"{name}, line {number}"
        if match := _INCLUDE.fullmatch(line):
            includes.append(_included(place, match["name"]))
        elif _LOCAL.match(line):
            raise InvalidRequest(
                f"{place}: {shown(line)} is code on your disk, which is not there in the build.",
                "Leave the line out: your own code is in the workspace, where it is changed too.",
            )
        elif line.startswith("-") or "://" in line:
            packages.append(line)
        else:
            packages.append(_checked(place, line))
    return Listed(tuple(packages), tuple(includes))


def _logical_lines(text: str) -> Iterable[tuple[int, str]]:
    began, joined = 0, ""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        began = began or number
        plain = _COMMENT.sub("", line).rstrip()
        joined += plain.removesuffix("\\")
        if plain.endswith("\\"):
            continue
        if joined.strip():
            yield began, joined.strip()
        began, joined = 0, ""
    if joined.strip():
        yield began, joined.strip()


def _included(place: str, name: str) -> str:
    path = PurePosixPath(name.strip("\"'"))
    if path.is_absolute() or ".." in path.parts or "://" in name:
        raise InvalidRequest(
            f"{place}: {shown(name)} is not in the project's folder.", "Copy it there."
        )
    return str(path)


def _checked(place: str, line: str) -> str:
    try:
        Requirement(_HASH.sub("", line))
    except InvalidRequirement as exc:
        raise InvalidRequest(
            f"{place}: {shown(line)} is not a package that pip knows how to read.",
            "Write a name, with or without a version: numpy, numpy==2.1.0, numpy>=1.26,<3.",
        ) from exc
    return line


def _pyproject(name: str, text: str) -> Listed:
    try:
        project = tomllib.loads(text).get("project", {})
        wanted = project.get("dependencies", [])
    except (tomllib.TOMLDecodeError, AttributeError) as exc:
        raise InvalidRequest(f"{name} cannot be read: {exc}.") from exc
    if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
        raise InvalidRequest(f"{name}: project.dependencies is not a list of packages.")
    notes = []
    if not wanted:
        notes.append(f"{name} lists no packages under project.dependencies.")
    if project.get("optional-dependencies"):
        notes.append(f"{name}: optional dependencies are left out; add those you need.")
    packages = tuple(_checked(f"{name}, project.dependencies", each) for each in wanted)
    return Listed(packages, notes=tuple(notes))


def _environment(name: str, text: str) -> Listed:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise InvalidRequest(f"{name} cannot be read: {exc}.") from exc
    wanted = document.get("dependencies") if isinstance(document, dict) else None
    if not isinstance(wanted, list):
        raise InvalidRequest(f"{name} has no list of dependencies.")
    packages: list[str] = []
    notes: list[str] = []
    for each in wanted:
        if isinstance(each, dict) and isinstance(each.get("pip"), list):
            lines = "\n".join(str(line) for line in each["pip"])
            packages += _requirements(f"{name}, pip", lines).packages
        elif isinstance(each, str):
            package, note = _of_conda(name, each)
            packages += [package] * bool(package)
            notes += [note] * bool(note)
        else:
            raise InvalidRequest(f"{name}: {shown(each)} is not a package.")
    return Listed(tuple(packages), notes=tuple(notes))


def _of_conda(file: str, text: str) -> tuple[str, str]:
    """A package of conda's for pip, and what to know about that."""
    match = _CONDA.fullmatch(text.strip())
    if match is None:
        raise InvalidRequest(f"{file}: {shown(text)} is not a package.")
    name, version = match["name"], (match["version"] or "").strip()
    if name.lower() in _NOT_FOR_PIP:
        return "", f"{text} is left out: the image has its own {name}."
    # `=1.26` and `=1.26=py311_0` are conda's: a version that begins so, and a build of it.
    if re.match(r"=?[\d]", version) and not version.startswith("=="):
        version = version.lstrip("= ").partition("=")[0].rstrip(".*")
        version = f"=={version}.*"
    elif version.startswith("=="):
        version = "==" + version[2:].partition("=")[0]
    for_pip = _PIP_NAMES.get(name.lower(), name)
    note = f"{name} is called {for_pip} by pip." if for_pip != name else ""
    return pip_package(f"{for_pip}{version}"), note
