"""Packages that somebody installed in a container: what is there now, and was not in its image."""

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.utils import canonicalize_name

from ds01_spawner.domain.errors import InvalidRequest
from ds01_spawner.recipes.dockerfile import ENVIRONMENT, PACKAGE_LIST
from ds01_spawner.recipes.packages import pip_package

_MARK = "--ds01--"

_LIST = "-m pip list --format=freeze --disable-pip-version-check"
_SCRIPT = f"""\
cat {PACKAGE_LIST} 2>/dev/null; echo {_MARK}
python={ENVIRONMENT}/bin/python; [ -x $python ] || python=python3
$python {_LIST} 2>/dev/null; echo {_MARK}
$python {_LIST} --not-required 2>/dev/null
"""
LOOK = ("sh", "-c", _SCRIPT)
"""What is run in a container; `installed` reads what it prints."""


@dataclass(frozen=True, slots=True)
class Change:
    """A package that is not as it was in the image.

    Attributes:
        package: As pip takes it: `numpy==2.1.0`.
        before: Its version in the image; empty where it was not there.
    """

    package: str
    before: str = ""


def installed(printed: str) -> tuple[Change, ...]:
    """Packages that were installed, or brought to another version, since the image was made.

    Packages that came along because another needs them are left out.

    Raises:
        InvalidRequest: The container's image does not tell what was in it.
    """
    parts = printed.split(f"{_MARK}\n")
    if len(parts) != 3:  # noqa: PLR2004 - the three lists of LOOK
        raise InvalidRequest("The container has no Python that could be asked.")
    before, now, wanted = (_versions(part.splitlines()) for part in parts)
    if not before:
        raise InvalidRequest(
            "The container's image does not tell what was in it.",
            "Only what was installed in containers of images made by ds01 image create can be told "
            "apart; add packages by name: ds01 image update NAME --add PACKAGE.",
        )
    changed = (name for name in now if now[name] != before.get(name))
    return tuple(
        Change(f"{name}=={now[name]}", before.get(name, ""))
        for name in changed
        if (name in wanted or name in before) and _is_package(f"{name}=={now[name]}")
    )


def _versions(lines: Iterable[str]) -> dict[str, str]:
    found = (line.strip().partition("==") for line in lines)
    return {canonicalize_name(name): version for name, equals, version in found if equals}


def _is_package(text: str) -> bool:
    try:
        pip_package(text)
    except InvalidRequest:
        return False
    return True
