"""The processes on one slot through NVML, with what each has of it.

Of a MIG instance NVML tells memory alone: shares of the multiprocessors are not supported there
(https://docs.nvidia.com/deploy/nvml-api/group__nvmlGridQueries.html).
"""

import pynvml

from ds01_spawner.adapters.nvml_api import FAULTS, Handle, Nvml, error_code, is_driver_wide
from ds01_spawner.adapters.nvml_scan import computing, optional
from ds01_spawner.domain.attribution import GpuProcess

_ANY_TIME = 0
_PERCENT = 100


def read_processes(nvml: Nvml, handle: Handle, uuid: str) -> tuple[GpuProcess, ...] | None:
    """Every process on a slot, or `None` when the driver does not say.

    Raises:
        pynvml.NVMLError: The driver as a whole does not answer.
    """
    try:
        compute = {each.pid: each.usedGpuMemory for each in computing(nvml, handle)}
        drawing = optional(lambda: nvml.nvmlDeviceGetGraphicsRunningProcesses(handle)) or ()
        draw = {each.pid: each.usedGpuMemory for each in drawing}
        shares = _sm_shares(nvml, handle) if compute or draw else {}
    except FAULTS as error:
        if is_driver_wide(error):
            raise
        return None
    return tuple(
        GpuProcess(
            pid=pid,
            uuid=uuid,
            memory_bytes=memory_bytes,
            sm_share=shares.get(pid),
            computes=pid in compute,
        )
        for pid, memory_bytes in sorted({**draw, **compute}.items())
    )


def _sm_shares(nvml: Nvml, handle: Handle) -> dict[int, float]:
    """The newest share of each process; what the driver does not say is nobody's fault."""
    try:
        samples = nvml.nvmlDeviceGetProcessUtilization(handle, _ANY_TIME)
    except FAULTS as error:
        if is_driver_wide(error) or error_code(error) == pynvml.NVML_ERROR_GPU_IS_LOST:
            raise
        return {}
    newest: dict[int, tuple[int, int]] = {}
    for each in samples:
        newest[each.pid] = max(newest.get(each.pid, (0, 0)), (each.timeStamp, each.smUtil))
    return {pid: min(percent / _PERCENT, 1.0) for pid, (_, percent) in newest.items()}
