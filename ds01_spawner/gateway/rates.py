"""How often somebody may ask: a bucket of tokens for each person.

https://en.wikipedia.org/wiki/Token_bucket
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from ds01_spawner.client.problems import TooManyRequests

MOST_PEOPLE = 10_000


@dataclass(frozen=True, slots=True)
class Rate:
    """A bound.

    Attributes:
        burst: How much may be asked at once.
        per_second: How much may be asked for ever.
    """

    burst: float = 120.0
    per_second: float = 20.0


class Rates:
    """What each person has left."""

    def __init__(
        self, rate: Rate | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate or Rate()
        self._monotonic = monotonic
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str, cost: float = 1.0) -> None:
        """Return when `who` may ask something of that cost now.

        Raises:
            TooManyRequests: They may not; it says when.
        """
        now = self._monotonic()
        left, at = self._left.pop(who, (self._rate.burst, now))
        left = min(self._rate.burst, left + (now - at) * self._rate.per_second)
        refused = left < cost
        self._left[who] = (left if refused else left - cost), now
        while len(self._left) > MOST_PEOPLE:
            self._left.popitem(last=False)
        if refused:
            seconds = max(1, ceil((cost - left) / self._rate.per_second))
            raise TooManyRequests(
                f"You ask more often than {self._rate.per_second:g} times a second.",
                f"Ask again in {seconds} s.",
                retry_after_seconds=seconds,
            )
