"""Whose containers are, where nothing but containers is looked at."""

import time
from collections.abc import Callable, Iterable, Mapping

from ds01_spawner.domain.attribution import Owner
from ds01_spawner.domain.container import Container
from ds01_spawner.domain.container_owner import container_owner
from ds01_spawner.operations.attribution.who_is_who import WhoIsWho
from ds01_spawner.ports import Accounts


class ContainerOwners:
    """Finds out whose they are. For one thread at a time.

    Args:
        accounts: Asked for people's names.
        monotonic: Seconds that never jump.
    """

    def __init__(self, accounts: Accounts, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._people = WhoIsWho(accounts, monotonic)

    def __call__(self, containers: Iterable[Container]) -> Mapping[str, Owner]:
        """By id; one that cannot be found out while names cannot be looked up is not in it."""
        self._people.begin()
        found = {}
        for each in containers:
            owner = container_owner(each, self._people)
            if owner.user is not None or not self._people.problems:
                found[each.id] = owner
        return found
