"""The rate of a large square matrix product in each framework: what a processor is good for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ganref.spec import UserError

SIZE, GPU_SIZE = 2048, 8192


def best(backend: str, dtype: str, device: str, seconds: float) -> float:
    """FLOP/s of the fastest of the products that fit into `seconds` (three at least), in the
    framework's own call and in that precision. Raises UserError where there is none."""
    size = SIZE if device == "cpu" else GPU_SIZE
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    product = PRODUCTS[backend](a, b, dtype, device)
    product()
    fastest, total, calls = float("inf"), 0.0, 0
    while total < seconds or calls < 3:
        start = time.perf_counter()
        product()
        took = time.perf_counter() - start
        fastest, total, calls = min(fastest, took), total + took, calls + 1
    return 2 * size**3 / fastest


def _numpy(a: np.ndarray, b: np.ndarray, dtype: str, device: str) -> Callable[[], Any]:
    if dtype == "bfloat16":
        raise UserError("NumPy has no bfloat16")
    x, y = a.astype(dtype), b.astype(dtype)
    out = np.empty_like(x)
    return lambda: np.matmul(x, y, out=out)


def _torch(a: np.ndarray, b: np.ndarray, dtype: str, device: str) -> Callable[[], Any]:
    import torch

    x, y = (torch.from_numpy(m).to(device, getattr(torch, dtype)) for m in (a, b))
    out = torch.empty_like(x)

    def product() -> None:
        torch.mm(x, y, out=out)
        if device != "cpu":
            torch.cuda.synchronize()

    return product


def _tf(a: np.ndarray, b: np.ndarray, dtype: str, device: str) -> Callable[[], Any]:
    import tensorflow as tf

    with tf.device(device.replace("cpu", "/CPU:0").replace("cuda", "/GPU")):
        x, y = (tf.cast(tf.constant(m), dtype) for m in (a, b))

    # One number has to come to the host before the product is known to be there.
    def product() -> Any:
        return tf.linalg.matmul(x, y)[0, 0].numpy()

    return product


def _mxnet(a: np.ndarray, b: np.ndarray, dtype: str, device: str) -> Callable[[], Any]:
    from ganref.mxnet.framework import np as mnp
    from ganref.mxnet.framework import resolve_device

    if dtype == "bfloat16":
        raise UserError("MXNet has no bfloat16 here")
    x, y = (mnp.array(m, dtype=dtype, ctx=resolve_device(device)) for m in (a, b))
    return lambda: mnp.dot(x, y).wait_to_read()


PRODUCTS = {"numpy": _numpy, "torch": _torch, "tf": _tf, "mxnet": _mxnet}
