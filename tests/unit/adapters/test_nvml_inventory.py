import inspect
from types import SimpleNamespace

import pynvml
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.adapters.nvml_api import Nvml
from ds01_spawner.adapters.simulated_nvml import SimulatedNvml
from ds01_spawner.domain.card_models import CARD_MODELS
from ds01_spawner.domain.gpu import FULL_PROFILE, Inventory, MigProfile
from ds01_spawner.policy.gpu_config import SimulatedCard
from fakes.nvml import FaultyNvml

WHOLE = SimulatedCard()
SPLIT = SimulatedCard(mig=("2g.10gb", "1g.5gb"))


def inventory_of(*cards: SimulatedCard) -> Inventory:
    return NvmlProbe(FaultyNvml(*cards).as_nvml).inventory()


def functions(of: type | object) -> dict[str, list[str]]:
    return {
        name: [each for each in inspect.signature(function).parameters if each != "self"]
        for name, function in inspect.getmembers(of, callable)
        if name.startswith("nvml") and inspect.isroutine(function)
    }


def test_pynvml_has_every_function_of_the_seam_with_the_same_parameters() -> None:
    real = functions(pynvml)
    assert {name: real.get(name) for name in functions(Nvml)} == functions(Nvml)


def test_the_simulation_has_every_function_of_the_seam_with_the_same_parameters() -> None:
    assert functions(SimulatedNvml) == functions(Nvml)


def test_lists_a_whole_card_as_one_slot_worth_one_gpu() -> None:
    (slot,) = inventory_of(WHOLE).slots
    assert (slot.id, slot.profile, slot.equivalents) == ("0", FULL_PROFILE, 1.0)
    assert slot.memory_bytes == 40960 * 1024**2


def test_lists_mig_instances_instead_of_the_card_they_are_on() -> None:
    inventory = inventory_of(SPLIT, WHOLE)
    assert [(slot.id, slot.profile) for slot in inventory.slots] == [
        ("0:0", "2g.10gb"),
        ("0:1", "1g.5gb"),
        ("1", "full"),
    ]
    assert [slot.equivalents for slot in inventory.slots] == [2 / 7, 1 / 7, 1.0]
    assert inventory.problems == ()


def test_a_quarter_of_an_a30_is_a_quarter_of_a_gpu() -> None:
    (slot,) = inventory_of(SimulatedCard(model="A30-24GB", mig=("1g.6gb",))).slots
    assert slot.equivalents == 0.25


def test_a_card_without_mig_support_is_a_whole_slot() -> None:
    (slot,) = inventory_of(SimulatedCard(model="RTX-A6000")).slots
    assert slot.is_full


@pytest.mark.parametrize("error", ["not_supported", "function_not_found"])
def test_a_driver_that_knows_no_mig_mode_gives_whole_cards(error: str) -> None:
    nvml = FaultyNvml(WHOLE)
    nvml.fail("nvmlDeviceGetMigMode", error)
    (slot,) = NvmlProbe(nvml.as_nvml).inventory().slots
    assert slot.is_full


@pytest.mark.parametrize(
    ("model", "profile"),
    [(model, profile) for model, card in CARD_MODELS.items() for profile in card.shapes],
)
def test_derives_the_name_nvidia_gives_where_the_driver_names_no_profile(
    model: str, profile: str
) -> None:
    nvml = FaultyNvml(SimulatedCard(model=model, mig=(profile,)))
    nvml.answer("nvmlDeviceGetName", lambda handle: handle.model.product)
    (slot,) = NvmlProbe(nvml.as_nvml).inventory().slots
    assert slot.profile == profile


def test_takes_the_profile_from_the_name_where_attributes_are_not_supported() -> None:
    nvml = FaultyNvml(SPLIT)
    nvml.fail("nvmlDeviceGetAttributes", "not_supported")
    inventory = NvmlProbe(nvml.as_nvml).inventory()
    assert [slot.profile for slot in inventory.slots] == ["2g.10gb", "1g.5gb"]
    assert [slot.equivalents for slot in inventory.slots] == [2 / 7, 1 / 7]
    assert inventory.slots[0].memory_bytes == 9984 * 1024**2


@pytest.mark.parametrize("named", [True, False], ids=["named", "derived"])
def test_a_compute_instance_counts_its_own_slices_only(named: bool) -> None:
    nvml = FaultyNvml(SimulatedCard(mig=("2g.10gb",)))
    attributes = nvml.inner.nvmlDeviceGetAttributes

    def half(handle: object) -> object:
        found = attributes(handle)  # type: ignore[arg-type]
        found.computeInstanceSliceCount = 1
        return found

    nvml.answer("nvmlDeviceGetAttributes", half)
    name = "NVIDIA A100-SXM4-40GB" + (" MIG 1c.2g.10gb" if named else "")
    nvml.answer("nvmlDeviceGetName", lambda _: name)
    (slot,) = NvmlProbe(nvml.as_nvml).inventory().slots
    assert (slot.profile, slot.equivalents) == ("1c.2g.10gb", 1 / 7)


def test_a_compute_instance_known_by_name_only_counts_its_own_slices() -> None:
    nvml = FaultyNvml(SimulatedCard(mig=("2g.10gb",)))
    nvml.fail("nvmlDeviceGetAttributes", "not_supported")
    nvml.answer("nvmlDeviceGetName", lambda _: "NVIDIA A100-SXM4-40GB MIG 1c.2g.10gb")
    (slot,) = NvmlProbe(nvml.as_nvml).inventory().slots
    assert slot.equivalents == 1 / 7


def test_a_driver_that_understates_the_slices_makes_no_card_worth_more_than_one() -> None:
    nvml = FaultyNvml(SimulatedCard(mig=("1g.5gb",) * 7))
    nvml.answer("nvmlDeviceGetGpuInstanceProfileInfo", lambda *_: SimpleNamespace(sliceCount=4))
    slots = NvmlProbe(nvml.as_nvml).inventory().slots
    assert sum(slot.equivalents for slot in slots) == pytest.approx(1)


def test_indices_that_the_driver_skips_keep_their_neighbours_numbers() -> None:
    nvml = FaultyNvml(SimulatedCard(mig=("1g.5gb", "1g.5gb", "1g.5gb")))
    nvml.fail("nvmlDeviceGetMigDeviceHandleByIndex", "not_found", on=lambda _, index: index == 1)
    assert [slot.id for slot in NvmlProbe(nvml.as_nvml).inventory().slots] == ["0:0", "0:2"]


@pytest.mark.parametrize(
    ("product", "slices"),
    [
        ("NVIDIA A30", 4),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 4),
        ("NVIDIA A100-SXM4-40GB", 7),
        ("NVIDIA H100 80GB HBM3", 7),
        ("NVIDIA B200", 7),
    ],
)
def test_falls_back_on_the_product_name_for_the_number_of_slices(product: str, slices: int) -> None:
    nvml = FaultyNvml(SimulatedCard(mig=("1g.5gb",)))
    nvml.fail("nvmlDeviceGetGpuInstanceProfileInfo", "function_not_found")
    nvml.answer(
        "nvmlDeviceGetName",
        lambda handle: product if handle.profile is None else f"{product} MIG {handle.profile}",
    )
    (gpu,) = NvmlProbe(nvml.as_nvml).inventory().gpus
    assert gpu.compute_slices == slices


def test_asks_older_drivers_with_the_older_call_for_slices() -> None:
    nvml = FaultyNvml(SimulatedCard(model="A30-24GB", mig=("1g.6gb",)))
    nvml.fail(
        "nvmlDeviceGetGpuInstanceProfileInfo",
        "function_not_found",
        on=lambda _, __, version: version == 2,
    )
    nvml.answer(
        "nvmlDeviceGetName",
        lambda handle: "Graphics Device" + (f" MIG {handle.profile}" if handle.profile else ""),
    )
    (gpu,) = NvmlProbe(nvml.as_nvml).inventory().gpus
    assert gpu.compute_slices == 4


@st.composite
def layouts(draw: st.DrawFn) -> SimulatedCard:
    model = draw(st.sampled_from(sorted(CARD_MODELS)))
    card = CARD_MODELS[model]
    layout: list[str] = []
    for profile in draw(st.lists(st.sampled_from(sorted(card.shapes) or ["-"]), max_size=9)):
        if card.shapes and card.layout_fault([*layout, profile]) is None:
            layout.append(profile)
    return SimulatedCard(model=model, mig=tuple(layout))


@given(st.lists(layouts(), min_size=1, max_size=5))
def test_no_card_is_worth_more_than_one_gpu_and_no_slot_is_listed_twice(
    cards: list[SimulatedCard],
) -> None:
    inventory = inventory_of(*cards)
    for gpu in inventory.gpus:
        parts = [slot.equivalents for slot in inventory.slots if slot.gpu_uuid == gpu.uuid]
        assert 0 < sum(parts) <= 1 + 1e-9
    assert len({slot.id for slot in inventory.slots}) == len(inventory.slots)
    assert len({slot.uuid for slot in inventory.slots}) == len(inventory.slots)


@given(
    st.from_regex(
        r"([1-3]c\.)?[4-7]g\.[1-9][0-9]{0,2}gb(\+me|-me|\+me\.all|\+gfx)?", fullmatch=True
    )
)
def test_a_profile_prints_as_it_was_written(text: str) -> None:
    assert str(MigProfile.parse(text)) == text


@pytest.mark.parametrize("text", ["2g.10", "g.10gb", "2c.2g.10gb", "0g.5gb", "1g.5gb+", "full", ""])
def test_what_is_no_profile_is_not_read_as_one(text: str) -> None:
    assert MigProfile.parse(text) is None
