"""`ds01 health`: everything that an administrator would look at."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

from ds01_cli.frame import guide, printing, session
from ds01_cli.frame.flags import Json
from ds01_cli.frame.platform_files import platform_is_open
from ds01_cli.frame.printing import counted
from ds01_spawner.domain.health import Level
from ds01_spawner.domain.wording import clean

_LONGEST = 2000
_WORST_FIRST = (Level.FAIL, Level.WARN, Level.OK)


def health(
    *,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit with 1 for warnings, too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check every part of the platform, and say what to do."""
    guide.tell("look")
    found = _read()
    parts: Sequence[Mapping[str, Any]] = found["parts"]
    levels = [each["level"] for each in parts]
    if as_json:
        printing.print_json(found)
    else:
        printing.say(*_told(parts))
        guide.tell("read")
    if Level.FAIL in levels or (strict and Level.WARN in levels):
        raise typer.Exit(1)


def _read() -> Mapping[str, Any]:
    if platform_is_open():
        from ds01_cli.health import direct  # noqa: PLC0415 - it loads the platform

        return direct.health()
    with session.connect() as client:
        return client.health().model_dump(mode="json")


def _told(parts: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    counts = dict.fromkeys(_WORST_FIRST, 0)
    for level in _WORST_FIRST:
        for part in parts:
            if part["level"] == level:
                counts[level] += 1
                step = clean(" ".join(part["next_step"].split()), _LONGEST)
                what = clean(" ".join(part["detail"].split()), _LONGEST)
                yield f"{level:<4}  {part['name']}: {what}{f' → {step}' if step else ''}"
    yield (
        f"{counted(len(parts), 'check')}: {counts[Level.OK]} ok, "
        f"{counted(counts[Level.WARN], 'warning')}, {counted(counts[Level.FAIL], 'failure')}."
    )
