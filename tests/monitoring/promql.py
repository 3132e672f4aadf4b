"""Which metrics an expression asks for, and which labels what it answers has.

The rules of matching: https://prometheus.io/docs/prometheus/latest/querying/operators/#vector-matching
"""

from collections.abc import Mapping

import promql_parser as promql

Labels = frozenset[str]
NONE: Labels = frozenset()
_OF_NOTHING = frozenset({"time", "vector", "scalar", "pi"})
_SETS = frozenset({"and", "or", "unless"})
_WITH_PARAMETER = frozenset({"topk", "bottomk"})


class UnknownNameError(Exception):
    """A metric that nobody emits, or a label that it does not have."""


def labels_of(expression: str, known: Mapping[str, Labels]) -> Labels:
    """The labels of what an expression answers, where metrics have the labels that are known.

    Raises:
        UnknownNameError: It names a metric or a label that does not exist.
    """
    return _Reading(known).of(promql.parse(expression))


def metrics_of(expression: str) -> frozenset[str]:
    """The metrics that an expression names."""
    names: set[str] = set()

    def visit(node: promql.Expr) -> bool:
        if isinstance(node, promql.MatrixSelector):
            names.add(node.vector_selector.name or "")
        if isinstance(node, promql.VectorSelector):
            names.add(node.name or "")
        return True

    promql.walk(promql.parse(expression), pre_visit=visit)
    return frozenset(names)


class _Reading:
    def __init__(self, known: Mapping[str, Labels]) -> None:
        self._known = known

    def of(self, node: object) -> Labels:
        match node:
            case promql.NumberLiteral() | promql.StringLiteral():
                labels = NONE
            case promql.VectorSelector():
                labels = self._selected(node)
            case promql.MatrixSelector():
                labels = self._selected(node.vector_selector)
            case promql.ParenExpr() | promql.UnaryExpr() | promql.SubqueryExpr():
                labels = self.of(node.expr)
            case promql.Call():
                labels = self._called(node)
            case promql.AggregateExpr():
                labels = self._aggregated(node)
            case promql.BinaryExpr():
                labels = self._matched(node)
            case _:
                raise TypeError(node)
        return labels

    def _selected(self, selector: promql.VectorSelector) -> Labels:
        name = selector.name or ""
        if name not in self._known:
            raise UnknownNameError(f"nobody emits {name}")
        labels = self._known[name]
        _require({each.name for each in selector.matchers.matchers}, labels, name)
        return labels

    def _called(self, call: promql.Call) -> Labels:
        name = call.func.name
        inner = [self.of(argument) for argument in call.args]
        if name in _OF_NOTHING:
            return NONE
        if name == "absent":
            return inner[0]
        if name == "histogram_quantile":
            _require({"le"}, inner[1], name)
            return inner[1] - {"le"}
        assert name not in {"label_replace", "label_join"}, name
        return inner[0]

    def _aggregated(self, node: promql.AggregateExpr) -> Labels:
        inner = self.of(node.expr)
        if str(node.op) in _WITH_PARAMETER:
            return inner
        if node.modifier is None:
            return NONE
        labels = frozenset(node.modifier.labels)
        _require(labels, inner, str(node.op))
        return labels if node.modifier.type == promql.AggModifierType.By else inner - labels

    def _matched(self, node: promql.BinaryExpr) -> Labels:
        left, right = self.of(node.lhs), self.of(node.rhs)
        if _is_number(node.lhs) or _is_number(node.rhs):
            return left | right
        operator, matching = str(node.op), node.modifier and node.modifier.matching
        if matching is None:
            if left != right and operator != "or":
                raise UnknownNameError(f"{operator} never matches: {set(left)} and {set(right)}")
            return left | right
        labels = frozenset(matching.labels)
        _require(labels, left, f"left of {operator}")
        _require(labels, right, f"right of {operator}")
        if operator in _SETS:
            return left | right if operator == "or" else left
        assert matching.type == promql.LabelModifierType.Include, "ignoring() is not used here"
        assert node.modifier
        taken = frozenset(node.modifier.group_labels or ())
        if node.modifier.card == promql.VectorMatchCardinality.ManyToOne:
            _require(taken, right, "group_left")
            return left | taken
        if node.modifier.card == promql.VectorMatchCardinality.OneToMany:
            _require(taken, left, "group_right")
            return right | taken
        return labels


def _is_number(node: object) -> bool:
    match node:
        case promql.NumberLiteral():
            return True
        case promql.ParenExpr() | promql.UnaryExpr():
            return _is_number(node.expr)
        case promql.Call():
            return node.func.name in {"time", "scalar", "pi"}
        case promql.BinaryExpr():
            return _is_number(node.lhs) and _is_number(node.rhs)
    return False


def _require(named: set[str] | frozenset[str], labels: Labels, where: str) -> None:
    if missing := named - labels:
        raise UnknownNameError(f"{where} has no label {', '.join(sorted(missing))}")
