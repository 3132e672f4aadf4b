import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from ds01_spawner.exporter.cap import capped
from ds01_spawner.exporter.catalogue import CATALOGUE, Kind
from ds01_spawner.exporter.points import Distribution, Point
from ds01_spawner.exporter.text import exposition
from fakes.exporter_lab import ExporterLab, lively_lab

DOCS = (Path(__file__).parents[3] / "docs" / "monitoring.md").read_text(encoding="utf-8")
HUGE = 9_007_199_254_740_993.0


@dataclass(frozen=True)
class Row:
    name: str
    labels: tuple[tuple[str, str], ...]
    value: float


def rows(text: str, *, openmetrics: bool = False) -> set[Row]:
    parse = openmetrics_families if openmetrics else text_string_to_metric_families
    return {
        Row(sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for family in parse(text)
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def lab() -> ExporterLab:
    return lively_lab()


@pytest.mark.parametrize("openmetrics", [False, True], ids=["text", "openmetrics"])
def test_says_what_the_library_would(lab: ExporterLab, openmetrics: bool) -> None:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(lab.exporter)
    write = generate_openmetrics if openmetrics else generate_latest
    theirs = rows(write(registry).decode(), openmetrics=openmetrics)
    ours = rows(lab.exporter.text(openmetrics=openmetrics), openmetrics=openmetrics)
    assert ours == theirs


def test_openmetrics_ends_as_it_must(lab: ExporterLab) -> None:
    text = lab.exporter.text(openmetrics=True)
    assert text.endswith("\n# EOF\n")
    assert text.count("# EOF") == 1
    assert "# TYPE ds01_events counter" in text
    assert "# TYPE ds01_events_total counter" in lab.exporter.text()


def test_odd_names_are_escaped() -> None:
    name = 'a"b\\c\nd'
    text = exposition([("ds01_user_containers", (name, "g"), HUGE)], openmetrics=False)
    (row,) = rows(text)
    assert dict(row.labels) == {"user": name, "group": "g"}
    assert row.value == HUGE


def test_a_distribution_is_cumulative() -> None:
    found = Distribution.empty((1.0, 5.0))
    for value in (0.5, 1.0, 3.0, 7.0):
        found = found.with_value(value)
    point = ("ds01_queue_wait_seconds", ("granted",), found)
    name = "ds01_queue_wait_seconds"
    assert rows(exposition([point], openmetrics=False)) == {
        Row(f"{name}_bucket", (("le", "1.0"), ("outcome", "granted")), 2.0),
        Row(f"{name}_bucket", (("le", "5.0"), ("outcome", "granted")), 3.0),
        Row(f"{name}_bucket", (("le", "+Inf"), ("outcome", "granted")), 4.0),
        Row(f"{name}_count", (("outcome", "granted"),), 4.0),
        Row(f"{name}_sum", (("outcome", "granted"),), 11.5),
    }


def test_every_metric_is_named_as_its_kind_asks() -> None:
    for name, each in CATALOGUE.items():
        assert name.startswith("ds01_")
        assert name.endswith("_total") == (each.kind is Kind.COUNTER), name
        assert each.help.endswith("."), name


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool here")
def test_promtool_finds_nothing(lab: ExporterLab) -> None:
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=lab.exporter.text(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_people_beyond_the_cap_are_one() -> None:
    points: list[Point] = [
        *(("ds01_user_gpu_slots", (f"u{n}", "student"), n) for n in range(6)),
        *(("ds01_user_gpu_slots_limit", (f"u{n}", "student"), 9) for n in range(6)),
        ("ds01_gpu_processes", ("0", "host", "u5"), 2),
        ("ds01_gpu_processes", ("0", "host", "stranger"), 3),
        ("ds01_queue_oldest_age_seconds", (), 1),
    ]
    found = capped(points, [f"u{n}" for n in range(6)], most=4)
    values = {(name, labels): value for name, labels, value in found}
    assert values["ds01_user_gpu_slots", ("other", "other")] == 4 + 5
    assert ("ds01_user_gpu_slots", ("u4", "student")) not in values
    assert values["ds01_user_gpu_slots", ("u3", "student")] == 3
    assert ("ds01_user_gpu_slots_limit", ("other", "other")) not in values
    assert values["ds01_gpu_processes", ("0", "host", "other")] == 5
    assert values["ds01_series_folded", ("ds01_user_gpu_slots",)] == 2
    assert values["ds01_series_folded", ("ds01_gpu_processes",)] == 2
    assert values["ds01_series_folded", ("ds01_user_memory_bytes",)] == 0


def test_of_ends_of_grants_the_first_is_told_and_nobodys_rows_stay_nobodys() -> None:
    name = "ds01_bare_metal_grant_expires_timestamp_seconds"
    unattributed: Point = ("ds01_gpu_processes", ("0", "unknown", "unknown"), 3)
    ends: list[Point] = [
        (name, (user,), value) for user, value in zip("abc", (9, 5, 7), strict=True)
    ]
    found = capped([*ends, unattributed], ["a", "b", "c"], most=1)
    assert (name, ("a",), 9) in found
    assert (name, ("other",), 5) in found
    assert unattributed in found
    assert ("ds01_series_folded", ("ds01_gpu_processes",), 0) in found


def test_what_is_said_of_a_metric_is_what_the_docs_say() -> None:
    rows = re.findall(r"^\| `(ds01_\w+)` \| [^|]*\| (.*?)(?: Histogram\.)? \|$", DOCS, re.MULTILINE)
    assert dict(rows) == {name: each.help for name, each in CATALOGUE.items()}


def test_who_is_known_from_elsewhere_is_shown_while_there_is_room() -> None:
    points: list[Point] = [("ds01_gpu_processes", ("0", "host", "stranger"), 3)]
    assert points[0] in capped(points, ["alice"])
