import pytest

from ds01_spawner.domain.errors import Forbidden, InvalidRequest, Unavailable
from ds01_spawner.domain.offer import Offer
from ds01_spawner.operations.allocation.offers import offer_to
from fakes.lab import Lab
from fakes.probe import FakeProbe, card, machine


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
