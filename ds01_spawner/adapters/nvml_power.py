"""What a card takes, through NVML."""

from ds01_spawner.adapters.nvml_api import FAULTS, Handle, Nvml, is_driver_wide
from ds01_spawner.adapters.nvml_scan import told
from ds01_spawner.domain.gpu import CardPower

MILLI = 1000


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
    return power_of(nvml, handle)


def power_of(nvml: Nvml, handle: Handle) -> CardPower:
    """What a card takes now, as far as it tells.

    Raises:
        pynvml.NVMLError: The driver as a whole does not answer.
    """
    return CardPower(
        power_watts=told(lambda: nvml.nvmlDeviceGetPowerUsage(handle) / MILLI),
        energy_joules=told(lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle) / MILLI),
    )
