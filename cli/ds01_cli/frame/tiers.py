"""The four tiers of help of every command: `--help`, `--info`, `--concepts`, `--guided`."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from ds01_cli.frame import guide
from ds01_cli.frame.spreading import spread


def tiered(function: Callable[..., Any], words: str) -> Callable[..., Any]:
    """`function` with the options of the tiers after its own.

    Args:
        function: A command, as typer takes it.
        words: What it is called below `ds01`, such as `container deploy`.
    """
    function = spread(function)
    hints = get_type_hints(function, include_extras=True)
    own = inspect.signature(function)
    parameters = [
        each.replace(annotation=hints.get(each.name, each.annotation))
        for each in own.parameters.values()
    ]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in _tiers(words).items()
    ]

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        for each in added:
            kwargs.pop(each.name, None)
        return function(*args, **kwargs)

    signature = own.replace(parameters=[*parameters, *added])
    command.__signature__ = signature  # type: ignore[attr-defined] # inspect reads it
    command.__annotations__ = {
        each.name: each.annotation for each in signature.parameters.values()
    } | {"return": hints.get("return")}
    return command


def _tiers(words: str) -> dict[str, Any]:
    def show(tier: str) -> Callable[[bool], None]:
        def shown(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag
            if wanted:
                from ds01_cli.frame import pages  # noqa: PLC0415 - only where it is read

                pages.show(words, tier)
                raise typer.Exit

        return shown

    def begin(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag
        guide.begin(words if wanted else None)

    return {
        "tier_info": _flag("--info", "Everything about it, with examples.", show("info")),
        "tier_concepts": _flag("--concepts", "What is behind it, and why.", show("concepts")),
        "tier_guided": _flag("--guided", "Explain each step while doing it.", begin),
    }


def _flag(name: str, text: str, callback: Callable[[bool], None]) -> Any:
    return Annotated[bool, typer.Option(name, help=text, is_eager=True, callback=callback)]
