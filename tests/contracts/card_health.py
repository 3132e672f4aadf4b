"""What every `GpuProbe` says of how cards are, the fake and the real one."""

from collections.abc import Callable

import pytest

from ds01_spawner.domain.card_health import CardHealth, ThrottleReason
from ds01_spawner.domain.errors import Unavailable
from ds01_spawner.ports import GpuProbe


class CardHealthContract:
    """Inherit, and give the fixtures `probe`, `lose` and `silence`."""

    def test_every_card_is_told_by_its_uuid_split_or_whole(self, probe: GpuProbe) -> None:
        found = probe.health()
        assert set(found) == {gpu.uuid for gpu in probe.inventory().gpus}
        assert all(isinstance(each, CardHealth) for each in found.values())

    def test_cards_are_in_different_places(self, probe: GpuProbe) -> None:
        places = [each.pci_bus_id for each in probe.health().values()]
        assert len(set(places)) == len(places)
        assert all(place is not None and place.count(":") == 2 for place in places)

    def test_it_says_the_same_of_power_as_power_does(self, probe: GpuProbe) -> None:
        assert {uuid: each.power for uuid, each in probe.health().items()} == dict(probe.power())

    def test_reasons_are_known_ones(self, probe: GpuProbe) -> None:
        for each in probe.health().values():
            assert each.throttled is None or each.throttled <= set(ThrottleReason)

    def test_a_lost_card_is_left_out(self, probe: GpuProbe, lose: Callable[[str], None]) -> None:
        first, *others = [gpu.uuid for gpu in probe.inventory().gpus]
        lose(first)
        assert set(probe.health()) == set(others)

    def test_a_driver_that_is_gone_is_unavailable(
        self, probe: GpuProbe, silence: Callable[[], None]
    ) -> None:
        silence()
        with pytest.raises(Unavailable):
            probe.health()
