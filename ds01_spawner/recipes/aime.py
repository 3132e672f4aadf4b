"""AIME ML Containers' catalogue, `ml_images.repo`: rows of framework, version, GPUs, image.

    Pytorch, 2.11.0-aime, [CUDA_BLACKWELL;CUDA_ADA], aimehub/pytorch-2.11.0-aime-cuda12.9.1
    Tensorflow, 2.16.1, CUDA_ADA, aimehub/tensorflow-2.16.1-cuda12.3

A framework and version may have several rows, one for each generation of GPUs.
"""

import re
from dataclasses import dataclass, replace

from ds01_spawner.recipes.catalogue import Framework

_ROW = re.compile(
    r"(?P<name>[^,\[\]]+),(?P<version>[^,\[\]]+),(?P<gpus>\s*\[[^\[\]]*\]\s*|[^,\[\]]*),"
    r"(?P<image>[^,\[\]]+)"
)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_IMAGE = re.compile(r"[a-z0-9][A-Za-z0-9._:/@-]*")
_FAMILIES = frozenset({"pytorch", "tensorflow", "jax"})
_PLAIN = "CUDA"


@dataclass(frozen=True, slots=True)
class Rows:
    """A file, read.

    Attributes:
        frameworks: In the order of the file, which has the newest first.
        problems: What could not be read, with its line.
    """

    frameworks: tuple[Framework, ...]
    problems: tuple[str, ...] = ()


def read_rows(text: str, architecture: str = "") -> Rows:
    """The frameworks that a `ml_images.repo` lists.

    Lines that cannot be read are told of and left out: the file comes from somewhere else and
    changes there, and what it says otherwise still holds.

    Args:
        text: The file.
        architecture: Generation of this server's GPUs, such as `CUDA_ADA`: rows for other ones are
            left out, and so are older ones where the same version is there for this one. Empty:
            all rows.
    """
    frameworks: list[Framework] = []
    problems: list[str] = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        row = line.partition("#")[0].strip()
        if not row:
            continue
        found = _framework(row)
        if found is None:
            problems.append(f"line {number}: expected framework, version, GPUs, image")
        elif _suits(found, architecture):
            frameworks.append(found)
    return Rows(_with_own_keys(frameworks), tuple(problems))


def _framework(row: str) -> Framework | None:
    match = _ROW.fullmatch(row)
    if match is None:
        return None
    name, version, image = (match[part].strip() for part in ("name", "version", "image"))
    gpus = [each.strip() for each in re.split(r"[;,\s]", match["gpus"].strip().strip("[]"))]
    architectures = tuple(dict.fromkeys(each for each in gpus if each))
    words = (name, version, *architectures)
    if not all(map(_WORD.fullmatch, words)) or not _IMAGE.fullmatch(image) or not architectures:
        return None
    family = name.lower()
    return Framework(
        key=f"{family}-{version.lower()}",
        title=f"{name} {version}",
        base=_with_tag(image),
        description=f"AIME's image, for {', '.join(architectures)}.",
        family=family if family in _FAMILIES else "",
        gpu=True,
        version=version,
        architectures=architectures,
    )


def _suits(framework: Framework, architecture: str) -> bool:
    return not architecture or bool({architecture, _PLAIN} & set(framework.architectures))


def _with_own_keys(frameworks: list[Framework]) -> tuple[Framework, ...]:
    """Each once: a second image of the same version is called by its generation of GPUs as well."""
    by_key: dict[str, Framework] = {}
    for each in frameworks:
        there = by_key.get(each.key)
        if there is None:
            by_key[each.key] = each
        elif there.base == each.base:
            both = tuple(dict.fromkeys((*there.architectures, *each.architectures)))
            by_key[each.key] = replace(there, architectures=both)
        else:
            gpus = each.architectures[0]
            key = f"{each.key}-{gpus.lower()}"
            by_key.setdefault(key, replace(each, key=key, title=f"{each.title} ({gpus})"))
    return tuple(by_key.values())


def _with_tag(image: str) -> str:
    last = image.rpartition("/")[2]
    return image if ":" in last or "@" in last else f"{image}:latest"
