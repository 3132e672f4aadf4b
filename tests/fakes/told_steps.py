"""Which steps of `--guided` a command's code may tell: read from its source."""

import ast
import importlib.util
from functools import cache
from pathlib import Path

PACKAGE = "ds01_cli"


class NotLiteral(AssertionError):
    """A step is told whose name is not written where it is told."""


def steps_of(module: str, function: str) -> set[str]:
    """Steps told by a function, and by whatever of the program it refers to."""
    found: set[str] = set()
    todo, seen = [(module, function)], set()
    while todo:
        place = todo.pop()
        if place in seen:
            continue
        seen.add(place)
        source = _source(place[0])
        node = source.definitions.get(place[1])
        if node is None:
            continue
        names = {**source.imports, **_imports(node)}
        for each in ast.walk(node):
            if isinstance(each, ast.Call) and _is_tell(each.func):
                found.add(_literal(each))
            todo += _referred(each, place[0], names)
    return found


class _Source:
    def __init__(self, tree: ast.Module) -> None:
        self.imports = _imports(tree, deep=False)
        self.definitions: dict[str, ast.AST] = {}
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
                self.definitions[node.name] = node
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self.definitions[target.id] = node


@cache
def _source(module: str) -> _Source:
    spec = importlib.util.find_spec(module)
    assert spec is not None, module
    assert spec.origin is not None, module
    return _Source(ast.parse(Path(spec.origin).read_text("utf-8")))


def _imports(tree: ast.AST, *, deep: bool = True) -> dict[str, tuple[str, str]]:
    """Names that stand for something of the program: where it is, and what it is called there."""
    nodes = ast.walk(tree) if deep else iter(getattr(tree, "body", []))
    found = {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            for name in node.names:
                found[name.asname or name.name] = (str(node.module), name.name)
    return found


def _referred(
    node: ast.AST, module: str, names: dict[str, tuple[str, str]]
) -> list[tuple[str, str]]:
    if isinstance(node, ast.Name):
        return [names.get(node.id, (module, node.id))]
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        place = names.get(node.value.id)
        if place is not None and _is_module(".".join(place)):
            return [(".".join(place), node.attr)]
    return []


@cache
def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _is_tell(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr == "tell"
        and isinstance(function.value, ast.Name)
        and function.value.id == "guide"
    )


def _literal(call: ast.Call) -> str:
    step = call.args[0]
    if not isinstance(step, ast.Constant):
        raise NotLiteral(ast.unparse(call))
    return str(step.value)
