"""The layers, forward and backward. The executable specification: written to be read.

Every layer has `forward(x, ...) -> (y, cache)` and `backward(dy, cache) -> (dx, grads)`, with the
gradients of its own parameters in the spec's order. Nothing compares or takes the magnitude of a
complex number, so that the whole chain can be differentiated once more by a complex step.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ganref.spec import layers as spec
from ganref.spec.networks import Network as NetworkSpec

Array = np.ndarray


class Layer:
    """A layer without parameters that keeps its input's shape."""

    def __init__(self, layer: Any, params: dict[str, Array]) -> None:
        self.spec = layer
        for name, array in params.items():
            setattr(self, name, array)


class Dense(Layer):
    """y = x Wᵀ + b."""

    weight: Array
    bias: Array

    def forward(self, x: Array) -> tuple[Array, Any]:
        y = x @ self.weight.T
        return (y + self.bias if self.spec.bias else y), x

    def backward(self, dy: Array, x: Array) -> tuple[Array, list[Array]]:
        return dy @ self.weight, [dy.T @ x, dy.sum(0)][: 1 + self.spec.bias]


class Conv(Layer):
    """Cross-correlation; see `correlate`."""

    weight: Array
    bias: Array

    def forward(self, x: Array) -> tuple[Array, Any]:
        y = correlate(x, self.weight, self.spec.stride, self.spec.padding)
        return (y + self.bias[:, None, None] if self.spec.bias else y), x

    def backward(self, dy: Array, x: Array) -> tuple[Array, list[Array]]:
        s, p = self.spec.stride, self.spec.padding
        dx = spread(dy, self.weight, s, p, x.shape[2:])
        dw = correlate_kernel(x, dy, s, p, self.spec.kernel)
        return dx, [dw, dy.sum((0, 2, 3))][: 1 + self.spec.bias]


class ConvTranspose(Layer):
    """The transpose of a convolution: its forward pass is that one's gradient to the input."""

    weight: Array
    bias: Array

    def forward(self, x: Array) -> tuple[Array, Any]:
        size = self.spec.out_shape(x.shape[1:])[1:]
        y = spread(x, self.weight, self.spec.stride, self.spec.padding, size)
        return (y + self.bias[:, None, None] if self.spec.bias else y), x

    def backward(self, dy: Array, x: Array) -> tuple[Array, list[Array]]:
        s, p = self.spec.stride, self.spec.padding
        dx = correlate(dy, self.weight, s, p)
        dw = correlate_kernel(dy, x, s, p, self.spec.kernel)
        return dx, [dw, dy.sum((0, 2, 3))][: 1 + self.spec.bias]


class BatchNorm(Layer):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, per channel (Ioffe and Szegedy 2015)."""

    weight: Array
    bias: Array
    running_mean: Array
    running_var: Array

    def forward(self, x: Array, training: bool, update_stats: bool) -> tuple[Array, Any]:
        axes = (0, *range(2, x.ndim))
        column = (-1, *(1,) * (x.ndim - 2))
        batch = training and self.spec.batch_stats
        if batch:
            mean = x.mean(axes)
            centred = x - mean.reshape(column)
            var = (centred * centred).mean(axes)
            if update_stats:
                self._update_stats(mean, var, x.size // len(mean))
        else:
            centred = x - self.running_mean.reshape(column)
            var = self.running_var
        scale = (1 / np.sqrt(var + self.spec.eps)).reshape(column)
        normed = centred * scale
        y = normed * self.weight.reshape(column) + self.bias.reshape(column)
        return y, (normed, scale, axes, column, batch)

    def backward(self, dy: Array, cache: Any) -> tuple[Array, list[Array]]:
        normed, scale, axes, column, batch = cache
        d_gamma, d_beta = (dy * normed).sum(axes), dy.sum(axes)
        dx = dy
        if batch:  # the batch's mean and variance depend on x too
            count = dy.size // len(d_beta)
            dx = dy - (d_beta.reshape(column) + normed * d_gamma.reshape(column)) / count
        return dx * scale * self.weight.reshape(column), [d_gamma, d_beta]

    def _update_stats(self, mean: Array, var: Array, count: int) -> None:
        keep = self.spec.momentum
        if self.spec.unbiased:
            var = var * (count / (count - 1))
        self.running_mean[...] = keep * self.running_mean + (1 - keep) * mean
        self.running_var[...] = keep * self.running_var + (1 - keep) * var


class LeakyReLU(Layer):
    """x where x > 0, else slope * x; the derivative at 0 is the slope."""

    def forward(self, x: Array) -> tuple[Array, Any]:
        positive = x.real > 0
        return np.where(positive, x, self.spec.slope * x), positive

    def backward(self, dy: Array, positive: Array) -> tuple[Array, list[Array]]:
        return np.where(positive, dy, self.spec.slope * dy), []


class Tanh(Layer):
    """tanh(x)."""

    def forward(self, x: Array) -> tuple[Array, Any]:
        y = np.tanh(x)
        return y, y

    def backward(self, dy: Array, y: Array) -> tuple[Array, list[Array]]:
        return dy * (1 - y * y), []


class Sigmoid(Layer):
    """1 / (1 + exp(-x)), written as (1 + tanh(x / 2)) / 2, which cannot overflow."""

    def forward(self, x: Array) -> tuple[Array, Any]:
        y = (1 + np.tanh(x / 2)) / 2
        return y, y

    def backward(self, dy: Array, y: Array) -> tuple[Array, list[Array]]:
        return dy * y * (1 - y), []


class Dropout(Layer):
    """x * mask / (1 - rate) with the caller's mask; x where there is none (inference)."""

    def forward(self, x: Array, mask: Array | None) -> tuple[Array, Any]:
        if mask is None:
            return x, None
        scaled = mask * x.real.dtype.type(1 / (1 - self.spec.rate))
        return x * scaled, scaled

    def backward(self, dy: Array, scaled: Array | None) -> tuple[Array, list[Array]]:
        return (dy if scaled is None else dy * scaled), []


class Reshape(Layer):
    """The same numbers in the spec's shape."""

    def forward(self, x: Array) -> tuple[Array, Any]:
        return x.reshape(len(x), *self.spec.out_shape(x.shape[1:])), x.shape

    def backward(self, dy: Array, shape: Any) -> tuple[Array, list[Array]]:
        return dy.reshape(shape), []


LAYERS = {
    spec.Dense: Dense,
    spec.Conv: Conv,
    spec.ConvTranspose: ConvTranspose,
    spec.BatchNorm: BatchNorm,
    spec.LeakyReLU: LeakyReLU,
    spec.Tanh: Tanh,
    spec.Sigmoid: Sigmoid,
    spec.Dropout: Dropout,
    spec.Reshape: Reshape,
    spec.Flatten: Reshape,
}


class Network:
    """A chain of layers. All trained numbers lie in one vector, `flat`, and the layers hold views
    of it: Adam is then one formula on one array."""

    def __init__(self, network: NetworkSpec, weights: dict[str, Array], dtype: np.dtype) -> None:
        self.spec = network
        trained = [p.name for p in network.params if p.trainable]
        parts = [np.asarray(weights[name], dtype).ravel() for name in trained]
        self.flat = np.concatenate(parts)
        self.params = split(self.flat, network)
        self.stats = {
            p.name: np.array(weights[p.name], dtype) for p in network.params if not p.trainable
        }
        self.layers = []
        for i, layer in enumerate(network.layers):
            names = {p.name: f"{network.name}.{i}.{p.name}" for p in layer.params()}
            tensors = self.params | self.stats
            mine = {short: tensors[full] for short, full in names.items()}
            self.layers.append(LAYERS[type(layer)](layer, mine))

    def forward(
        self,
        x: Array,
        training: bool = True,
        update_stats: bool = True,
        masks: dict[str, Array] | None = None,
    ) -> tuple[Array, Any]:
        """(output, tape) for x (B, *input): samples (B, *output), or outputs (B,).

        The tape holds what `backward` needs; its last entry is the reconstruction error."""
        tape, start = [], x
        for i, layer in enumerate(self.layers):
            if isinstance(layer, BatchNorm):
                x, cache = layer.forward(x, training, update_stats)
            elif isinstance(layer, Dropout):
                x, cache = layer.forward(x, (masks or {}).get(f"{self.spec.name}.{i}"))
            else:
                x, cache = layer.forward(x)
            tape.append((cache, x if i == self.spec.code else None))
        if self.spec.head == "samples":
            return x, tape
        if self.spec.head == "energy":
            error = (x - start).reshape(len(x), -1)
            tape.append((error, x.shape))
            return (error * error).mean(1), tape
        return x.reshape(len(x)), tape

    def codes(self, tape: Any) -> Array | None:
        """An autoencoder's codes (B, n) of the pass that left this tape."""
        code = self.spec.code
        return None if code is None else tape[code][1].reshape(len(tape[code][1]), -1)

    def backward(
        self, dy: Array, tape: Any, d_codes: Array | None = None
    ) -> tuple[Array, Array]:
        """(d_input, d_flat) for the derivative dy of the output (and d_codes of the codes)."""
        grads: list[Array] = []
        dx_direct: Array | float = 0.0
        if self.spec.head == "energy":
            error, shape = tape[-1]
            dy = (dy[:, None] * error * (2 / error.shape[1])).reshape(shape)
            dx_direct = -dy  # the error is measured against the input itself
        elif self.spec.head != "samples":
            dy = dy.reshape(len(dy), *self.spec.output_shape)
        for i in range(len(self.layers) - 1, -1, -1):
            cache, code = tape[i]
            if code is not None and d_codes is not None:
                dy = dy + d_codes.reshape(dy.shape)
            dy, own = self.layers[i].backward(dy, cache)
            grads[:0] = [g.ravel() for g in own]
        return dy + dx_direct, np.concatenate(grads)


def split(flat: Array, network: NetworkSpec) -> dict[str, Array]:
    """A vector of all trained numbers as named views in their own shapes."""
    views, start = {}, 0
    for p in (p for p in network.params if p.trainable):
        size = int(np.prod(p.shape))
        views[p.name] = flat[start : start + size].reshape(p.shape)
        start += size
    return views


def correlate(x: Array, w: Array, stride: int, padding: tuple[int, int]) -> Array:
    """y[b, o, i, j] = Σ x[b, c, s i + k - p, s j + l - p] w[o, c, k, l], x 0 outside itself."""
    windows = _windows(x, w.shape[2], stride, padding)
    return np.ascontiguousarray(np.tensordot(windows, w, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2))


def correlate_kernel(
    x: Array, dy: Array, stride: int, padding: tuple[int, int], kernel: int
) -> Array:
    """The gradient of `correlate` to w, given that of its output: (out, in, kernel, kernel)."""
    windows = _windows(x, kernel, stride, padding)[:, :, : dy.shape[2], : dy.shape[3]]
    return np.tensordot(dy, windows, ((0, 2, 3), (0, 2, 3)))


def spread(
    dy: Array, w: Array, stride: int, padding: tuple[int, int], size: tuple[int, ...]
) -> Array:
    """The gradient of `correlate` to x, whose height and width are `size`: every number of dy
    lays a scaled copy of the kernel over the output."""
    batch, _, rows, columns = dy.shape
    kernel, (before, after) = w.shape[2], padding
    padded = [n + before + after for n in size]
    out = np.zeros((batch, w.shape[1], *padded), np.result_type(dy, w))
    copies = np.tensordot(dy, w, (1, 0))  # (B, rows, columns, channels, kernel, kernel)
    for k in range(kernel):
        for m in range(kernel):
            target = out[:, :, k : k + stride * rows : stride, m : m + stride * columns : stride]
            target += copies[..., k, m].transpose(0, 3, 1, 2)
    return out[:, :, before : before + size[0], before : before + size[1]]


def _windows(x: Array, kernel: int, stride: int, padding: tuple[int, int]) -> Array:
    padded = np.pad(x, ((0, 0), (0, 0), padding, padding))
    view = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), (2, 3))
    return view[:, :, ::stride, ::stride]
