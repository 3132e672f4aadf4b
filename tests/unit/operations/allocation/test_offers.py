from datetime import timedelta

import pytest

from ds01_spawner.domain.errors import Forbidden, InvalidRequest, Unavailable
from ds01_spawner.domain.offer import Offer
from ds01_spawner.operations.allocation.offers import offer_to
from fakes.lab import Lab
from fakes.probe import FakeProbe, card, machine

HOUR = timedelta(hours=1)
NONE = timedelta(0)


def sizes(found: Offer) -> dict[str, tuple[int, int, int]]:
    return {each.size: (each.free, each.waiting, each.place) for each in found.sizes}


def one_slot() -> Lab:
    return Lab(probe=FakeProbe(machine(card(0, "1g.5gb"))))


def test_an_offer_is_what_the_decision_would_be() -> None:
    lab = one_slot()
    assert sizes(offer_to(lab.admission, "zoe", "jupyter"))["1g.5gb"] == (1, 0, 0)
    lab.run("amy")
    lab.wait(60)
    assert sizes(offer_to(lab.admission, "zoe", "jupyter"))["1g.5gb"] == (0, 0, 1)
    lab.queued(lab.request("bob"))
    lab.wait(5)
    assert sizes(offer_to(lab.admission, "zoe", "jupyter"))["1g.5gb"] == (0, 1, 2)


def test_an_offer_tells_how_long_each_number_of_slots_is_waited_for() -> None:
    lab = Lab(probe=FakeProbe(machine(card(0), card(1), card(2))))
    lab.held_lately(3 * HOUR)

    def waits() -> tuple[timedelta | None, ...]:
        return offer_to(lab.admission, "zoe", "jupyter", ("researcher",)).sizes[1].waits

    def takes(user: str) -> None:
        request = lab.request(user, "full", groups=("researcher",))
        lab.launch(request, lab.granted(request))

    assert waits() == (NONE, NONE, NONE)
    takes("amy")
    assert waits() == (NONE, NONE, 3 * HOUR)
    takes("bob")
    assert waits() == (NONE, 1.5 * HOUR, 4.5 * HOUR)
    takes("cem")
    assert waits() == (HOUR, 2.5 * HOUR, 5.5 * HOUR)
    lab.queued(lab.request("dee", "full", count=2, groups=("researcher",)))
    lab.wait(1)
    assert waits()[0] == 3.5 * HOUR


def test_how_long_a_lost_card_is_waited_for_is_not_known() -> None:
    lab = Lab(probe=FakeProbe(machine(card(0), card(1))))
    lab.held_lately(2 * HOUR)
    lab.probe.unreadable = {slot.uuid for slot in lab.probe.present.slots}
    found = offer_to(lab.admission, "zoe", "jupyter", ("researcher",)).sizes[1]
    assert (found.place, found.waits) == (1, (None, None))


def test_an_offer_takes_nothing() -> None:
    lab = one_slot()
    offer_to(lab.admission, "zoe", "jupyter")
    assert lab.taken() == {}
    assert lab.tickets() == ()
    assert lab.events.events == []


def test_hub_groups_count() -> None:
    lab = Lab(probe=FakeProbe(machine(card(0))))
    student = offer_to(lab.admission, "zoe", "jupyter")
    researcher = offer_to(lab.admission, "zoe", "jupyter", ("researcher",))
    assert student.sizes[1].refusal
    assert not researcher.sizes[1].refusal


@pytest.mark.parametrize(
    ("user", "error"), [("root", Forbidden), ("a/b", InvalidRequest), ("", InvalidRequest)]
)
def test_nobody_who_cannot_be_a_person_is_offered_anything(
    user: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        offer_to(one_slot().admission, user, "jupyter")


def test_when_something_cannot_be_read_nothing_is_offered() -> None:
    lab = one_slot()
    lab.probe.stuck = True
    with pytest.raises(Unavailable):
        offer_to(lab.admission, "zoe", "jupyter")
