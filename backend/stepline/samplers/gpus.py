"""What NVML tells of each GPU, and which GPUs a run uses.

    gpu.0.utilization   percent of the time in which a kernel ran     gpu.0.memory           bytes in use
    gpu.0.temperature   °C                                            gpu.0.process_memory   bytes that the run uses
    gpu.0.power         watts

Where the library (nvidia-ml-py) or the driver is missing there are no figures and no error; a figure that a GPU does
not tell, or a GPU that fell off the bus, is left out. NVML makes no CUDA context: it takes no GPU memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_INITIAL_NAMESPACE = "pid:[4026531836]"
"""Linux gives the machine's own namespace of process ids this number; a container has another."""


@dataclass(frozen=True, slots=True)
class Gpu:
    index: int
    values: dict[str, float]
    memory_by_pid: dict[int, float | None] | None
    """Of the processes that compute on it: bytes, None where that is not told. None: they are not told, or are of
    another namespace than ours."""

    def figures(self, pids: frozenset[int]) -> dict[str, float]:
        """Its figures for a run of these processes; none where it is known that the run is not on it."""
        found = {f"gpu.{self.index}.{name}": value for name, value in self.values.items()}
        if self.memory_by_pid is None:
            return found
        own = [self.memory_by_pid[pid] for pid in pids & self.memory_by_pid.keys()]
        if not own:
            return {}
        told = [size for size in own if size is not None]
        return found | ({f"gpu.{self.index}.process_memory": sum(told)} if told else {})


class Gpus:
    """This machine's GPUs. NVML is loaded at the first reading."""

    def __init__(self) -> None:
        self._nvml: Any = None
        self._asked = False

    def read(self) -> list[Gpu]:
        """Those that answer; none where there is no driver."""
        nvml = self._loaded()
        if nvml is None:
            return []
        count = _told(nvml, lambda: nvml.nvmlDeviceGetCount()) or 0
        return [gpu for index in range(count) if (gpu := self._gpu(nvml, index)) is not None]

    def names(self) -> list[str]:
        """Of those that answer: model, memory and driver."""
        nvml = self._loaded()
        if nvml is None:
            return []
        driver = _told(nvml, nvml.nvmlSystemGetDriverVersion)
        found = [_name(nvml, index) for index in range(_told(nvml, nvml.nvmlDeviceGetCount) or 0)]
        return [f"{name}, driver {driver}" for name in found if name is not None]

    def close(self) -> None:
        nvml, self._nvml = self._nvml, None
        if nvml is not None:
            _told(nvml, nvml.nvmlShutdown)

    def _loaded(self) -> Any:
        if self._asked:
            return self._nvml
        self._asked = True
        try:
            import pynvml
        except ImportError:
            return None
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError:
            # No driver, or one that this process may not use.
            return None
        self._nvml = pynvml
        return pynvml

    @staticmethod
    def _gpu(nvml: Any, index: int) -> Gpu | None:
        handle = _told(nvml, lambda: nvml.nvmlDeviceGetHandleByIndex(index))
        if handle is None:
            return None
        figures: dict[str, Callable[[], float]] = {
            "utilization": lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu,
            "memory": lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used,
            "temperature": lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
            "power": lambda: nvml.nvmlDeviceGetPowerUsage(handle) / 1000,
        }
        told = {name: _told(nvml, ask) for name, ask in figures.items()}
        values = {name: float(value) for name, value in told.items() if value is not None}
        return Gpu(index, values, _processes(nvml, handle)) if values else None


def _name(nvml: Any, index: int) -> str | None:
    handle = _told(nvml, lambda: nvml.nvmlDeviceGetHandleByIndex(index))
    model = None if handle is None else _told(nvml, lambda: nvml.nvmlDeviceGetName(handle))
    memory = None if handle is None else _told(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle))
    return None if model is None else f"{model}{f', {memory.total / (1 << 30):.0f} GiB' if memory else ''}"


def _processes(nvml: Any, handle: Any) -> dict[int, float | None] | None:
    if not _sees_all_processes():
        return None
    running = _told(nvml, lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle))
    return None if running is None else {each.pid: each.usedGpuMemory for each in running}


def _sees_all_processes() -> bool:
    """Whether NVML's process ids are ours: in a container it tells the machine's, or none."""
    try:
        return os.readlink("/proc/self/ns/pid") == _INITIAL_NAMESPACE
    except OSError:
        return not os.path.exists("/proc/self")


def _told(nvml: Any, ask: Callable[[], Any]) -> Any:
    """What NVML answers; None where it cannot: not supported, no permission, the GPU is lost."""
    try:
        return ask()
    except nvml.NVMLError:
        return None
