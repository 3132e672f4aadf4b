"""Chooses where the GPUs come from: the driver or the simulation."""

import ctypes
from pathlib import Path

from ds01_spawner.adapters.nvml import NvmlProbe
from ds01_spawner.adapters.simulated_nvml import SimulatedNvml
from ds01_spawner.policy.gpu_config import GpuConfig, GpuSource
from ds01_spawner.ports import GpuProbe

LIBRARY = "libnvidia-ml.so.1"
SIMULATION_STATE = "simulated-gpus.json"
"""Name, in the state folder, of the file that says what simulated cards do."""


def open_probe(
    config: GpuConfig, simulation_state: Path | None = None, *, root: Path = Path("/")
) -> GpuProbe:
    """The probe that `config.source` asks for.

    `auto` simulates only where no trace of a driver exists. A driver that fails is never replaced
    by a simulation: people would be given cards that are not there.

    Args:
        config: The configuration.
        simulation_state: JSON file that says what simulated cards do; it need not exist.
        root: Where `/proc` and `/dev` are looked for.
    """
    simulated = config.source is GpuSource.SIMULATED or (
        config.source is GpuSource.AUTO and not driver_traces(root)
    )
    if simulated:
        return NvmlProbe(SimulatedNvml(config.simulated, simulation_state), source="simulated")
    return NvmlProbe()


def driver_traces(root: Path = Path("/"), library: str = LIBRARY) -> tuple[str, ...]:
    """What there is of an NVIDIA driver on this machine; empty when there is none."""
    traces = [str(path) for path in sorted((root / "dev").glob("nvidia*"))]
    if (root / "proc/driver/nvidia").exists():
        traces.append(str(root / "proc/driver/nvidia"))
    try:
        ctypes.CDLL(library)
    except OSError as error:
        absent = f"{library}: cannot open shared object file: No such file"
        if not str(error).startswith(absent):  # it is there and cannot be loaded
            traces.append(library)
    else:
        traces.append(library)
    return tuple(traces)
