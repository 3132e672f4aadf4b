"""Requests that are sent twice are done once: what the first was answered is kept."""

from datetime import timedelta

from ds01_spawner.domain.errors import Conflict, InvalidRequest
from ds01_spawner.domain.repetition import LIFETIME, MOST_OF_ONE, KeptAnswer
from ds01_spawner.ports import Clock, Ledger

LONGEST_DEED = timedelta(minutes=10)
"""What has begun longer ago and has no end was cut off with the process that did it."""


class Repetitions:
    """Kept in the ledger: a restart forgets nothing. Blocks: only within threads."""

    def __init__(self, clock: Clock, ledger: Ledger) -> None:
        self._clock = clock
        self._ledger = ledger

    def begin(self, user: str, key: str, digest: str) -> KeptAnswer | None:
        """What the first such request was answered; `None` where this is the first.

        Raises:
            Conflict: The first is still being done.
            InvalidRequest: The first asked for something else.
            Unavailable: The ledger cannot be used.
        """
        now = self._clock.now()
        with self._ledger.transaction() as transaction:
            transaction.remove_kept_answers_before(now - LIFETIME)
            known = {each.key: each for each in transaction.kept_answers(user)}
            found = known.get(key)
            if found is not None and found.digest != digest:
                raise InvalidRequest(
                    "This Idempotency-Key was used for something else.", "Make a new one."
                )
            if found is not None and found.status:
                return found
            if found is not None and abs(now - found.began_at) < LONGEST_DEED:
                raise Conflict(
                    "The first request with this Idempotency-Key is still being done.",
                    "Ask again in a moment.",
                )
            for old in list(known)[: max(0, len(known) - MOST_OF_ONE + 1)]:
                transaction.remove_kept_answer(user, old)
            transaction.put_kept_answer(KeptAnswer(user, key, digest, now))
        return None

    def keep(self, user: str, key: str, digest: str, *, status: int, body: str) -> None:
        """Answer repetitions with this from now on."""
        answer = KeptAnswer(user, key, digest, self._clock.now(), status, body)
        with self._ledger.transaction() as transaction:
            transaction.put_kept_answer(answer)

    def forget(self, user: str, key: str) -> None:
        """It was not done: a repetition asks anew."""
        with self._ledger.transaction() as transaction:
            transaction.remove_kept_answer(user, key)
