import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.charts.picture import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, drawn
from ds01_spawner.charts.scale import figure, ticks
from ds01_spawner.charts.timeline import Bars, Timeline
from ds01_spawner.domain.wording import percent

MONDAY = datetime(2026, 3, 30, tzinfo=UTC)


def timeline(*values: Sequence[float | None], **facts: object) -> Timeline:
    usual: dict[str, object] = {
        "id": "energy",
        "title": "Energy",
        "unit": "kWh",
        "words": "12 kWh altogether.",
        "begins": [MONDAY + timedelta(days=day) for day in range(len(values[0]))],
        "step": "day",
        "bars": [Bars(f"part {place}", each) for place, each in enumerate(values)],
    }
    return Timeline(**{**usual, **facts})  # type: ignore[arg-type]


def tree(chart: Timeline) -> ET.Element:
    return ET.fromstring(drawn(chart))


def bars(chart: Timeline) -> list[dict[str, str]]:
    found = tree(chart).findall("svg/g/rect")
    return [each.attrib for each in found if each.attrib["class"] != "ds01-chart-gap"]


@pytest.mark.parametrize(
    ("highest", "marks"),
    [
        (0, (0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        (1, (0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        (4, (0, 1, 2, 3, 4)),
        (7, (0, 2, 4, 6, 8)),
        (1234, (0, 250, 500, 750, 1000, 1250)),
    ],
)
def test_an_axis_has_round_marks(highest: float, marks: Sequence[float]) -> None:
    assert ticks(highest) == pytest.approx(marks)


@given(st.floats(0.002, 1e9))
def test_no_two_marks_say_the_same(highest: float) -> None:
    said = [figure(mark) for mark in ticks(highest)]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("count", [22, 30, 31, 90])
def test_the_last_label_is_inside(count: int) -> None:
    texts = tree(timeline([1.0] * count)).findall("svg/text")
    for each in texts:
        anchor, x = each.attrib["text-anchor"], float(each.attrib["x"])
        assert x + (60 if anchor == "start" else 0) <= WIDTH


@given(st.floats(0, 1e9))
def test_an_axis_reaches_what_is_shown_with_few_marks(highest: float) -> None:
    marks = ticks(highest)
    assert marks[-1] >= highest * (1 - 1e-6)
    assert 2 <= len(marks) <= 6


@pytest.mark.parametrize(
    ("value", "words"),
    [
        *[
            (0, "0"),
            (0.00002, "0.00002"),
            (0.0000001, "0"),
            (0.0042, "0.0042"),
            (0.025, "0.025"),
            (0.3, "0.3"),
        ],
        *[(3.25, "3.2"), (12, "12"), (412.7, "413"), (1250, "1,250")],
    ],
)
def test_figures_are_as_exact_as_somebody_looks(value: float, words: str) -> None:
    assert figure(value) == words


def test_a_bar_is_as_high_as_its_figure() -> None:
    heights = [float(each["height"]) for each in bars(timeline([0.0, 5.0, 10.0]))]
    inside = HEIGHT - TOP - BOTTOM
    assert heights == pytest.approx([inside / 2, inside], abs=0.1)


def test_what_is_not_known_is_hatched_and_no_bar() -> None:
    chart = timeline([1.0, None, 0.0])
    (gap,) = [each for each in tree(chart).iter("rect") if each.get("class") == "ds01-chart-gap"]
    assert gap.attrib["fill"] == "url(#energy-gap)"
    assert float(gap.attrib["height"]) == HEIGHT - TOP - BOTTOM
    assert len(bars(chart)) == 1
    cells = [each.text for each in tree(chart).iter("td")]
    assert cells == ["1", "not known", "0"]
    assert "not known" in [(each.tail or "").strip() for each in tree(chart).iterfind("ul/li/svg")]


def test_bars_stand_on_each_other() -> None:
    lower, upper = bars(timeline([1.0], [2.0]))
    foot = HEIGHT - BOTTOM
    assert float(lower["y"]) + float(lower["height"]) == pytest.approx(foot, abs=0.2)
    assert float(upper["y"]) + float(upper["height"]) == pytest.approx(float(lower["y"]), abs=0.2)


def test_who_cannot_see_it_is_told_and_gets_the_figures() -> None:
    chart = timeline([0.25, 1.0], said=percent, line=("all", 0.5))
    picture = tree(chart).find("svg")
    assert picture is not None
    ids = picture.attrib["aria-labelledby"].split()
    named = {each.attrib["id"]: each.text for each in picture if "id" in each.attrib}
    assert [named[each] for each in ids] == ["Energy, kWh", "12 kWh altogether."]
    assert picture.attrib["role"] == "img"
    rows = tree(chart).findall("details/table/tbody/tr")
    assert ["".join(row.itertext()) for row in rows] == ["30 Mar 202625 %", "31 Mar 2026100 %"]
    assert "all: 50 %" in "".join(tree(chart).itertext())


def test_words_of_others_are_text() -> None:
    chart = timeline([1.0], title="<script>", words='"><script>', line=("<b>", 1.0))
    assert "<script>" not in drawn(chart)
    assert "<b>" not in drawn(chart)


def test_nothing_needs_a_style_or_another_host() -> None:
    html = drawn(timeline([1.0, None], [2.0, None]))
    for forbidden in (" style=", "<style", "<script", "//", "javascript:"):
        assert forbidden not in html


@pytest.mark.parametrize("count", [0, 1, 7, 31, 92, 366])
def test_however_many_steps_there_are_all_is_inside(count: int) -> None:
    chart = timeline([float(place) for place in range(count)])
    for each in bars(chart):
        x, wide = float(each["x"]), float(each["width"])
        assert x >= LEFT
        assert x + wide <= WIDTH - RIGHT + 0.1
        assert wide > 0
    labels = re.findall(r"<text[^>]*text-anchor=\"(?:middle|start)\"", drawn(chart))
    assert len(labels) <= 8
