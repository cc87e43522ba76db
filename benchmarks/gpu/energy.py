"""What a GPU takes from the socket while something runs: NVML's counter, or what nvidia-smi says of
the power every tenth of a second. The whole board's, whoever else uses it."""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def metered(device: str) -> Iterator[dict[str, float | None]]:
    """{"joules": of what ran in the context}; None on a processor, or where nobody tells."""
    found: dict[str, float | None] = {"joules": None}
    index = physical(device)
    if index is None:
        yield found
        return
    counter = _counter(index)
    if counter is not None:
        before = counter()
        yield found
        found["joules"] = (counter() - before) / 1000
        return
    began, process = time.perf_counter(), _polling(index)
    try:
        yield found
    finally:
        watts = _ended(process)
    if watts:
        found["joules"] = sum(watts) / len(watts) * (time.perf_counter() - began)


def physical(device: str) -> int | None:
    """The driver's number of a device, which CUDA_VISIBLE_DEVICES may have renumbered; None for a
    processor, and for what is named otherwise."""
    kind, _, number = device.partition(":")
    if kind != "cuda":
        return None
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    names = visible.split(",") if visible else None
    own = number or "0"
    if names is not None:
        own = names[int(own)] if int(own) < len(names) else ""
    return int(own) if own.isdigit() else None


def _counter(index: int) -> Any:
    """What gives millijoules since the driver was loaded; None where NVML is not there."""
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        nvml.nvmlDeviceGetTotalEnergyConsumption(handle)  # not before Volta
    except Exception:  # no package, no library, no such counter: NVML's errors are its own
        return None
    return lambda: nvml.nvmlDeviceGetTotalEnergyConsumption(handle)


def _polling(index: int) -> subprocess.Popen[str] | None:
    query = ["--query-gpu=power.draw", "--format=csv,noheader,nounits", "-lms", "100"]
    command = ["nvidia-smi", "-i", str(index), *query]
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    except OSError:
        return None


def _ended(process: subprocess.Popen[str] | None) -> list[float]:
    """End what polls; the watts that it has seen."""
    if process is None:
        return []
    process.terminate()
    lines = process.communicate()[0].split()
    watts = []
    for line in lines:
        with contextlib.suppress(ValueError):  # "[N/A]", or a line that was cut
            watts.append(float(line))
    return watts
