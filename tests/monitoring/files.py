"""What is in config/prometheus and config/grafana: every rule, and every question a board asks."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "config" / "prometheus"
GRAFANA = ROOT / "config" / "grafana"
RULE_FILES = tuple(sorted((PROMETHEUS / "rules").glob("*.yaml")))
BOARD_FILES = tuple(sorted((GRAFANA / "dashboards").glob("*.json")))

_LEGEND_LABEL = re.compile(r"\{\{\s*([a-zA-Z_]\w*)\s*\}\}")
_ALERT_LABEL = re.compile(r"\$labels\.([a-zA-Z_]\w*)")
_LABEL_VALUES = re.compile(r"label_values\((.+), *(\w+)\)$")
_PLACEHOLDERS = {"$__range": "1h", "$__rate_interval": "5m"}


@dataclass(frozen=True, slots=True)
class Rule:
    """An alert or a recorded figure."""

    name: str
    is_alert: bool
    expression: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @property
    def labels_said(self) -> frozenset[str]:
        """Labels that its sentences name."""
        return frozenset(_ALERT_LABEL.findall(" ".join(self.annotations.values())))


@dataclass(frozen=True, slots=True)
class Question:
    """What a panel or a variable of a board asks, with Grafana's placeholders filled in."""

    board: str
    title: str
    expression: str
    labels_said: frozenset[str]

    def __str__(self) -> str:
        return f"{self.board}: {self.title}"


def rules() -> tuple[Rule, ...]:
    """All of them, in the order in which Prometheus reads them."""
    return tuple(
        Rule(
            rule.get("alert") or rule["record"],
            "alert" in rule,
            rule["expr"],
            rule.get("labels", {}),
            rule.get("annotations", {}),
        )
        for path in RULE_FILES
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    )


def boards() -> Mapping[str, dict[str, Any]]:
    """By the name of their file."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in BOARD_FILES}


def filled_in(expression: str, variables: Iterable[str], values: Mapping[str, str]) -> str:
    """The expression as Grafana sends it; who chooses nothing sees all (`.*`)."""
    for placeholder, value in _PLACEHOLDERS.items():
        expression = expression.replace(placeholder, value)
    for name in variables:
        expression = re.sub(rf"\${name}\b", values.get(name, ".*"), expression)
    return expression


def questions(values: Mapping[str, str]) -> Iterator[Question]:
    """Those of all boards; `values` is what is chosen above them, such as the server."""
    for name, board in boards().items():
        variables = board["templating"]["list"]
        known = [each["name"] for each in variables]
        for each in variables:
            if each["type"] == "query":
                asked = _LABEL_VALUES.match(each["definition"])
                assert asked, each["definition"]
                expression = filled_in(asked[1], known, values)
                yield Question(name, f"variable {each['name']}", expression, frozenset({asked[2]}))
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield Question(
                    name,
                    panel["title"],
                    filled_in(target["expr"], known, values),
                    frozenset(_LEGEND_LABEL.findall(target["legendFormat"])),
                )
