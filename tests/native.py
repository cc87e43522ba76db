"""A value and its gradient in each framework, for tests that look inside a backend."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ganref.backend import load_backend


def value_and_gradients(
    framework: str, function: Callable[..., Any], *arrays: np.ndarray
) -> tuple[float, list[np.ndarray]]:
    """function(*native arrays) -> native scalar, and its gradient to each array."""
    load_backend(framework)
    if framework == "torch":
        import torch

        inputs = [torch.tensor(a, requires_grad=True) for a in arrays]
        value = function(*inputs)
        return float(value.detach()), [g.numpy() for g in torch.autograd.grad(value, inputs)]
    if framework == "tf":
        import tensorflow as tf

        inputs = [tf.constant(a) for a in arrays]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = function(*inputs)
        return float(value), [g.numpy() for g in tape.gradient(value, inputs)]
    if framework == "jax":
        import jax

        wide = importlib.import_module("ganref.jax.framework").wide
        with wide(jax.devices("cpu")[0]):
            inputs = [jax.numpy.asarray(a) for a in arrays]
            value, grads = jax.value_and_grad(function, tuple(range(len(inputs))))(*inputs)
        return float(value), [np.asarray(g) for g in grads]
    mx = importlib.import_module("ganref.mxnet.framework").mx
    inputs = [mx.np.array(a, dtype=a.dtype) for a in arrays]
    for array in inputs:
        array.attach_grad()
    with mx.autograd.record():
        value = function(*inputs)
    value.backward()
    return float(value.asnumpy()), [a.grad.asnumpy() for a in inputs]
