import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from ds01_spawner.domain.errors import Forbidden, NoCapacity, Unavailable
from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.request import GpuRequest, LaunchRequest
from ds01_spawner.gateway.docker.create.admission import Granting, refused_now, told_of_wait
from ds01_spawner.gateway.wire.threads import Threads
from ds01_spawner.operations.allocation.admission import Grant
from fakes.lab import Lab
from fakes.probe import FakeProbe, card, machine

MIG = (GpuRequest.parse("mig"),)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def lab() -> Lab:
    """A machine with one slot."""
    return Lab(probe=FakeProbe(machine(card(0, "1g.5gb"))))


@pytest.fixture
async def granting(lab: Lab) -> AsyncIterator[Granting]:
    threads = Threads(4)
    yield Granting(lambda: lab.admission, threads, poll_seconds=0.01)
    threads.close()


def wanted(lab: Lab, user: str = "alice") -> LaunchRequest:
    return lab.request(user, name="run", interface=Interface.DOCKER)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - set by a thread
            await asyncio.sleep(0.005)


async def grant(
    granting: Granting, lab: Lab, sizes: tuple[GpuRequest, ...] = MIG, wait: timedelta | None = None
) -> Grant:
    return await granting.grant(wanted(lab), sizes, wait=wait, container_name="run._.alice")


async def test_what_is_free_is_granted_at_once(granting: Granting, lab: Lab) -> None:
    granted = await grant(granting, lab)
    assert [slot.id for slot in granted.slots] == ["0:0"]


async def test_without_a_gpu_nobody_waits(granting: Granting, lab: Lab) -> None:
    granted = await grant(granting, lab, (GpuRequest(),), MINUTE)
    assert granted.slots == ()


async def test_when_nothing_is_free_it_fails_at_once_and_says_how_to_wait(
    granting: Granting, lab: Lab
) -> None:
    lab.run("bob")
    with pytest.raises(NoCapacity) as caught:
        await grant(granting, lab)
    told = str(refused_now(caught.value))
    assert "No MIG slot is free now." in told
    assert "You would be number 1 in the queue: wait with --label ds01.wait=15m" in told
    assert lab.tickets() == ()


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.2, ()),
        (4.9, ()),
        (20, ("Waited 20 seconds for a GPU.",)),
        (180, ("Waited 3 minutes for a GPU.",)),
    ],
)
def test_a_wait_that_somebody_noticed_is_told(seconds: float, told: tuple[str, ...]) -> None:
    assert told_of_wait(timedelta(seconds=seconds)) == told


async def test_a_refusal_that_has_no_place_is_told_as_it_is() -> None:
    error = NoCapacity("It is gone.", "Make it anew.")
    assert refused_now(error) is error


async def test_who_waits_gets_the_slot_when_it_is_free(granting: Granting, lab: Lab) -> None:
    theirs = lab.run("bob")
    waiting = asyncio.ensure_future(grant(granting, lab, wait=MINUTE))
    await until(lambda: len(lab.tickets()) == 1)
    lab.engine.remove(theirs)
    lab.wait(60)
    granted = await asyncio.wait_for(waiting, 5)
    assert [slot.id for slot in granted.slots] == ["0:0"]
    assert lab.tickets() == ()


async def test_a_wait_has_an_end_and_says_the_place(granting: Granting, lab: Lab) -> None:
    lab.run("bob")
    with pytest.raises(NoCapacity, match=r"No GPU became free in 0.*You were number 1 of 1"):
        await grant(granting, lab, wait=timedelta(seconds=0.05))
    assert lab.tickets() == ()


async def test_who_goes_away_gives_the_place_back(granting: Granting, lab: Lab) -> None:
    lab.run("bob")
    waiting = asyncio.ensure_future(grant(granting, lab, wait=MINUTE))
    await until(lambda: len(lab.tickets()) == 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: lab.tickets() == ())


async def test_who_goes_away_while_being_served_gives_the_slot_back(
    granting: Granting, lab: Lab
) -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def begin(_method: str) -> None:
        loop.call_soon_threadsafe(begun.set)

    lab.engine.on_call = begin
    waiting = asyncio.ensure_future(grant(granting, lab))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until(lambda: "gpu.allocate" in lab.events.actions and lab.reservations() == ())


async def test_a_wait_survives_moments_in_which_nothing_can_be_read(
    granting: Granting, lab: Lab
) -> None:
    theirs = lab.run("bob")
    waiting = asyncio.ensure_future(grant(granting, lab, wait=MINUTE))
    await until(lambda: len(lab.tickets()) == 1)
    lab.engine.stuck = True
    before = len(lab.engine.calls)
    await until(lambda: len(lab.engine.calls) > before)
    lab.engine.stuck = False
    lab.engine.remove(theirs)
    lab.wait(60)
    assert await asyncio.wait_for(waiting, 5)


async def test_nothing_is_waited_for_that_cannot_be_read_at_first(
    granting: Granting, lab: Lab
) -> None:
    lab.engine.stuck = True
    with pytest.raises(Unavailable):
        await grant(granting, lab, wait=MINUTE)


async def test_what_is_never_allowed_is_not_waited_for(granting: Granting, lab: Lab) -> None:
    with pytest.raises(Forbidden, match="allow_full_gpu"):
        await grant(granting, lab, (GpuRequest.parse("full"),), MINUTE)


async def test_of_several_sizes_the_first_that_is_free_is_taken() -> None:
    lab = Lab(probe=FakeProbe(machine(card(0, "1g.5gb", "1g.5gb"))))
    lab.policy.edit("defaults:\n  max_gpu_slots: 4\n  max_gpu_slots_per_container: 4\n")
    threads = Threads(2)
    granting = Granting(lambda: lab.admission, threads)
    sizes = tuple(GpuRequest.parse("mig", count) for count in (3, 2, 1))
    granted = await grant(granting, lab, sizes)
    assert len(granted.slots) == 2
    lab.admission.release(granted)
    lab.run("bob")
    assert len((await grant(granting, lab, sizes)).slots) == 1
    with pytest.raises(NoCapacity):
        await granting.grant(wanted(lab, "cem"), sizes, wait=None, container_name="run._.cem")
    assert "quota.reject" not in lab.events.actions
    threads.close()
