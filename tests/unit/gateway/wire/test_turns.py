import asyncio
from collections import Counter

from ds01_spawner.gateway.wire.turns import Turns


class Crowd:
    """Counts who has a turn, and in which order they came."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.order: list[str] = []

    async def one(self, user: str) -> None:
        async with self.turns.of(user):
            self.order.append(user)
            self.now.update([user, ""])
            self.most |= self.now
            await asyncio.sleep(0)
            self.now.subtract([user, ""])


async def test_few_have_a_turn_at_a_time_and_everybody_gets_one() -> None:
    crowd = Crowd(Turns(2, 5))
    await asyncio.gather(*(crowd.one(user) for user in "abcd" for _ in range(20)))
    assert max(crowd.most[user] for user in "abcd") == 2
    assert crowd.most[""] == 5
    assert Counter(crowd.order) == dict.fromkeys("abcd", 20)


async def test_who_comes_later_does_not_wait_for_all_of_anothers() -> None:
    crowd = Crowd(Turns(2, 2))
    await asyncio.gather(*(crowd.one("a") for _ in range(20)), crowd.one("b"))
    assert crowd.order.index("b") <= 4


async def test_a_turn_of_somebody_who_went_is_free_again() -> None:
    turns = Turns(1, 1)

    async def forever() -> None:
        async with turns.of("a"):
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(forever()) for _ in range(2)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(1), turns.of("a"):
        pass
