from collections.abc import Callable

import pytest

from ds01_spawner.domain.container import DeviceDemand
from ds01_spawner.domain.gpu import Gpu, Inventory
from ds01_spawner.domain.occupancy import SlotIndex


@pytest.mark.parametrize("shorten", [lambda uuid: uuid[:12], str.upper], ids=["prefix", "case"])
def test_a_shortened_uuid_names_its_slot(shorten: Callable[[str], str]) -> None:
    inventory = Inventory("simulated", (Gpu("GPU-8932f937-aaaa", 0, "A100", 40 * 2**30),))

    found = SlotIndex(inventory).demanded(DeviceDemand(uuids=(shorten("GPU-8932f937-aaaa"),)))

    assert [slot.id for slot in found] == ["0"]
