import asyncio
from datetime import timedelta

import pytest

from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.gateway.api.kept_answers import KeptAnswers
from fakes.clock import FakeClock

MINUTE = timedelta(minutes=1)
NEVER_OLD = timedelta(0)


class Books:
    """Answers with how often each question was read."""

    def __init__(self, most: int = 4) -> None:
        self.clock = FakeClock()
        self.answers = KeptAnswers[str, str](most, self.clock.monotonic)
        self.read: list[str] = []
        self.broken = False

    async def ask(self, question: str, max_age: timedelta = MINUTE) -> str:
        async def read() -> str:
            self.read.append(question)
            number = self.read.count(question)
            await asyncio.sleep(0)
            if self.broken:
                raise Unavailable("The ledger cannot be read.")
            return f"{question} {number}"

        return await self.answers(question, max_age, read)


async def test_all_who_ask_within_a_minute_share_one_reading() -> None:
    books = Books()
    assert set(await asyncio.gather(*(books.ask("month") for _ in range(30)))) == {"month 1"}
    books.clock.advance(MINUTE)
    assert await books.ask("month") == "month 1"
    books.clock.advance(timedelta(seconds=1))
    assert await books.ask("month") == "month 2"


async def test_who_takes_no_older_one_gets_a_new_one() -> None:
    books = Books()
    await books.ask("month")
    assert await books.ask("month", NEVER_OLD) == "month 2"
    books.clock.advance(timedelta(seconds=3))
    assert await books.ask("month", timedelta(seconds=2)) == "month 3"
    assert await books.ask("month") == "month 3"


async def test_each_question_has_its_own_answer_and_few_are_kept() -> None:
    books = Books(most=2)
    for question in ("a", "b", "a", "c"):
        await books.ask(question)
    assert await books.ask("a") == "a 1"
    assert await books.ask("b") == "b 2"


async def test_what_cannot_be_read_is_asked_again() -> None:
    books = Books()
    books.broken = True
    with pytest.raises(Unavailable):
        await books.ask("month")
    books.broken = False
    assert await books.ask("month") == "month 2"


async def test_who_leaves_while_it_is_read_keeps_nobody_from_it() -> None:
    books = Books()
    leaving = asyncio.ensure_future(books.ask("month"))
    await asyncio.sleep(0)
    staying = asyncio.ensure_future(books.ask("month"))
    leaving.cancel()
    assert await asyncio.wait_for(staying, 5) == "month 2"
