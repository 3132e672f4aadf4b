"""What a card takes, through NVML."""

from collections.abc import Callable

from ds01_spawner.adapters.nvml_api import FAULTS, Nvml, is_driver_wide
from ds01_spawner.domain.gpu import CardPower

_MILLI = 1000


def read_power(nvml: Nvml, uuid: str) -> CardPower | None:
    """What a card takes now, or `None` when it cannot be reached.

    A figure that it does not have, or that fails, is missing; the other may be there.

    Raises:
        pynvml.NVMLError: The driver as a whole does not answer.
    """
    try:
        handle = nvml.nvmlDeviceGetHandleByUUID(uuid)
    except FAULTS as error:
        if is_driver_wide(error):
            raise
        return None
    return CardPower(
        power_watts=_thousandth(lambda: nvml.nvmlDeviceGetPowerUsage(handle)),
        energy_joules=_thousandth(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle)),
    )


def _thousandth(read: Callable[[], int]) -> float | None:
    try:
        return read() / _MILLI
    except FAULTS as error:
        if is_driver_wide(error):
            raise
        return None
