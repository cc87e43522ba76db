"""The GPUs of this machine as their driver lists them, whatever a framework sees of them."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from ..backend import check_backend

FIELDS = "name,driver_version,memory.total,compute_cap"


@dataclass(frozen=True)
class GPU:
    """One GPU: what it is called, and its compute capability, 0 where the driver is too old to
    say."""

    name: str
    driver: str
    memory: str
    capability: float


def found() -> list[GPU]:
    """The GPUs that `nvidia-smi` lists; none where it is not there, or fails."""
    command = ["nvidia-smi", f"--query-gpu={FIELDS}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = done.stdout.strip().splitlines() if not done.returncode else []
    return [_gpu([cell.strip() for cell in line.split(",")]) for line in lines]


def too_new(backend: str, gpus: list[GPU]) -> str:
    """Why a backend's last build for GPUs is not for these, in a line; "" if it may be."""
    newest = check_backend(backend).releases.newest_gpu
    beyond = [gpu.capability for gpu in gpus if newest and gpu.capability > newest]
    if not beyond:
        return ""
    return (
        f"its last build for CUDA has no code for GPUs after compute capability {newest}, and"
        f" this one is {max(beyond)}"
    )


def _gpu(cells: list[str]) -> GPU:
    name, driver, memory, capability = [*cells, "", "", "", ""][:4]
    try:
        return GPU(name, driver, memory, float(capability))
    except ValueError:
        return GPU(name, driver, memory, 0.0)
