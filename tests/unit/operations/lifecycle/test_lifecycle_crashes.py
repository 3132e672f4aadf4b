"""`kill -9` of the service at every place where it touches anything outside itself."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

import pytest

from ds01_spawner.domain.labels import Interface
from ds01_spawner.domain.notice import NoticeKind
from fakes.lifecycle_lab import POLICY, Killed, LifecycleLab

SHORT = POLICY.replace("idle_timeout: 2h", "idle_timeout: 10m").replace(
    "startup_grace: 30m", "startup_grace: 0s"
)
LEAD = timedelta(minutes=5)


class Bomb:
    """Kills the service at the n-th place from now; before or after, every place is one."""

    def __init__(self, night: LifecycleLab, at: int) -> None:
        self.left = at
        self.places: list[str] = []
        lab = night.lab
        lab.engine.on_call = lambda method: self.tick(f"before {method}")
        lab.events.append = self._around(lab.events.append, "event")  # type: ignore[method-assign]
        night.hub.stop = self._around(night.hub.stop, "hub stop")  # type: ignore[method-assign]
        night.board.show = self._around(night.board.show, "board")  # type: ignore[method-assign]
        lab.ledger.transaction = self._transactions(  # type: ignore[method-assign]
            lab.ledger.transaction
        )

    def tick(self, place: str) -> None:
        self.places.append(place)
        self.left -= 1
        if self.left == 0:
            raise Killed(place)

    def _around(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def called(*arguments: Any) -> Any:
            self.tick(f"before {name}")
            answer = call(*arguments)
            self.tick(f"after {name}")
            return answer

        return called

    def _transactions(
        self, begin: Callable[[], AbstractContextManager[Any]]
    ) -> Callable[[], AbstractContextManager[Any]]:
        @contextmanager
        def transaction() -> Iterator[Any]:
            with begin() as transaction:
                yield transaction
                self.tick("before commit")
            self.tick("after commit")

        return transaction


def lived_through(night: LifecycleLab, minutes: int) -> None:
    """So many minutes, with a new process whenever one is killed."""
    for _ in range(minutes):
        try:
            night.one_pass()
        except Killed:
            night.restart()


def scenario(interface: Interface) -> LifecycleLab:
    night = LifecycleLab(SHORT)
    night.run(interface=interface)
    night.minutes(6)
    assert night.warnings() == []
    return night


def check(night: LifecycleLab) -> None:
    """Warned twice, once each, then stopped, told once, and removed."""
    kinds = [each.kind for each in night.notices()]
    assert kinds == [NoticeKind.FIRST_WARNING, NoticeKind.FINAL_WARNING, NoticeKind.STOPPED]
    assert night.container() is None
    (stop,) = night.rule_stops()
    final = night.notices(NoticeKind.FINAL_WARNING)[0]
    assert stop.decided_at - final.created_at >= LEAD
    assert len(night.lab.events.of("cleanup.stale")) <= 1
    assert len(night.lab.events.of("cleanup.idle")) in {1, 2}, "once, or again after a lost commit"


def places(night: LifecycleLab, minutes: int) -> tuple[list[str], list[int]]:
    """Every place that is touched, and the numbers of those in passes like no pass before."""
    bomb = Bomb(night, at=0)
    seen: set[tuple[str, ...]] = set()
    numbers: list[int] = []
    for _ in range(minutes):
        begin = len(bomb.places)
        night.one_pass()
        touched = tuple(bomb.places[begin:])
        if touched not in seen:
            seen.add(touched)
            numbers.extend(range(begin + 1, len(bomb.places) + 1))
    return bomb.places, numbers


@pytest.mark.parametrize("interface", [Interface.HUB, Interface.CLI])
def test_the_next_process_carries_on_wherever_one_is_killed(interface: Interface) -> None:
    unharmed = scenario(interface)
    names, interesting = places(unharmed, 60)
    check(unharmed)
    assert len(interesting) > 50
    for at in interesting:
        night = scenario(interface)
        Bomb(night, at)
        lived_through(night, 70)
        try:
            check(night)
        except AssertionError as exc:
            raise AssertionError(f"killed {at}: {names[at - 1]}") from exc


def test_killed_again_and_again_it_still_gets_there() -> None:
    night = scenario(Interface.HUB)
    bomb = Bomb(night, at=60)
    for _ in range(300):
        try:
            night.one_pass()
        except Killed:
            night.restart()
            bomb.left = 60
    check(night)
