"""NVML calls that fail, change or hang on command, over the simulated ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pynvml

from ds01_spawner.adapters.nvml_api import Nvml
from ds01_spawner.adapters.simulated_nvml import SimulatedNvml
from ds01_spawner.policy.gpu_config import SimulatedCard, Simulation


def nvml_error(name: str) -> pynvml.NVMLError:
    """The real exception: `nvml_error("gpu_is_lost")`."""
    return pynvml.NVMLError(getattr(pynvml, f"NVML_ERROR_{name.upper()}"))


@dataclass(slots=True)
class _Fault:
    error: Exception
    applies: Callable[..., bool]
    left: float


class FaultyNvml:
    """The functions of `pynvml` over a simulated machine, with faults.

    Attributes:
        calls: Names of the functions called, in order.
    """

    def __init__(self, *cards: SimulatedCard) -> None:
        self.inner = SimulatedNvml(Simulation(seed="test", gpus=cards or (SimulatedCard(),)))
        self.calls: list[str] = []
        self._faults: dict[str, list[_Fault]] = {}
        self._replaced: dict[str, Callable[..., Any]] = {}

    @property
    def as_nvml(self) -> Nvml:
        return cast("Nvml", self)

    def fail(
        self,
        function: str,
        error: str | Exception,
        *,
        on: Callable[..., bool] = lambda *_: True,
        times: float = float("inf"),
    ) -> None:
        """Raise `error` from `function` when `on(*arguments)`, at most `times` times."""
        raised = nvml_error(error) if isinstance(error, str) else error
        self._faults.setdefault(function, []).append(_Fault(raised, on, times))

    def answer(self, function: str, answer: Callable[..., Any]) -> None:
        """Let `answer(*arguments)` stand in for `function`."""
        self._replaced[function] = answer

    def heal(self) -> None:
        """No faults any more."""
        self._faults.clear()
        self._replaced.clear()

    def count(self, function: str) -> int:
        return self.calls.count(function)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        real = getattr(self.inner, name)

        def call(*arguments: Any) -> Any:
            self.calls.append(name)
            for fault in self._faults.get(name, []):
                if fault.left > 0 and fault.applies(*arguments):
                    fault.left -= 1
                    raise fault.error
            return self._replaced.get(name, real)(*arguments)

        return call
