"""The layers, forward and backward. The executable specification: written to be read.

Every layer has `forward(x, ...) -> (y, cache)`, `backward(dy, cache) -> dx`, and where it has
parameters `gradients(dy, cache)`, theirs in the spec's order. Nothing compares or takes the
magnitude of a complex number, so that the whole chain can be differentiated once more by a
complex step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ganref.spec import layers as spec
from ganref.spec.groups import group_size
from ganref.spec.networks import Network as NetworkSpec

from .framework import Gradients, Masks, Tensor, to_array


class Layer:
    """A layer that takes its numbers from the spec."""

    def __init__(self, layer: Any, dtype: np.dtype) -> None:
        self.spec = layer

    def forward(self, x: Tensor, *how: Any) -> tuple[Tensor, Any]:
        raise NotImplementedError

    def backward(self, dy: Tensor, cache: Any) -> Tensor:
        raise NotImplementedError

    def gradients(self, dy: Tensor, cache: Any) -> list[Tensor]:
        return []


class Dense(Layer):
    """y = x Wᵀ + b."""

    weight: Tensor
    bias: Tensor

    def forward(self, x: Tensor, update_stats: bool) -> tuple[Tensor, Any]:
        w, back = _kernel(self, self.weight, update_stats)
        y = x.dot(w.T)  # `@` at a third of its overhead, which the toy is made of
        return (y + self.bias if self.spec.bias else y), (x, w, back)

    def backward(self, dy: Tensor, cache: Any) -> Tensor:
        return dy.dot(cache[1])

    def gradients(self, dy: Tensor, cache: Any) -> list[Tensor]:
        x, _, back = cache
        return [back(dy.T.dot(x)), dy.sum(0)] if self.spec.bias else [back(dy.T.dot(x))]


class Conv(Layer):
    """Cross-correlation, padded by the spec's explicit pair."""

    weight: Tensor
    bias: Tensor

    def forward(self, x: Tensor, update_stats: bool) -> tuple[Tensor, Any]:
        w, back = _kernel(self, self.weight, update_stats)
        y = _correlate(x, w, self.spec.stride, self.spec.padding)
        return (y + self.bias[:, None, None] if self.spec.bias else y), (x, w, back)

    def backward(self, dy: Tensor, cache: Any) -> Tensor:
        x, w, _ = cache
        return _spread(dy, w, self.spec.stride, self.spec.padding, x.shape[2:])

    def gradients(self, dy: Tensor, cache: Any) -> list[Tensor]:
        x, _, back = cache
        dw = _correlate_kernel(x, dy, self.spec.stride, self.spec.padding, self.spec.kernel)
        return [back(dw), dy.sum((0, 2, 3))] if self.spec.bias else [back(dw)]


class ConvTranspose(Layer):
    """The transpose of a convolution: its forward pass is that one's gradient to the input."""

    weight: Tensor
    bias: Tensor

    def forward(self, x: Tensor, update_stats: bool) -> tuple[Tensor, Any]:
        size = self.spec.out_shape(x.shape[1:])[1:]
        swapped, back = _kernel(self, self.weight.swapaxes(0, 1), update_stats)
        w = swapped.swapaxes(0, 1)
        y = _spread(x, w, self.spec.stride, self.spec.padding, size)
        return (y + self.bias[:, None, None] if self.spec.bias else y), (x, w, back)

    def backward(self, dy: Tensor, cache: Any) -> Tensor:
        return _correlate(dy, cache[1], self.spec.stride, self.spec.padding)

    def gradients(self, dy: Tensor, cache: Any) -> list[Tensor]:
        x, _, back = cache
        dw = _correlate_kernel(dy, x, self.spec.stride, self.spec.padding, self.spec.kernel)
        dw = back(dw.swapaxes(0, 1)).swapaxes(0, 1)
        return [dw, dy.sum((0, 2, 3))] if self.spec.bias else [dw]


class BatchNorm(Layer):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, per channel (Ioffe and Szegedy 2015)."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def forward(self, x: Tensor, training: bool, update_stats: bool) -> tuple[Tensor, Any]:
        # All but the channels, counted from the last: groups are an axis in front.
        shape, axes, column = x.shape, (-x.ndim, *range(2 - x.ndim, 0)), (-1, *(1,) * (x.ndim - 2))
        batch = training and self.spec.batch_stats
        if batch:
            if self.spec.groups > 1:
                x = x.reshape(self.spec.groups, group_size(len(x), self.spec.groups), *shape[1:])
            mean = x.mean(axes, keepdims=True)
            centred = x - mean
            var = (centred * centred).mean(axes, keepdims=True)
            if update_stats:
                self._update_stats(mean, var, x.size // mean.size)
        else:
            mean, var = self.running_mean.reshape(column), self.running_var.reshape(column)
            centred = x - mean
        scale = 1 / np.sqrt(var + self.spec.eps)
        normed = centred * scale
        y = normed * self.weight.reshape(column) + self.bias.reshape(column)
        return y.reshape(shape), (normed, scale, axes, column, batch)

    def backward(self, dy: Tensor, cache: Any) -> Tensor:
        normed, scale, axes, column, batch = cache
        shape, dy = dy.shape, dy.reshape(normed.shape)
        if batch:  # the batch's mean and variance depend on x too
            d_gamma, d_beta = (g.sum(axes, keepdims=True) for g in (dy * normed, dy))
            dy = dy - (d_beta + normed * d_gamma) / (dy.size // d_beta.size)
        return (dy * scale * self.weight.reshape(column)).reshape(shape)

    def gradients(self, dy: Tensor, cache: Any) -> list[Tensor]:
        axes = (0, *range(2, dy.ndim))
        return [(dy * cache[0].reshape(dy.shape)).sum(axes), dy.sum(axes)]

    def _update_stats(self, mean: Tensor, var: Tensor, count: int) -> None:
        keep = self.spec.momentum
        var = var * (count / (count - 1)) if self.spec.unbiased else var
        for running, own in ((self.running_mean, mean), (self.running_var, var)):
            running[...] = keep * running + (1 - keep) * own.reshape(-1, len(running)).mean(0)


class LeakyReLU(Layer):
    """x where x > 0, else slope * x; the derivative at 0 is the slope."""

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        return self.backward(x, positive := x.real > 0), positive

    def backward(self, dy: Tensor, positive: Tensor) -> Tensor:
        one, slope = map(dy.real.dtype.type, (1, self.spec.slope))
        return dy * (positive * (one - slope) + slope)  # `np.where` takes ten times as long


class Tanh(Layer):
    """tanh(x)."""

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        y = np.tanh(x)
        return y, y

    def backward(self, dy: Tensor, y: Tensor) -> Tensor:
        return dy * (1 - y * y)


class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        y = (1 + np.tanh(x / 2)) / 2  # cannot overflow
        return y, y

    def backward(self, dy: Tensor, y: Tensor) -> Tensor:
        return dy * y * (1 - y)


class Dropout(Layer):
    """x * mask / (1 - rate) with the caller's mask; x where there is none (inference)."""

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Any]:
        if mask is None:
            return x, None
        scaled = mask * x.real.dtype.type(1 / (1 - self.spec.rate))
        return x * scaled, scaled

    def backward(self, dy: Tensor, scaled: Tensor | None) -> Tensor:
        return dy if scaled is None else dy * scaled


class Concat(Layer):
    """The example's label behind its numbers, or as constant channels behind an image's."""

    def forward(self, x: Tensor, label: Tensor) -> tuple[Tensor, Any]:
        own = label.astype(x.real.dtype).reshape(*label.shape, *(1,) * (x.ndim - 2))
        own = np.broadcast_to(own, (*label.shape, *x.shape[2:]))
        return np.concatenate([x, own], 1), x.shape[1]

    def backward(self, dy: Tensor, size: int) -> Tensor:
        return dy[:, :size]


class Projection(Layer):
    """y = x (w + E[label])ᵀ + b (Miyato and Koyama 2018)."""

    weight: Tensor
    bias: Tensor
    embedding: Tensor

    def forward(self, x: Tensor, label: Tensor, update_stats: bool) -> tuple[Tensor, Any]:
        w, back = _kernel(self, self.weight, update_stats)
        e, back_e = _kernel(self, self.embedding, update_stats, "u_embedding")
        own = label.astype(e.dtype)
        along = w + own.dot(e)
        y = (x * along).sum(1, keepdims=True)
        return (y + self.bias if self.spec.bias else y), (x, own, along, back, back_e)

    def backward(self, dy: Tensor, cache: Any) -> Tensor:
        return dy * cache[2]

    def gradients(self, dy: Tensor, cache: Any) -> list[Tensor]:
        x, own, _, back, back_e = cache
        bias = [dy.sum(0)] if self.spec.bias else []
        return [back(dy.T.dot(x)), *bias, back_e(own.T.dot(dy * x))]


class Reshape(Layer):
    """The same numbers in the spec's shape."""

    def forward(self, x: Tensor) -> tuple[Tensor, Any]:
        return x.reshape(len(x), *self.spec.out_shape(x.shape[1:])), x.shape

    def backward(self, dy: Tensor, shape: Any) -> Tensor:
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
    spec.Concat: Concat,
    spec.Projection: Projection,
    spec.Reshape: Reshape,
    spec.Flatten: Reshape,
}


class Network:
    """A chain of layers: `trained` holds what Adam moves, `stats` the running statistics, both by
    the spec's names.

    All trained numbers lie in one vector, `flat`, and the layers hold views of it: Adam is then one
    formula on one array."""

    def __init__(
        self,
        network: NetworkSpec,
        weights: dict[str, np.ndarray],
        dtype: np.dtype,
        device: str,
        mixed: bool = False,
    ) -> None:
        self.spec = network
        self.flat = np.empty(network.num_parameters, dtype)
        self.layers: list[Any] = [LAYERS[type(layer)](layer, dtype) for layer in network.layers]
        self.trained = self.named(self.flat)
        fixed = [p for p in network.params if not p.trainable]
        self.stats = {p.name: np.empty(p.shape, dtype) for p in fixed}
        for name, tensor in (self.trained | self.stats).items():
            index, own = name.split(".")[1:]
            setattr(self.layers[int(index)], own, tensor)
            write(tensor, weights[name])

    def __call__(
        self,
        x: Tensor,
        training: bool = True,
        update_stats: bool = True,
        masks: Masks | None = None,
    ) -> tuple[Tensor, Any]:
        """(output, tape) for x (B, *input): samples (B, *output), or outputs (B,).

        The tape holds what `backward` needs; its last entry is the reconstruction error."""
        tape: list[Any] = []
        start, own = x, masks or {}
        for i, layer in enumerate(self.layers):
            if isinstance(layer, BatchNorm):
                x, cache = layer.forward(x, training, update_stats)
            elif isinstance(layer, (Dense, Conv, ConvTranspose)):
                x, cache = layer.forward(x, training and update_stats)
            elif isinstance(layer, Dropout):
                x, cache = layer.forward(x, own.get(f"{self.spec.name}.{i}"))
            elif isinstance(layer, Concat):
                x, cache = layer.forward(x, own[f"{self.spec.name}.{i}"])
            elif isinstance(layer, Projection):
                x, cache = layer.forward(x, own[f"{self.spec.name}.{i}"], training and update_stats)
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

    def run(
        self,
        x: Tensor,
        training: bool = True,
        update_stats: bool = True,
        masks: Masks | None = None,
    ) -> Tensor:
        """The output for x (B, *input) alone, with nothing recorded."""
        return self(x, training, update_stats, masks)[0]

    def record(
        self, x: Tensor, update_stats: bool = True, masks: Masks | None = None
    ) -> tuple[Tensor, Any]:
        """(output, tape) for x (B, *input): a pass in training that can be gone back through."""
        return self(x, True, update_stats, masks)

    def named(self, tensors: Gradients) -> dict[str, Tensor]:
        """Gradients, moments or averages under the names of the parameters they belong to."""
        views, start = {}, 0
        for p in (p for p in self.spec.params if p.trainable):
            size = int(np.prod(p.shape))
            views[p.name] = tensors[start : start + size].reshape(p.shape)
            start += size
        return views

    def __repr__(self) -> str:
        return self.spec.summary()

    def codes(self, tape: Any) -> Tensor | None:
        """An autoencoder's codes (B, n) of the pass that left this tape."""
        code = self.spec.code
        return None if code is None else tape[code][1].reshape(len(tape[code][1]), -1)

    def backward(
        self,
        dy: Tensor,
        tape: Any,
        d_codes: Tensor | None = None,
        inputs: bool = True,
        weights: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """(d_input, d_flat) for the derivative dy of the output (and d_codes of the codes), or
        only one of them: d_flat is empty without `weights`, d_input means nothing without
        `inputs`."""
        grads: list[Tensor] = [self.flat[:0]]
        dx_direct: Tensor | float = 0.0
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


def read(tensor: Tensor) -> np.ndarray:
    """A weight, or what belongs to one, as the spec has it: a copy in NumPy."""
    return to_array(tensor)


def write(tensor: Tensor, array: np.ndarray) -> None:
    """Set a weight, or what belongs to one, from an array as the spec has it."""
    tensor[...] = array


def _kernel(
    layer: Any, weight: Tensor, update_stats: bool, power: str = "u"
) -> tuple[Tensor, Callable]:
    """(what the layer multiplies by, how a gradient to it becomes one to the weight), for weights
    with the outputs in front and their vector of that name."""
    if not layer.spec.spectral:
        return weight, lambda d_kernel: d_kernel
    matrix = weight.reshape(len(weight), -1)
    v = matrix.T.dot(getattr(layer, power))
    v /= np.sqrt((v * v).sum())
    u = matrix.dot(v)
    sigma = np.sqrt((u * u).sum())
    u, kernel = u / sigma, weight / sigma
    if update_stats:
        getattr(layer, power)[...] = u

    def back(d_kernel: Tensor) -> Tensor:
        along = np.outer(u, v).reshape(kernel.shape)  # the derivative of sigma, for that v
        return (d_kernel - (d_kernel * kernel).sum() * along) / sigma

    return kernel, back


def _correlate(x: Tensor, w: Tensor, stride: int, padding: tuple[int, int]) -> Tensor:
    """y[b, o, i, j] = Σ x[b, c, s i + k - p, s j + l - p] w[o, c, k, l], x 0 outside itself."""
    windows = _windows(x, w.shape[2], stride, padding)
    y = np.tensordot(windows, w, ((1, 4, 5), (1, 2, 3)))  # (B, rows, columns, channels)
    return np.ascontiguousarray(y.transpose(0, 3, 1, 2))


def _correlate_kernel(
    x: Tensor, dy: Tensor, stride: int, padding: tuple[int, int], kernel: int
) -> Tensor:
    """The gradient of `_correlate` to w, given that of its output: (out, in, kernel, kernel)."""
    windows = _windows(x, kernel, stride, padding)[:, :, : dy.shape[2], : dy.shape[3]]
    return np.tensordot(dy, windows, ((0, 2, 3), (0, 2, 3)))


def _spread(
    dy: Tensor, w: Tensor, stride: int, padding: tuple[int, int], size: tuple[int, ...]
) -> Tensor:
    """The gradient of `_correlate` to x, whose height and width are `size`: every number of dy
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


def _windows(x: Tensor, kernel: int, stride: int, padding: tuple[int, int]) -> Tensor:
    padded = np.pad(x, ((0, 0), (0, 0), padding, padding))
    # NumPy 1.26 annotates the axes as a single integer; they may be several.
    slide: Any = np.lib.stride_tricks.sliding_window_view
    view = slide(padded, (kernel, kernel), (2, 3))
    return view[:, :, ::stride, ::stride]
