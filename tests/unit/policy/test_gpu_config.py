from pathlib import Path

import pytest

from ds01_spawner.adapters.gpu_source import open_probe
from ds01_spawner.domain.card_models import CARD_MODELS
from ds01_spawner.domain.errors import PolicyError
from ds01_spawner.domain.gpu import Inventory
from ds01_spawner.policy.gpu_config import (
    GpuConfig,
    GpuSource,
    SimulatedCard,
    Simulation,
    parse_gpu_config,
)
from ds01_spawner.policy.json_schema import render_gpu_config_schema

CONFIG = Path(__file__).parents[3] / "config"


def parse(text: str) -> GpuConfig:
    return parse_gpu_config(text, "gpu-config.yaml")


def inventory(*cards: SimulatedCard) -> Inventory:
    simulated = Simulation(gpus=cards)
    return open_probe(GpuConfig(source=GpuSource.SIMULATED, simulated=simulated)).inventory()


def problems(config: str, *cards: SimulatedCard) -> list[str]:
    return list(parse(config).layout_problems(inventory(*cards)))


SPLIT = SimulatedCard(mig=("2g.10gb", "1g.5gb"))
WHOLE = SimulatedCard()


def test_the_shipped_file_says_what_is_built_in() -> None:
    text = (CONFIG / "gpu-config.yaml").read_text()
    assert parse_gpu_config(text, "gpu-config.yaml") == GpuConfig()


def test_the_shipped_schema_is_current() -> None:
    assert (CONFIG / "gpu-config.schema.json").read_text() == render_gpu_config_schema()


def test_reads_every_key() -> None:
    config = parse(
        """
        source: nvml
        strategy: pack
        gpus:
          0: {mig: [2g.10gb, 1G.5GB], use: batch}
          GPU-01234567-89ab-cdef-0123-456789abcdef: {mig: []}
        simulated:
          seed: lab
          gpus: [{model: A30-24GB, count: 3, mig: [2g.12gb, 1g.6gb]}]
        """
    )
    assert config.source is GpuSource.NVML
    assert config.strategy == "pack"
    assert config.gpus["0"].mig == ("2g.10gb", "1g.5gb")
    assert len(list(config.simulated.cards())) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sorce: auto", "gpu-config.yaml:1: sorce: unknown key; did you mean source?"),
        ("\nsource: real", "gpu-config.yaml:2: source: expected one of 'auto', 'nvml'"),
        ("strategy: best", "strategy: expected one of least_allocated, pack; found 'best'"),
        ("gpus:\n  first: {}", "gpu-config.yaml:2: gpus.first: expected a GPU's index (0) or UUID"),
        ("gpus:\n  0:\n    mig: [2g10gb]", "gpus.0.mig.0: '2g10gb' is not a MIG profile"),
        ("gpus:\n  0:\n    use: fun", "gpus.0.use: expected one of 'interactive' or 'batch'"),
        ("simulated:\n  gpus:\n    - {model: A9000}", "expected one of A100-40GB"),
        ("simulated:\n  gpus:\n    - {count: 0}", "simulated.gpus.0.count"),
        (
            "simulated:\n  gpus:\n    - {mig: [4g.20gb, 4g.20gb]}",
            "gpu-config.yaml:3: simulated.gpus.0: NVIDIA A100-SXM4-40GB can hold 4g.20gb only 1",
        ),
        ("simulated:\n  gpus:\n    - {mig: [1g.6gb]}", "has no profile 1g.6gb; it has 1g.5gb"),
        ("simulated:\n  gpus:\n    - {model: RTX-A6000, mig: [1g.6gb]}", "this GPU has no MIG"),
        ("simulated:\n  seed: ''", "simulated.seed"),
    ],
)
def test_a_fault_names_file_line_key_and_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(text)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("model", "layout", "fits"),
    [
        ("A100-40GB", ["1g.5gb"] * 7, True),
        ("A100-40GB", ["1g.5gb"] * 8, False),
        ("A100-40GB", ["3g.20gb", "3g.20gb"], True),
        ("A100-40GB", ["3g.20gb", "3g.20gb", "1g.5gb"], False),
        ("A100-40GB", ["4g.20gb", "3g.20gb"], True),
        ("A100-40GB", ["4g.20gb", "2g.10gb", "1g.5gb"], True),
        ("A100-40GB", ["2g.10gb", "2g.10gb", "2g.10gb", "1g.5gb"], True),
        ("A100-40GB", ["1g.10gb"] * 4, True),
        ("A100-40GB", ["3g.20gb", "1g.10gb", "1g.10gb"], True),
        ("A100-40GB", ["4g.20gb", "1g.10gb", "1g.10gb", "1g.5gb"], False),
        ("A100-40GB", ["1g.5gb+me", "1g.5gb+me"], False),
        ("A100-40GB", ["7g.40gb"], True),
        ("A30-24GB", ["2g.12gb", "1g.6gb", "1g.6gb"], True),
        ("A30-24GB", ["2g.12gb", "2g.12gb", "1g.6gb"], False),
        ("H200-141GB", ["3g.71gb", "4g.71gb"], True),
    ],
)
def test_layouts_fit_as_they_do_on_real_cards(model: str, layout: list[str], fits: bool) -> None:
    assert (CARD_MODELS[model].layout_fault(layout) is None) is fits


def test_a_card_that_is_as_planned_is_no_problem() -> None:
    plan = "gpus:\n  0: {mig: [1g.5gb, 2g.10gb]}\n  1: {mig: []}"
    assert problems(plan, SPLIT, WHOLE) == []


def test_a_card_without_plan_is_taken_as_it_is() -> None:
    assert problems("gpus:\n  0: {use: batch}", SPLIT, WHOLE) == []


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (
            "gpus:\n  0: {mig: [7g.40gb]}",
            "GPU 0 is 1g.5gb + 2g.10gb; gpu-config.yaml wants 7g.40gb.",
        ),
        ("gpus:\n  0: {mig: []}", "GPU 0 is 1g.5gb + 2g.10gb; gpu-config.yaml wants a whole GPU."),
        ("gpus:\n  1: {mig: [7g.40gb]}", "GPU 1 is a whole GPU; gpu-config.yaml wants 7g.40gb."),
        ("gpus:\n  2: {}", "gpu-config.yaml plans GPU 2, which this machine does not have."),
    ],
)
def test_a_card_that_is_not_as_planned_is_said(plan: str, expected: str) -> None:
    assert problems(plan, SPLIT, WHOLE) == [expected]


def test_cards_for_batch_work_are_kept_from_interactive_work() -> None:
    cards = inventory(WHOLE, WHOLE, WHOLE)
    uuids = [gpu.uuid for gpu in cards.gpus]
    config = parse(f"gpus:\n  0: {{use: batch}}\n  1: {{use: batch}}\n  {uuids[1]}: {{}}")
    assert config.interactive_gpus(cards) == {uuids[1], uuids[2]}
