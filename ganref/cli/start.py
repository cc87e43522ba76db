"""Setting a GAN up: threads, device, backend, weights, and what it was all made with."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import GAN, check_backend, load_backend
from ..data.download import cache_dir
from ..draws.weights import initial_weights
from ..output.files import LOG
from ..spec import processor
from ..spec.engines import Peers
from ..spec.errors import UserError
from ..spec.precision import storage
from ..spec.schema import Recipe
from ..training.checkpoint import Checkpoint
from ..training.run import Config

# What a core makes while a GPU is told what a step is: some 100 µs, at 1e11 FLOP/s.
GPU_FLOPS = 1e7
# Of a step, above which a second thread computes more than it waits.
THREADS_FLOPS = 1e7


def prepare_threads(threads: int | None) -> int:
    """Settle the number of threads before any framework is imported, which reads it once: what was
    asked for, else OMP_NUM_THREADS, else all cores."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    threads = threads or (int(asked) if asked.isdigit() else 0) or len(os.sched_getaffinity(0))
    os.environ["OMP_NUM_THREADS"] = str(threads)
    return threads


def keep_compiled(backend: str) -> None:
    """Have a framework keep what it compiles in the user's cache folder, where the next run finds
    it; under /tmp, or nowhere, it would be gone. Who has named a folder keeps it. Raises UserError
    if there is no such backend.

    Their own keys tell versions and programs apart, but not always processors: the folder does."""
    name = check_backend(backend).keeps
    if not name or name in os.environ:
        return
    with contextlib.suppress(OSError, UserError):  # nothing depends on it
        folder = cache_dir() / "compiled" / f"{backend}-{_processor()}"
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            os.environ[name] = str(folder)


def _processor() -> str:
    found = " ".join([platform.machine(), *sorted(processor.instructions())])
    return hashlib.sha256(found.encode()).hexdigest()[:8]


def useful_threads(recipe: Recipe, threads: int, asked: int | None) -> int:
    """`threads`, or one where nobody `asked` for more and a step is so small that a second thread
    only waits for it: with other programs on the machine, ten times as long as both compute."""
    small = recipe.flops_per_example * recipe.batch_size < THREADS_FLOPS
    return 1 if small and not asked else threads


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


def pick_device(backend: str, device: str, recipe: Recipe | None = None) -> str:
    """`auto` as the first GPU that the framework sees and that a step of the recipe fills (without
    a recipe, none), else the processor. Raises UserError."""
    devices = load_backend(backend).devices()
    if device != "auto":
        return "cuda:0" if device == "cuda" else device
    if len(devices) < 2:
        return "cpu"
    flops = recipe.flops_per_example * recipe.batch_size if recipe else 0
    if flops >= GPU_FLOPS:
        return devices[1]
    what = f"a step of {recipe.name}, {flops:,} FLOPs," if recipe else "such a small step"
    LOG.warning("%s is sooner done on the processor; --device cuda takes the GPU", what)
    return "cpu"


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
