import json
import re
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from ds01_spawner.domain.attribution import OURS, WorkloadClass
from ds01_spawner.exporter.catalogue import CATALOGUE, Part
from ds01_spawner.exporter.parts.gpus import STATES
from ds01_spawner.exporter.parts.processes import KINDS, SCREEN, SPARED
from fakes.exporter_lab import lively_lab
from monitoring import emitted, files
from monitoring.files import Question, Rule
from monitoring.promql import UnknownNameError, labels_of, metrics_of

RULES = files.rules()
ALERTS = tuple(rule for rule in RULES if rule.is_alert)
RECORDED = tuple(rule for rule in RULES if not rule.is_alert)
QUESTIONS = tuple(files.questions({"server": "gpu-server"}))
EXPRESSIONS = (*(rule.expression for rule in RULES), *(each.expression for each in QUESTIONS))
BOARDS = files.boards()
KNOWN = emitted.known(RULES)
DOCS = files.ROOT / "docs" / "monitoring.md"
CASES = files.ROOT / "tests" / "integration" / "monitoring" / "rules"
DATASOURCE = {"type": "prometheus", "uid": "ds01-prometheus"}
GRID = 24
BOOKED = ("held", "equivalent", "measured", "busy")
VALUES = {"state": STATES, "part": tuple(Part), "kind": (*KINDS, *BOOKED)}


def named(rules: Iterable[Rule]) -> list[object]:
    return [pytest.param(rule, id=rule.name) for rule in rules]


def asked(questions: Iterable[Question]) -> list[object]:
    return [pytest.param(each, id=str(each)) for each in questions]


@pytest.mark.parametrize("rule", named(RULES))
def test_rule_is_made_of_what_is_emitted(rule: Rule) -> None:
    labels = labels_of(rule.expression, KNOWN)
    assert rule.labels_said <= labels | rule.labels.keys()


@pytest.mark.parametrize("question", asked(QUESTIONS))
def test_board_asks_for_what_is_emitted(question: Question) -> None:
    assert question.labels_said <= labels_of(question.expression, KNOWN)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("ds01_gpu_utilisation_ratio", "nobody emits"),
        ('ds01_gpu_utilization_ratio{gpu="0"}', "no label gpu"),
        ("sum by (user) (ds01_gpu_utilization_ratio)", "no label user"),
        ("rate(ds01_queue_wait_seconds[5m])", "nobody emits"),
        ("histogram_quantile(0.9, sum(rate(ds01_queue_wait_seconds_bucket[5m])))", "no label le"),
        ("ds01_gpu_up * on (card) group_left (user) ds01_gpu_power_watts", "no label user"),
        ("ds01_gpu_up and on (slot) ds01_gpu_slot_conflict", "no label slot"),
        ("ds01_gpu_slot_conflict / ds01_gpu_slot_equivalents > ds01_gpu_up", "never matches"),
    ],
)
def test_check_finds_what_does_not_exist(expression: str, reason: str) -> None:
    with pytest.raises(UnknownNameError, match=reason):
        labels_of(expression, KNOWN)


def test_catalogue_is_what_a_scrape_gives() -> None:
    rows = lively_lab().scrape()
    for name, labels in KNOWN.items():
        if name.startswith("ds01_") and not name.startswith("ds01_culler_"):
            found = {key for row in rows._values[name] for key, _ in row}
            assert found == labels - emitted.SCRAPE, name


def test_values_that_are_asked_for_exist() -> None:
    pattern = re.compile(
        r"(ds01_gpu_slot_state|ds01_collector_up|_processes|_gpu_seconds\S*)\{([^}]*)\}"
    )
    found = 0
    for expression in EXPRESSIONS:
        for _, matchers in pattern.findall(expression):
            for label, values in re.findall(r'\b(state|part|kind)[!=]~?"([\w|-]+)"', matchers):
                found += 1
                assert set(values.split("|")) <= set(VALUES[label]), expression
    assert found


def test_commands_that_alerts_and_runbook_name_exist() -> None:
    pages = {path.stem for path in files.ROOT.glob("ds01_spawner/handbook/commands/*.md")}
    texts = [sentence for rule in ALERTS for sentence in rule.annotations.values()]
    texts.append(DOCS.read_text(encoding="utf-8"))
    found = 0
    for words in re.findall(r"(?<![\w/.-])ds01((?: [a-z][a-z-]*){1,3})", " ".join(texts)):
        said = words.split()
        found += 1
        assert pages & {"-".join(said[:length]) for length in (1, 2, 3)}, said
    assert found


def test_every_class_past_the_platform_is_told_of() -> None:
    (rule,) = (rule for rule in ALERTS if rule.name == "WorkloadUnmanaged")
    left_out = re.findall(r'kind!~"([^"]+)"', rule.expression)
    assert set(left_out[0].split("|")) == {*OURS, WorkloadClass.UNKNOWN, SPARED, SCREEN}


def test_alert_names_are_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("rule", named(ALERTS))
def test_alert_says_what_how_urgent_and_what_next(rule: Rule) -> None:
    assert rule.labels["severity"] in {"critical", "warning", "info"}
    assert set(rule.annotations) == {"summary", "description", "runbook"}
    for sentence in ("summary", "description"):
        assert rule.annotations[sentence].endswith(".")
    page, _, anchor = rule.annotations["runbook"].partition("#")
    path = files.ROOT / page
    assert path == DOCS
    assert anchor == rule.name.lower()
    assert anchor in {heading.lower() for heading in sections(path)}


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    fires: set[str] = set()
    silent: set[str] = set()
    for path in sorted(CASES.glob("*.yaml")):
        for case in yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)["tests"]:
            for check in case.get("alert_rule_test", ()):
                (fires if check.get("exp_alerts") else silent).add(check["alertname"])
    assert fires == silent == {rule.name for rule in ALERTS}


@pytest.mark.parametrize("rule", named(RECORDED))
def test_recorded_figure_is_used_or_documented(rule: Rule) -> None:
    assert re.fullmatch(r"[a-z_]+:ds01_[a-z_]+:[a-z0-9_]+", rule.name)
    used = any(rule.name in metrics_of(expression) for expression in EXPRESSIONS)
    assert used or f"`{rule.name}`" in DOCS.read_text(encoding="utf-8")


def test_no_ratio_is_compared_with_a_percentage() -> None:
    pattern = re.compile(r"_ratio\S*\s*(?:\{[^}]*\})?\)?\s*[<>]=?\s*([\d.]+)")
    found = [float(figure) for text in EXPRESSIONS for figure in pattern.findall(text)]
    assert found
    assert max(found) <= 1


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_board_is_readable_and_provisioned(name: str) -> None:
    board = BOARDS[name]
    assert board["uid"] == f"ds01-{name}"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in board["panels"]:
        assert panel["title"]
        if panel["type"] == "row":
            continue
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"] == DATASOURCE
        assert all(target["datasource"] == DATASOURCE for target in panel["targets"])
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] is None


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_panels_do_not_overlap(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARDS[name]["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= GRID
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def lost(ours: object, theirs: object, where: str = "") -> list[str]:
    """What of ours is not in theirs, which may have more."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            line
            for key, value in ours.items()
            for line in lost(value, theirs.get(key), f"{where}.{key}")
        ]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [line for pair in zip(ours, theirs, strict=True) for line in lost(*pair, where)]
    return [] if ours == theirs else [where]


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_board_has_nothing_that_grafana_does_not_know(name: str) -> None:
    register_default_plugins()
    board = deepcopy(BOARDS[name])
    for each in board["templating"]["list"]:
        each.pop("definition", None)  # for the editor of variables, and not in Grafana's types
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(deepcopy(board))))
    assert lost(board, read) == []


def test_there_are_the_five_boards_and_the_source_that_they_name() -> None:
    assert sorted(BOARDS) == ["energy", "health", "history", "now", "person"]
    path = files.GRAFANA / "provisioning" / "datasources" / "ds01.yaml"
    (source,) = yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]
    assert {"type": source["type"], "uid": source["uid"]} == DATASOURCE


def test_boards_use_their_variables_and_no_other() -> None:
    builtin = {"__range", "__rate_interval"}
    for board in BOARDS.values():
        declared = {each["name"] for each in board["templating"]["list"]}
        texts = [
            target["expr"] for panel in board["panels"] for target in panel.get("targets", ())
        ] + [each.get("definition", "") for each in board["templating"]["list"]]
        used = {name for text in texts for name in re.findall(r"\$(\w+)", text)} - builtin
        assert used == declared


def sections(path: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_every_alert_has_its_section_in_the_runbook_and_no_other_is_there() -> None:
    headings = sections(DOCS)
    names = [rule.name for rule in ALERTS]
    runbook = headings[headings.index("Alerts") + 1 :]
    assert [each for each in runbook if re.fullmatch(r"(?:[A-Z][a-z0-9]+){2,}", each)] == names


def test_table_of_metrics_is_what_is_emitted() -> None:
    text = DOCS.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(ds01_\w+)` \| ([^|]*)\|", text, re.MULTILINE)
    told = {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    assert told == {each.name: each.labels for each in CATALOGUE.values()}
    assert len(rows) == len(told)
