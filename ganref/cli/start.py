"""Setting a GAN up: threads, device, backend, weights, and what it was all made with."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import GAN, load_backend
from ..draws.weights import initial_weights
from ..spec.engines import Peers
from ..spec.errors import UserError
from ..spec.precision import storage
from ..spec.schema import Recipe
from ..training.checkpoint import Checkpoint
from ..training.run import Config


def prepare_threads(threads: int | None) -> int:
    """Settle the number of threads before any framework is imported, which reads it once: what was
    asked for, else OMP_NUM_THREADS, else all cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    threads = threads or (int(asked) if asked.isdigit() else 0) or len(os.sched_getaffinity(0))
    os.environ["OMP_NUM_THREADS"] = str(threads)
    return threads


def check_memory(recipe: Recipe, dtype: str) -> None:
    """Refuse a recipe that cannot fit: the kernel would end the process without a word. Raises
    UserError."""
    needed, free = recipe.least_bytes(np.dtype(storage(dtype)).itemsize), _free_memory()
    if free is not None and needed > free:
        raise UserError(
            f"{recipe.name} needs {needed / 2**30:,.1f} GiB at least, for weights, their moments"
            f" and one batch, and {free / 2**30:,.1f} GiB are free; use a smaller --width,"
            " --latent-dim or --batch-size"
        )


def _free_memory() -> int | None:
    """Bytes that this process may still have: of the machine, and of its control group."""
    free = []
    with contextlib.suppress(OSError, ValueError, KeyError):  # Linux alone is asked
        lines = Path("/proc/meminfo").read_text().splitlines()
        found = dict(line.split()[:2] for line in lines)
        free.append(1024 * (int(found["MemAvailable:"]) + int(found["SwapFree:"])))
    with contextlib.suppress(OSError, ValueError):  # "max" where there is no limit
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        free.append(limit - int((group / "memory.current").read_text()))
    return min(free, default=None)


def pick_device(backend: str, device: str) -> str:
    """`auto` as the first GPU that the framework sees, else the processor. Raises UserError."""
    devices = load_backend(backend).devices()
    if device == "auto":
        return devices[1] if len(devices) > 1 else "cpu"
    return "cuda:0" if device == "cuda" else device


def create(
    config: Config,
    threads: int,
    checkpoint: Checkpoint | None = None,
    peers: Peers | None = None,
) -> GAN:
    """The GAN of a run, from its seed or from a checkpoint; with `peers`, a worker's."""
    backend = load_backend(config.backend)
    backend.set_threads(threads)
    weights = initial_weights(config.recipe, config.seed)
    how = config.device, config.dtype, config.compile, config.planned_steps, peers
    gan = backend.create(config.recipe, weights, *how)
    if checkpoint is not None:
        gan.load_state(checkpoint.state)
    return gan


def versions(backend: str) -> dict[str, str]:
    """What a run was made with."""
    from .. import __version__

    return {
        "ganref": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "framework": load_backend(backend).version(),
    }


def machine(backend: str, threads: int, peers: Peers | None = None) -> dict[str, Any]:
    """What a run was made on, for its `config.json`."""
    return {
        "versions": versions(backend),
        "threads": threads,
        "workers": peers.size if peers else 1,
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "devices": load_backend(backend).devices(),
    }
