"""The rate of a large square matrix product in each framework: what a processor is good for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

SIZE, GPU_SIZE = 2048, 8192


def best(backend: str, dtype: str, device: str, seconds: float) -> float:
    """FLOP/s of the fastest of the products that fit into `seconds` (three at least), in the
    framework's own call and in that precision. Raises UserError where there is none."""
    size = SIZE if device == "cpu" else GPU_SIZE
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    product = PRODUCTS[backend](a, b, dtype, device)
    return 2 * size**3 / fastest(product, seconds)


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


def _numpy(a: np.ndarray, b: np.ndarray, dtype: str, device: str) -> Callable[[], Any]:
    from ganref.numpy.framework import resolve_dtype

    kind = resolve_dtype(dtype, device)
    x, y = a.astype(kind), b.astype(kind)
    out = np.empty_like(x)
    return lambda: np.matmul(x, y, out=out)


def _torch(a: np.ndarray, b: np.ndarray, dtype: str, device: str) -> Callable[[], Any]:
    import torch

    from ganref.torch.framework import resolve_dtype

    own = resolve_dtype(dtype, device)  # it settles what float32 is rounded to
    kind = torch.bfloat16 if dtype == "bfloat16" else own
    x, y = (torch.from_numpy(m).to(device, kind) for m in (a, b))
    out = torch.empty_like(x)

    def product() -> None:
        torch.mm(x, y, out=out)
        if device != "cpu":
            torch.cuda.synchronize()

    return product


def _tf(a: np.ndarray, b: np.ndarray, dtype: str, device: str) -> Callable[[], Any]:
    from ganref.tf.framework import resolve_device, resolve_dtype, tf

    own = resolve_dtype(dtype, device)
    with tf.device(resolve_device(device)):
        kind = tf.bfloat16 if dtype == "bfloat16" else own
        x, y = (tf.cast(tf.constant(m), kind) for m in (a, b))

    # One number has to come to the host before the product is known to be there.
    def product() -> Any:
        return tf.linalg.matmul(x, y)[0, 0].numpy()

    return product


def _mxnet(a: np.ndarray, b: np.ndarray, dtype: str, device: str) -> Callable[[], Any]:
    from ganref.mxnet.framework import np as mnp
    from ganref.mxnet.framework import resolve_device, resolve_dtype

    kind = resolve_dtype(dtype, device)
    x, y = (mnp.array(m, dtype=kind, ctx=resolve_device(device)) for m in (a, b))
    return lambda: mnp.dot(x, y).wait_to_read()


PRODUCTS = {"numpy": _numpy, "torch": _torch, "tf": _tf, "mxnet": _mxnet}
