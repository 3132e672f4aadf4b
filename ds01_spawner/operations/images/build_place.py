"""A place for somebody's build of an image: bounds in force, and kept so while it goes on."""

import uuid
from dataclasses import dataclass
from datetime import timedelta

from ds01_spawner.domain.allocation import BUILD, Reservation
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.domain.limits import Limits
from ds01_spawner.domain.names import container_name
from ds01_spawner.operations.allocation.admission import Admission
from ds01_spawner.operations.allocation.aggregate import Aggregates
from ds01_spawner.ports import Clock, Ledger

LIFETIME = timedelta(minutes=3)
KEEP_EVERY = timedelta(seconds=45)
"""How often whoever builds says that it still does: more than twice within `LIFETIME`."""


@dataclass(frozen=True, slots=True)
class BuildPlace:
    """Where the steps of one build run.

    Attributes:
        promise: Id of what keeps the person's cgroup, also between two steps.
        user: Whose it is.
        limits: Their limits when it began.
        cgroup_parent: In the engine's form.
    """

    promise: str
    user: str
    limits: Limits
    cgroup_parent: str


class BuildPlaces:
    """Gives places. A build has no GPU and does not count among a person's containers."""

    def __init__(
        self, *, clock: Clock, ledger: Ledger, admission: Admission, aggregates: Aggregates
    ) -> None:
        self._clock = clock
        self._ledger = ledger
        self._admission = admission
        self._aggregates = aggregates

    def begin(self, user: str, limits: Limits) -> BuildPlace:
        """A place for a build that begins now.

        Raises:
            QuotaExceeded: The person's home is full.
            Unavailable: The person's bounds are not in force, or the ledger cannot be written.
        """
        self._admission.rules.check_storage(user, limits)
        now = self._clock.now()
        promise = Reservation(
            id=uuid.uuid4().hex,
            user=user,
            container_name=container_name(BUILD, user),
            gpu_uuids=(),
            gpu_equivalents=0.0,
            created_at=now,
            expires_at=now + LIFETIME,
        )
        # First, so that nobody removes the cgroup that the next line bounds.
        with self._ledger.transaction() as transaction:
            transaction.add_reservation(promise)
        try:
            parent = self._aggregates.apply(limits, user)
        except Unavailable:
            self._forget(promise.id)
            raise
        return BuildPlace(promise.id, user, limits, parent)

    def keep(self, place: BuildPlace) -> None:
        """Say that the build goes on, and set its bounds again where something changed them.

        Raises:
            Unavailable: The bounds are not in force, or the ledger cannot be written.
        """
        with self._ledger.transaction() as transaction:
            transaction.set_expiry(place.promise, self._clock.now() + LIFETIME)
        self._aggregates.verify(place.limits, place.user)

    def end(self, place: BuildPlace) -> None:
        """Say that the build is over.

        Raises:
            Unavailable: The ledger cannot be written; the place lapses by itself.
        """
        self._forget(place.promise)

    def _forget(self, promise: str) -> None:
        with self._ledger.transaction() as transaction:
            transaction.remove_reservations([promise])
