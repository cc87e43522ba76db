"""The layers, forward and backward. The executable specification: written to be read.

Every layer has `forward(x, ...) -> (y, cache)`, `backward(dy, cache) -> dx`, and where it has
parameters `gradients(dy, cache)`, theirs in the spec's order. Nothing compares or takes the
magnitude of a complex number, so that the whole chain can be differentiated once more by a
complex step.
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

    def forward(self, x: Array, *how: Any) -> tuple[Array, Any]:
        raise NotImplementedError

    def backward(self, dy: Array, cache: Any) -> Array:
        raise NotImplementedError

    def gradients(self, dy: Array, cache: Any) -> list[Array]:
        return []


class Dense(Layer):
    """y = x Wᵀ + b. (`dot` is `@` at a third of its overhead, which the toy is made of.)"""

    weight: Array
    bias: Array

    def forward(self, x: Array) -> tuple[Array, Any]:
        y = x.dot(self.weight.T)
        return (y + self.bias if self.spec.bias else y), x

    def backward(self, dy: Array, x: Array) -> Array:
        return dy.dot(self.weight)

    def gradients(self, dy: Array, x: Array) -> list[Array]:
        return [dy.T.dot(x), dy.sum(0)] if self.spec.bias else [dy.T.dot(x)]


class Conv(Layer):
    """Cross-correlation; see `correlate`."""

    weight: Array
    bias: Array

    def forward(self, x: Array) -> tuple[Array, Any]:
        y = correlate(x, self.weight, self.spec.stride, self.spec.padding)
        return (y + self.bias[:, None, None] if self.spec.bias else y), x

    def backward(self, dy: Array, x: Array) -> Array:
        return spread(dy, self.weight, self.spec.stride, self.spec.padding, x.shape[2:])

    def gradients(self, dy: Array, x: Array) -> list[Array]:
        dw = correlate_kernel(x, dy, self.spec.stride, self.spec.padding, self.spec.kernel)
        return [dw, dy.sum((0, 2, 3))] if self.spec.bias else [dw]


class ConvTranspose(Layer):
    """The transpose of a convolution: its forward pass is that one's gradient to the input."""

    weight: Array
    bias: Array

    def forward(self, x: Array) -> tuple[Array, Any]:
        size = self.spec.out_shape(x.shape[1:])[1:]
        y = spread(x, self.weight, self.spec.stride, self.spec.padding, size)
        return (y + self.bias[:, None, None] if self.spec.bias else y), x

    def backward(self, dy: Array, x: Array) -> Array:
        return correlate(dy, self.weight, self.spec.stride, self.spec.padding)

    def gradients(self, dy: Array, x: Array) -> list[Array]:
        dw = correlate_kernel(dy, x, self.spec.stride, self.spec.padding, self.spec.kernel)
        return [dw, dy.sum((0, 2, 3))] if self.spec.bias else [dw]


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
        return y, (normed, scale, column, batch)

    def backward(self, dy: Array, cache: Any) -> Array:
        normed, scale, column, batch = cache
        if batch:  # the batch's mean and variance depend on x too
            d_gamma, d_beta = (g.reshape(column) for g in self.gradients(dy, cache))
            dy = dy - (d_beta + normed * d_gamma) / (dy.size // d_beta.size)
        return dy * scale * self.weight.reshape(column)

    def gradients(self, dy: Array, cache: Any) -> list[Array]:
        axes = (0, *range(2, dy.ndim))
        return [(dy * cache[0]).sum(axes), dy.sum(axes)]

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

    def backward(self, dy: Array, positive: Array) -> Array:
        return np.where(positive, dy, self.spec.slope * dy)


class Tanh(Layer):
    """tanh(x)."""

    def forward(self, x: Array) -> tuple[Array, Any]:
        y = np.tanh(x)
        return y, y

    def backward(self, dy: Array, y: Array) -> Array:
        return dy * (1 - y * y)


class Sigmoid(Layer):
    """1 / (1 + exp(-x)), written as (1 + tanh(x / 2)) / 2, which cannot overflow."""

    def forward(self, x: Array) -> tuple[Array, Any]:
        y = (1 + np.tanh(x / 2)) / 2
        return y, y

    def backward(self, dy: Array, y: Array) -> Array:
        return dy * y * (1 - y)


class Dropout(Layer):
    """x * mask / (1 - rate) with the caller's mask; x where there is none (inference)."""

    def forward(self, x: Array, mask: Array | None) -> tuple[Array, Any]:
        if mask is None:
            return x, None
        scaled = mask * x.real.dtype.type(1 / (1 - self.spec.rate))
        return x * scaled, scaled

    def backward(self, dy: Array, scaled: Array | None) -> Array:
        return dy if scaled is None else dy * scaled


class Reshape(Layer):
    """The same numbers in the spec's shape."""

    def forward(self, x: Array) -> tuple[Array, Any]:
        return x.reshape(len(x), *self.spec.out_shape(x.shape[1:])), x.shape

    def backward(self, dy: Array, shape: Any) -> Array:
        return dy.reshape(shape)


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
        self.layers: list[Any] = []
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
        tape: list[Any] = []
        start = x
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
        self,
        dy: Array,
        tape: Any,
        d_codes: Array | None = None,
        inputs: bool = True,
        weights: bool = True,
    ) -> tuple[Array, Array]:
        """(d_input, d_flat) for the derivative dy of the output (and d_codes of the codes), or
        only one of them: d_flat is empty without `weights`, d_input means nothing without
        `inputs`."""
        grads: list[Array] = [self.flat[:0]]
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
            if weights:
                grads[1:1] = [g.ravel() for g in self.layers[i].gradients(dy, cache)]
            if i or inputs:
                dy = self.layers[i].backward(dy, cache)
        return dy + dx_direct if inputs else dy, np.concatenate(grads)


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
    y = np.tensordot(windows, w, ((1, 4, 5), (1, 2, 3)))  # (B, rows, columns, channels)
    return np.ascontiguousarray(y.transpose(0, 3, 1, 2))


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
    # NumPy 1.26 annotates the axes as a single integer; they may be several.
    slide: Any = np.lib.stride_tricks.sliding_window_view
    view = slide(padded, (kernel, kernel), (2, 3))
    return view[:, :, ::stride, ::stride]
