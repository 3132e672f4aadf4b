import asyncio
from collections.abc import Callable

import pytest

from ds01_spawner.spawner.boot_gate import BootGate


class Boot:
    """Somebody who goes through a gate and stays until told to leave."""

    def __init__(self, gate: BootGate, user: str = "") -> None:
        self.user = user or f"user{id(self)}"
        self.places: list[int] = []
        self.inside = False
        self.leave = asyncio.Event()
        self.entered = asyncio.Event()
        self.error: Exception | None = None
        self.task = asyncio.create_task(self._go(gate))

    async def _go(self, gate: BootGate) -> None:
        async with gate.turn(self.user, self.places.append):
            self.inside = True
            self.entered.set()
            await self.leave.wait()
            self.inside = False
            if self.error is not None:
                raise self.error

    async def end(self) -> None:
        self.leave.set()
        await asyncio.gather(self.task, return_exceptions=True)
        await settled()


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def queue_of(count: int, limit: int = 1) -> list[Boot]:
    gate = BootGate(limit)
    boots = []
    for _ in range(count):
        boots.append(Boot(gate))
        await settled()
    return boots


def inside(boots: list[Boot]) -> list[bool]:
    return [boot.inside for boot in boots]


async def test_as_many_as_the_limit_go_in_without_hearing_of_a_place() -> None:
    boots = await queue_of(3, limit=2)
    assert inside(boots) == [True, True, False]
    assert [boot.places for boot in boots] == [[], [], [1]]
    for boot in boots:
        await boot.end()


async def test_first_come_first_served_and_everybody_hears_their_place() -> None:
    boots = await queue_of(4)
    assert [boot.places for boot in boots] == [[], [1], [2], [3]]
    for number, boot in enumerate(boots):
        assert inside(boots) == [other is boot for other in boots], number
        await boot.end()
    assert [boot.places for boot in boots] == [[], [1], [2, 1], [3, 2, 1]]


async def test_who_gives_up_waiting_lets_the_others_move_up() -> None:
    boots = await queue_of(3)
    boots[1].task.cancel()
    await settled()
    assert boots[2].places == [2, 1]
    assert inside(boots) == [True, False, False]
    await boots[0].end()
    assert boots[2].inside
    await boots[2].end()


async def test_who_is_cancelled_inside_frees_the_place() -> None:
    boots = await queue_of(2)
    boots[0].task.cancel()
    await settled()
    assert boots[1].inside
    await boots[1].end()


async def test_who_is_cancelled_when_just_admitted_frees_the_place() -> None:
    boots = await queue_of(3)
    boots[0].leave.set()
    boots[1].task.cancel()
    await settled()
    assert boots[2].inside
    assert not boots[1].inside
    await boots[2].end()


async def test_an_error_inside_frees_the_place_and_is_passed_on() -> None:
    boots = await queue_of(2)
    boots[0].error = OSError("boot failed")
    boots[0].leave.set()
    with pytest.raises(OSError, match="boot failed"):
        await boots[0].task
    await settled()
    assert boots[1].inside
    await boots[1].end()


async def test_a_listener_that_fails_keeps_nobody_out() -> None:
    gate = BootGate(1)
    first = Boot(gate)
    await settled()
    failing = asyncio.create_task(_enter(gate, _refuse))
    await settled()
    with pytest.raises(ValueError, match="no listener"):
        await failing
    await first.end()
    last = Boot(gate)
    await settled()
    assert last.inside
    await last.end()


async def _enter(gate: BootGate, on_place: Callable[[int], None]) -> None:
    async with gate.turn("zoe", on_place):
        pass


def _refuse(place: int) -> None:
    raise ValueError(f"no listener for {place}")


async def test_somebody_with_nobody_inside_goes_before_a_persons_next_server() -> None:
    gate = BootGate(2)
    hanging = [Boot(gate, "alice") for _ in range(4)]
    await settled()
    other = Boot(gate, "bob")
    await settled()

    await hanging[0].end()

    assert other.inside
    assert not hanging[2].inside
    for boot in (*hanging, other):
        await boot.end()


async def test_a_boot_that_takes_too_long_no_longer_keeps_others_waiting() -> None:
    gate = BootGate(1, longest_turn=0.01)
    hanging = Boot(gate)
    await settled()
    other = Boot(gate)

    async with asyncio.timeout(5):
        while not other.inside:  # noqa: ASYNC110 - the loop is what is tested
            await asyncio.sleep(0.005)

    assert hanging.inside
    for boot in (hanging, other):
        await boot.end()
    assert Boot(gate).places == []
