import pytest
from hypothesis import given
from hypothesis import strategies as st

from ds01_spawner.domain.allocator import Granted, NothingFree, Rejected, Verdict, decide
from ds01_spawner.domain.gpu import Inventory
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.occupancy import Occupancy, SlotState
from ds01_spawner.domain.quota import Asker
from ds01_spawner.domain.request import GpuRequest
from ds01_spawner.domain.strategies import STRATEGIES, least_allocated
from fakes.facts import occupied
from fakes.probe import card, machine, small_lab

LAB = small_lab()
ANYTHING = Limits(
    max_gpu_slots=None,
    max_gpu_slots_per_container=None,
    max_gpu_equivalents=None,
    allow_full_gpu=True,
    max_containers_per_user=None,
)


def ask(  # noqa: PLR0917 - the facts of one question
    gpu: str,
    occupancy: Occupancy,
    count: int = 1,
    limits: Limits = ANYTHING,
    name: str = "jupyter",
    withheld: tuple[str, ...] = (),
) -> Verdict:
    asker = Asker("zoe", f"{name}._.zoe", limits)
    return decide(
        GpuRequest.parse(gpu, count), asker, occupancy, least_allocated, withheld=withheld
    )


def given_slots(verdict: Verdict) -> list[str]:
    assert isinstance(verdict, Granted), verdict
    return [slot.id for slot in verdict.slots]


def all_but(*free: str, inventory: Inventory = LAB) -> Occupancy:
    return occupied(inventory, {slot.id: "amy" for slot in inventory.slots if slot.id not in free})


@pytest.mark.parametrize(
    ("gpu", "count", "expected"),
    [
        ("none", 1, []),
        ("mig", 1, ["0:2"]),
        ("1g.5gb", 2, ["0:2", "1:1"]),
        ("2g.10gb", 1, ["0:0"]),
        ("3g.20gb", 1, ["1:0"]),
        ("full", 1, ["2"]),
        ("full", 2, ["2", "3"]),
        ("6gb", 1, ["0:0"]),
        ("11gb", 1, ["1:0"]),
        ("22gb", 1, ["2"]),
        ("10gb", 3, ["0:0", "0:1", "1:0"]),
    ],
)
def test_the_smallest_slots_that_satisfy_are_given(
    gpu: str, count: int, expected: list[str]
) -> None:
    assert given_slots(ask(gpu, occupied(LAB), count)) == expected


def test_a_larger_slot_is_given_when_no_smaller_one_is_free() -> None:
    assert given_slots(ask("mig", all_but("1:0", "2"))) == ["1:0"]
    assert given_slots(ask("5gb", all_but("2"))) == ["2"]


def test_somebody_without_permission_is_not_given_a_whole_gpu_by_memory() -> None:
    limits = Limits(max_gpu_equivalents=None, allow_full_gpu=False)
    verdict = ask("5gb", all_but("2"), limits=limits)
    assert isinstance(verdict, NothingFree)
    assert verdict.reason == "Of 10 slots that would do: 10 in use."


@pytest.mark.parametrize(
    "state",
    [
        SlotState.ALLOCATED,
        SlotState.RESERVED,
        SlotState.HELD,
        SlotState.FOREIGN,
        SlotState.UNAVAILABLE,
    ],
)
def test_what_is_not_free_is_not_given(state: SlotState) -> None:
    whole = machine(card(0), card(1))
    occupancy = occupied(whole, {"0": "amy", "1": "amy"}, states={"0": state, "1": state})
    assert isinstance(ask("full", occupancy), NothingFree)


def test_a_card_in_mig_mode_is_not_given_whole_even_without_instances() -> None:
    verdict = ask("full", occupied(machine(card(0, "1g.5gb"))))
    assert isinstance(verdict, Rejected)


def test_cards_kept_for_batch_work_are_not_given() -> None:
    occupancy = occupied(machine(card(0), card(1)), excluded=["GPU-lab-0"])
    assert given_slots(ask("full", occupancy)) == ["1"]


def test_slots_kept_for_somebody_who_waits_longer_are_not_given() -> None:
    whole = machine(card(0), card(1))
    assert given_slots(ask("full", occupied(whole), withheld=("GPU-lab-0",))) == ["1"]
    verdict = ask("full", occupied(whole, {"1": "amy"}), withheld=("GPU-lab-0",))
    assert verdict == NothingFree(
        "Of 2 slots that would do: 1 in use, 1 free, but kept for somebody who waits longer or "
        "too few."
    )


def test_the_reason_counts_what_is_in_the_way() -> None:
    states = {
        "0:0": SlotState.ALLOCATED,
        "0:1": SlotState.ALLOCATED,
        "0:2": SlotState.RESERVED,
        "0:3": SlotState.HELD,
        "0:4": SlotState.FOREIGN,
        "1:0": SlotState.UNAVAILABLE,
    }
    holders = {slot.id: "amy" for slot in LAB.slots}
    verdict = ask("mig", occupied(LAB, holders, states=states))
    assert verdict == NothingFree(
        "Of 10 slots that would do: 6 in use, 1 just being given, 1 held for a stopped container, "
        "1 used outside the platform, 1 not readable."
    )


def test_a_restart_is_given_the_slot_that_its_stopped_container_holds() -> None:
    holders = {"0:3": "zoe", "0:4": "zoe/thesis"}
    states = {"0:3": SlotState.HELD, "0:4": SlotState.HELD}
    occupancy = occupied(LAB, holders, states=states)
    assert given_slots(ask("mig", occupancy)) == ["0:3"]
    assert given_slots(ask("mig", occupancy, name="thesis")) == ["0:4"]
    assert given_slots(ask("mig", occupancy, name="other")) == ["1:1"]


def test_a_restart_gets_its_slot_though_somebody_waits_longer_for_such_a_slot() -> None:
    occupancy = occupied(machine(card(0)), {"0": "zoe"}, states={"0": SlotState.HELD})
    assert given_slots(ask("full", occupancy, withheld=("GPU-lab-0",))) == ["0"]


def test_a_restart_with_another_size_is_not_given_the_slot_it_holds() -> None:
    occupancy = occupied(LAB, {"0:3": "zoe"}, states={"0:3": SlotState.HELD})
    assert given_slots(ask("2g.10gb", occupancy)) == ["0:0"]


def test_a_held_slot_too_large_for_the_ceiling_is_left_for_smaller_ones() -> None:
    occupancy = occupied(LAB, {"1:0": "zoe"}, states={"1:0": SlotState.HELD})
    limits = Limits(max_gpu_slots=2, max_gpu_slots_per_container=2, max_gpu_equivalents=0.5)
    assert given_slots(ask("mig", occupancy, 2, limits)) == ["0:2", "1:1"]


@pytest.mark.parametrize("state", [SlotState.RESERVED, SlotState.ALLOCATED])
def test_a_second_launch_of_a_container_is_promised_the_slots_of_the_first(
    state: SlotState,
) -> None:
    occupancy = occupied(LAB, {"1:3": "zoe"}, states={"1:3": state})
    assert given_slots(ask("mig", occupancy, limits=Limits(max_gpu_slots=1))) == ["1:3"]


def test_launching_one_container_again_and_again_does_not_collect_slots() -> None:
    occupancy = occupied(LAB, {"1:3": "zoe"}, states={"1:3": SlotState.RESERVED})
    verdict = ask("2g.10gb", occupancy, limits=Limits(max_gpu_slots=1))
    assert isinstance(verdict, Rejected)
    assert str(verdict.error) == ("1 of 1 GPU slots in use (jupyter). Stop jupyter first.")
    two = Limits(max_gpu_slots=2, max_gpu_slots_per_container=2)
    assert given_slots(ask("mig", occupancy, 2, two)) == ["0:2", "1:3"]


def test_somebody_elses_container_of_the_same_name_is_not_ones_own() -> None:
    occupancy = occupied(machine(card(0)), {"0": "amy"}, states={"0": SlotState.HELD})
    assert isinstance(ask("full", occupancy), NothingFree)


REFUSALS = [
    pytest.param(
        "mig",
        1,
        Limits(max_gpu_slots=2),
        {"0:0": "zoe/thesis-run", "0:1": "zoe/notes"},
        "2 of 2 GPU slots in use (thesis-run, notes). Stop thesis-run first.",
        id="slots",
    ),
    pytest.param(
        "mig",
        3,
        Limits(max_gpu_slots=2, max_gpu_slots_per_container=None),
        {},
        "3 GPU slots were asked for; you may hold 2 at once. Ask for 2 or fewer.",
        id="slots, at once",
    ),
    pytest.param(
        "mig",
        1,
        Limits(max_gpu_slots=0),
        {},
        "1 GPU slot was asked for; you may hold 0 at once. Start without a GPU.",
        id="no slots at all",
    ),
    pytest.param(
        "mig",
        2,
        Limits(max_gpu_slots=4, max_gpu_slots_per_container=1),
        {},
        "2 GPU slots were asked for; one container may have 1. Ask for 1 or fewer.",
        id="slots per container",
    ),
    pytest.param(
        "full",
        1,
        Limits(allow_full_gpu=False),
        {},
        "Whole GPUs are not part of your limits (allow_full_gpu is false). "
        "Choose a MIG slot, or ask an administrator.",
        id="whole GPU",
    ),
    pytest.param(
        "7g.40gb",
        1,
        Limits(allow_full_gpu=True),
        {},
        "A slot of 7g.40gb cannot be given: this server has no such slots that you may use. "
        "You may use: 7 of 1g.5gb, 2 of 2g.10gb, 1 of 3g.20gb, 2 of full.",
        id="unknown profile",
    ),
    pytest.param(
        "40gb",
        1,
        Limits(allow_full_gpu=False),
        {},
        "A GPU slot with at least 40 GB cannot be given: this server has no such slots that you "
        "may use. You may use: 7 of 1g.5gb, 2 of 2g.10gb, 1 of 3g.20gb.",
        id="more memory than allowed",
    ),
    pytest.param(
        "3g.20gb",
        2,
        Limits(max_gpu_slots=4, max_gpu_slots_per_container=4, max_gpu_equivalents=None),
        {},
        "2 slots of 3g.20gb cannot be given: this server has 1 such slot that you may use. "
        "You may use: 7 of 1g.5gb, 2 of 2g.10gb, 1 of 3g.20gb.",
        id="more than there are",
    ),
    pytest.param(
        "3g.20gb",
        1,
        Limits(max_gpu_slots=4, max_gpu_equivalents=0.5),
        {"0:0": "zoe/thesis"},
        "This needs 0.43 GPU-equivalents; you have 0.29 of 0.50 in use (thesis). "
        "Stop thesis first.",
        id="equivalents",
    ),
    pytest.param(
        "3g.20gb",
        1,
        Limits(max_gpu_equivalents=0.25),
        {},
        "This needs 0.43 GPU-equivalents; you have 0.00 of 0.25 in use. Ask for a smaller slot.",
        id="equivalents of one slot",
    ),
    pytest.param(
        "none",
        1,
        Limits(max_containers_per_user=1),
        {"0:0": "zoe/thesis"},
        "1 of 1 containers are running (thesis). Stop one first.",
        id="containers",
    ),
    pytest.param(
        "none",
        1,
        Limits(max_containers_per_user=0),
        {},
        "0 of 0 containers are running. Ask an administrator to raise max_containers_per_user.",
        id="no containers at all",
    ),
]


@pytest.mark.parametrize(("gpu", "count", "limits", "holders", "message"), REFUSALS)
def test_a_request_beyond_a_limit_is_refused_with_figures_and_a_next_step(
    gpu: str, count: int, limits: Limits, holders: dict[str, str], message: str
) -> None:
    verdict = ask(gpu, occupied(LAB, holders), count, limits)
    assert isinstance(verdict, Rejected)
    assert str(verdict.error) == message


def test_a_refusal_names_the_stopped_container_that_keeps_a_slot() -> None:
    occupancy = occupied(LAB, {"0:0": "zoe/thesis"}, states={"0:0": SlotState.HELD})
    verdict = ask("mig", occupancy, limits=Limits(max_gpu_slots=1))
    assert isinstance(verdict, Rejected)
    assert str(verdict.error) == (
        "1 of 1 GPU slots in use (thesis). "
        "thesis has stopped and keeps its GPU: start that one again, or delete it."
    )


def test_exactly_the_limit_is_allowed() -> None:
    limits = Limits(
        max_gpu_slots=3,
        max_gpu_slots_per_container=2,
        max_gpu_equivalents=3 / 7,
        max_containers_per_user=2,
    )
    assert given_slots(ask("mig", occupied(LAB, {"0:2": "zoe/thesis"}), 2, limits))


@pytest.mark.parametrize(
    "state",
    [SlotState.HELD, SlotState.RESERVED, SlotState.FOREIGN, SlotState.UNAVAILABLE],
)
def test_whatever_a_person_has_counts_against_their_slots(state: SlotState) -> None:
    occupancy = occupied(LAB, {"0:0": "zoe/thesis"}, states={"0:0": state})
    verdict = ask("mig", occupancy, limits=Limits(max_gpu_slots=1))
    assert isinstance(verdict, Rejected)


def test_what_a_person_has_on_a_card_for_batch_work_counts_too() -> None:
    occupancy = occupied(LAB, {"0:0": "zoe/thesis"}, excluded=["GPU-lab-0"])
    assert isinstance(ask("mig", occupancy, limits=Limits(max_gpu_slots=1)), Rejected)


def test_other_peoples_slots_do_not_count() -> None:
    holders = {"0:0": "amy", "0:1": "amy/thesis", "0:2": "bob"}
    assert given_slots(ask("mig", occupied(LAB, holders), limits=Limits(max_gpu_slots=1)))


def test_a_permitted_size_that_is_in_use_is_waited_for_and_not_refused() -> None:
    limits = Limits(max_gpu_equivalents=1 / 7)
    verdict = ask("mig", all_but("0:0"), limits=limits)
    assert isinstance(verdict, NothingFree)


sizes = st.sampled_from(["mig", "full", "1g.5gb", "2g.10gb", "3g.20gb", "5gb", "10gb", "20gb"])
people = st.sampled_from(["", "", "amy", "zoe/thesis", "zoe"])


@given(
    gpu=sizes,
    count=st.integers(1, 4),
    holders=st.lists(people, min_size=12, max_size=12),
    states=st.lists(
        st.sampled_from([state for state in SlotState if state is not SlotState.FREE]),
        min_size=12,
        max_size=12,
    ),
    slots=st.one_of(st.none(), st.integers(0, 5)),
    equivalents=st.one_of(st.none(), st.floats(0, 4)),
    full=st.booleans(),
    strategy=st.sampled_from(sorted(STRATEGIES)),
    withheld=st.sets(st.sampled_from([slot.uuid for slot in LAB.slots])),
)
def test_a_grant_never_breaks_a_limit_nor_gives_what_is_not_free(  # noqa: PLR0917
    gpu: str,
    count: int,
    holders: list[str],
    states: list[SlotState],
    slots: int | None,
    equivalents: float | None,
    full: bool,
    strategy: str,
    withheld: set[str],
) -> None:
    limits = Limits(
        max_gpu_slots=slots,
        max_gpu_slots_per_container=3,
        max_gpu_equivalents=equivalents,
        allow_full_gpu=full,
    )
    by_slot = {slot.id: who for slot, who in zip(LAB.slots, holders, strict=True) if who}
    how = {
        slot.id: state for slot, state in zip(LAB.slots, states, strict=True) if slot.id in by_slot
    }
    occupancy = occupied(LAB, by_slot, states=how)
    request = GpuRequest.parse(gpu, count)
    asker = Asker("zoe", "jupyter._.zoe", limits)
    verdict = decide(request, asker, occupancy, STRATEGIES[strategy], withheld=withheld)
    if not isinstance(verdict, Granted):
        return
    kept = {SlotState.HELD, SlotState.ALLOCATED, SlotState.RESERVED}
    uses = {use.slot.uuid: use for use in occupancy.uses}
    chosen = {slot.uuid for slot in verdict.slots}
    assert len(chosen) == len(verdict.slots) == count <= 3
    for slot in verdict.slots:
        use = uses[slot.uuid]
        free = use.state is SlotState.FREE and slot.uuid not in withheld
        assert free or ((use.user, use.container) == ("zoe", "jupyter._.zoe") and use.state in kept)
        assert request.accepts(slot)
        assert full or not slot.is_full
    stays = {
        use.slot.uuid: use.slot
        for use in occupancy.of("zoe")
        if use.container != "jupyter._.zoe" or use.state is SlotState.RESERVED
    }
    has = stays | {slot.uuid: slot for slot in verdict.slots}
    assert slots is None or len(has) <= slots
    total = sum(slot.equivalents for slot in has.values())
    assert equivalents is None or total <= equivalents + 1e-6
