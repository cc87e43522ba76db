"""The rate of a large square matrix product in each framework: what a processor is good for."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ganref.backend import Backend
from ganref.spec import UserError

SIZE, GPU_SIZE = 2048, 8192
COPIED, GPU_COPIED = 2**26, 2**31  # bytes: far more than any cache holds


def best(backend: Backend, dtype: str, device: str, seconds: float) -> float:
    """FLOP/s of the fastest of the products that fit into `seconds` (three at least), in the
    framework's own call and in that precision. Raises UserError where there is none."""
    size = SIZE if device == "cpu" else GPU_SIZE
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    product = backend.matmul(a, b, dtype, device)
    return 2 * size**3 / fastest(product, seconds)


def best_copy(backend: str, device: str, seconds: float) -> float:
    """Bytes per second, read and written, of the fastest of the copies that fit into `seconds`.
    Raises UserError where nobody has written how a framework copies."""
    name = f"benchmarks.kernels_{backend}"
    if importlib.util.find_spec(name) is None:
        raise UserError(f"{name} does not say how {backend} copies")
    size = COPIED if device == "cpu" else GPU_COPIED
    copy = importlib.import_module(name).copying(size, device)
    return 2 * size / fastest(copy, seconds)


def fastest(call: Callable[[], Any], seconds: float = 0.0, least: int = 3) -> float:
    """Seconds of the fastest of the calls that fit into `seconds`, `least` of them in any case;
    one more goes before them."""
    call()
    best, total, calls = float("inf"), 0.0, 0
    while total < seconds or calls < least:
        start = time.perf_counter()
        call()
        took = time.perf_counter() - start
        best, total, calls = min(best, took), total + took, calls + 1
    return best
