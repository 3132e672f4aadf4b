"""A request that may be sent twice, because nobody knows whether the first arrived.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

LIFETIME = timedelta(hours=24)
MOST_OF_ONE = 100
"""Requests of one person that are remembered; beyond that the oldest is forgotten."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What a request with a key of its own was answered.

    Attributes:
        user: Who asked.
        key: What they called the request.
        digest: Of what was asked: another question with the same key is a mistake.
        began_at: When it came.
        status: HTTP status of the answer; 0 while there is none, or when nobody knows it because
            the process died.
        body: The answer, JSON.
    """

    user: str
    key: str
    digest: str
    began_at: datetime
    status: int = 0
    body: str = ""
