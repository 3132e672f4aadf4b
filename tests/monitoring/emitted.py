"""What Prometheus gets: the series that exist, with their labels."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import jupyterhub.metrics as hub_metrics
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from ds01_spawner.culler.metrics import Metrics
from ds01_spawner.exporter.catalogue import CATALOGUE, Kind
from monitoring.files import Rule
from monitoring.promql import Labels, labels_of

SCRAPE = frozenset({"instance", "job"})
"""Labels that every series gets from the target that it is read from."""

_OF_PROMETHEUS = {
    "up": SCRAPE,
    "scrape_duration_seconds": SCRAPE,
    "prometheus_rule_evaluation_failures_total": SCRAPE | {"rule_group"},
}


def known(rules: tuple[Rule, ...]) -> Mapping[str, Labels]:
    """Every series that a rule or a board may name, with its labels.

    Raises:
        UnknownNameError: A recorded figure is made of what nobody emits.
    """
    found: dict[str, Labels] = {**_OF_PROMETHEUS, **_exporter(), **_culler(), **_hub()}
    for rule in rules:
        if not rule.is_alert:
            found[rule.name] = labels_of(rule.expression, found) | rule.labels.keys()
    alerts = [rule for rule in rules if rule.is_alert]
    found["ALERTS"] = frozenset({"alertname", "alertstate"}).union(
        *(labels_of(rule.expression, found) | rule.labels.keys() for rule in alerts)
    )
    return found


def _exporter() -> Mapping[str, Labels]:
    found: dict[str, Labels] = {}
    for each in CATALOGUE.values():
        is_histogram = each.kind is Kind.HISTOGRAM
        found |= _series(each.name, frozenset(each.labels), is_histogram=is_histogram)
    return found


def culler_registry() -> CollectorRegistry:
    """What the lifecycle service writes into `culler.prom`, which the exporter passes on."""
    return Metrics(Path(tempfile.gettempdir()) / "unwritten")._registry


def _culler() -> Mapping[str, Labels]:
    return _of_wrappers(culler_registry()._collector_to_names)


def _hub() -> Mapping[str, Labels]:
    return _of_wrappers(vars(hub_metrics).values())


def _of_wrappers(collectors: object) -> Mapping[str, Labels]:
    assert isinstance(collectors, (dict, type({}.values())))
    found: dict[str, Labels] = {}
    for each in collectors:
        if isinstance(each, MetricWrapperBase):
            name = each._name + ("_total" if isinstance(each, Counter) else "")
            labels = frozenset(each._labelnames)
            found |= _series(name, labels, is_histogram=isinstance(each, Histogram))
    return found


def _series(name: str, labels: Labels, *, is_histogram: bool) -> Mapping[str, Labels]:
    """Names and labels as they are stored."""
    labels |= SCRAPE
    if is_histogram:
        return {f"{name}_bucket": labels | {"le"}, f"{name}_count": labels, f"{name}_sum": labels}
    return {name: labels}
