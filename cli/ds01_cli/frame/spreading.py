"""Flags that several commands share: a dataclass whose fields are options, as typer takes them.

```
@dataclass(frozen=True)
class Looks:
    colour: Annotated[str, typer.Option(help="Which.")] = "red"

def paint(*, looks: Looks) -> None: ...     # ds01 paint --colour blue
```
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints


def spread(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, taking the fields of each dataclass among its parameters one by one."""
    hints = get_type_hints(function, include_extras=True)
    kinds = {name: kind for name, kind in hints.items() if _is_dataclass(kind)}
    kinds.pop("return", None)
    if not kinds:
        return function
    names = {name: [each.name for each in fields(kind)] for name, kind in kinds.items()}

    @wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        for name, kind in kinds.items():
            kwargs[name] = kind(**{each: kwargs.pop(each) for each in names[name]})
        return function(*args, **kwargs)

    own = inspect.signature(function)
    parameters: list[inspect.Parameter] = []
    for each in own.parameters.values():
        kind = kinds.get(each.name)
        parameters += [each] if kind is None else _options(kind)
    command.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined] # inspect reads it
    command.__annotations__ = _annotations(parameters, hints)
    return command


def _is_dataclass(kind: object) -> bool:
    return isinstance(kind, type) and is_dataclass(kind)


def _options(kind: type) -> list[inspect.Parameter]:
    hints = get_type_hints(kind, include_extras=True)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=each.default,
            annotation=hints[each.name],
        )
        for each in fields(kind)
    ]


def _annotations(parameters: list[inspect.Parameter], hints: Mapping[str, Any]) -> dict[str, Any]:
    found = {each.name: hints.get(each.name, each.annotation) for each in parameters}
    return found | {"return": hints.get("return")}
