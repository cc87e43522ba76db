"""The layers: gluon blocks around MXNet's own operators where they mean what the spec means.

`hybrid_forward` runs on arrays and on symbols alike. `tangent` is the layer's differential in a
direction dx at x, on arrays: see `steps._gradient_penalty`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from ganref.spec import layers as spec
from ganref.spec.networks import Network as NetworkSpec

from .framework import Gradients, Masks, Tensor, autograd, gluon, mx, np, npx, to_array


class Layer(gluon.HybridBlock):
    """A layer that takes its numbers from the spec."""

    def __init__(self, layer: Any, dtype: str) -> None:
        super().__init__()
        self.spec, self.dtype = layer, dtype
        for p in layer.params():
            how = {"shape": p.shape, "dtype": dtype, "init": "zeros"}
            how |= {} if p.trainable else {"differentiable": False}
            setattr(self, p.name, self.params.get(p.name, **how))

    def direction(self) -> Tensor:
        """v = Wᵀ u / |Wᵀ u|, which gradients take as it is: it comes from outside of the block."""
        with autograd.pause():
            first = 1 if isinstance(self.spec, spec.ConvTranspose) else 0
            weight = np.swapaxes(self.weight.data(), 0, first)
            v = np.dot(self.u.data(), weight.reshape(len(weight), -1))
            return v / np.sqrt((v * v).sum())


class Dense(Layer):
    """y = x Wᵀ + b."""

    def hybrid_forward(
        self, F: Any, x: Tensor, *v: Tensor, weight: Tensor, bias: Any = None, u: Any = None
    ) -> Tensor:
        weight, after = _kernel(F, weight, v, u)
        how = {"num_hidden": self.spec.out_features, "flatten": False, "no_bias": bias is None}
        return after(F.npx.fully_connected(x, weight, bias, **how))

    def tangent(self, x: Tensor, y: Tensor, dx: Tensor, *v: Tensor) -> Tensor:
        dy = self.hybrid_forward(mx.nd, dx, *v, weight=self.weight.data())
        return dy[0] if v else dy


class Conv(Layer):
    """Cross-correlation, padded by the spec's explicit pair."""

    def hybrid_forward(
        self, F: Any, x: Tensor, *v: Tensor, weight: Tensor, bias: Any = None, u: Any = None
    ) -> Tensor:
        weight, ended = _kernel(F, weight, v, u)
        before, after = self.spec.padding
        if before != after:
            x = F.np.pad(x, ((0, 0), (0, 0), (before, after), (before, after)))
        how = _window(self.spec, before if before == after else 0)
        return ended(F.npx.convolution(x, weight, bias, no_bias=bias is None, **how))

    def tangent(self, x: Tensor, y: Tensor, dx: Tensor, *v: Tensor) -> Tensor:
        dy = self.hybrid_forward(mx.nd, dx, *v, weight=self.weight.data())
        return dy[0] if v else dy


class ConvTranspose(Layer):
    """The transpose of a convolution: its forward pass is that one's gradient to the input."""

    def hybrid_forward(
        self, F: Any, x: Tensor, *v: Tensor, weight: Tensor, bias: Any = None, u: Any = None
    ) -> Tensor:
        weight, ended = _kernel(F, weight, v, u, transposed=True)
        before, after = self.spec.padding
        how = _window(self.spec, before)
        # oneDNN, which has no float64, fails in the backward pass to a single channel.
        wide = self.spec.out_channels == 1 and self.dtype == "float32"
        arrays = [x, weight] if bias is None else [x, weight, bias]
        arrays = [F.npx.cast(a, dtype="float64") for a in arrays] if wide else arrays
        y = F.npx.deconvolution(*arrays, no_bias=bias is None, **how)
        y = F.npx.cast(y, dtype=self.dtype) if wide else y
        if before == after:
            return ended(y)
        # `adj` adds rows at the end and never takes the odd one away.
        ends = (None, None, before - after, before - after)
        return ended(F.npx.slice(y, begin=(None,) * 4, end=ends))

    def tangent(self, x: Tensor, y: Tensor, dx: Tensor, *v: Tensor) -> Tensor:
        dy = self.hybrid_forward(mx.nd, dx, *v, weight=self.weight.data())
        return dy[0] if v else dy


class BatchNorm(Layer):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, per channel (Ioffe and Szegedy 2015)."""

    def hybrid_forward(
        self,
        F: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        running_mean: Tensor,
        running_var: Tensor,
    ) -> Tensor:
        """(y, mean, 1 / sqrt(var + eps))."""
        # MXNet would change the running statistics in the backward pass, in reverse order: a
        # momentum of 1 leaves them to `update_stats`.
        stats = {"use_global_stats": not self.spec.batch_stats, "momentum": 1.0}
        how = stats | {"eps": self.spec.eps, "fix_gamma": False, "output_mean_var": True}
        return F.npx.batch_norm(x, weight, bias, running_mean, running_var, axis=1, **how)

    def update_stats(self, mean: Tensor, scale: Tensor, count: int) -> None:
        """Take in the mean and 1 / sqrt(var + eps) of a batch with `count` values per channel."""
        keep, eps = self.spec.momentum, self.spec.eps
        var = npx.relu(1 / (scale * scale) - eps)  # rounding must not make it negative
        if self.spec.unbiased:
            var = var * (count / (count - 1))
        for name, value in (("running_mean", mean), ("running_var", var)):
            running = getattr(self, name).data()
            running[...] = keep * running + (1 - keep) * value

    def tangent(self, x: Tensor, y: Tensor, dx: Tensor) -> Tensor:
        axes = (0, *range(2, x.ndim))
        column = (1, -1, *(1,) * (x.ndim - 2))
        weight = self.weight.data().reshape(column)
        if not self.spec.batch_stats:
            return dx * weight / np.sqrt(self.running_var.data().reshape(column) + self.spec.eps)
        centred = x - x.mean(axes, keepdims=True)
        scale = 1 / np.sqrt((centred * centred).mean(axes, keepdims=True) + self.spec.eps)
        normed = centred * scale
        along = (normed * dx).mean(axes, keepdims=True)
        return weight * scale * (dx - dx.mean(axes, keepdims=True) - normed * along)


class LeakyReLU(Layer):
    """x where x > 0, else slope * x; the derivative at 0 is the slope."""

    def hybrid_forward(self, F: Any, x: Tensor) -> Tensor:
        slope = self.spec.slope
        if slope == 0:  # oneDNN's; npx.relu goes back in three times the time
            return F.npx.activation(x, act_type="relu")
        if self.dtype == "float32":
            return F.npx.leaky_relu(x, act_type="leaky", slope=slope)
        # MXNet's own holds the slope as a float32; `where` takes ten times as long. The factor is
        # exactly 1 where x > 0, whatever the slope.
        return x * (slope + (1 - slope) * F.npx.cast(x > 0, dtype=self.dtype))

    def tangent(self, x: Tensor, y: Tensor, dx: Tensor) -> Tensor:
        return np.where(x > 0, dx, self.spec.slope * dx)


class Tanh(Layer):
    """tanh(x)."""

    def hybrid_forward(self, F: Any, x: Tensor) -> Tensor:
        return F.npx.activation(x, act_type="tanh")  # np.tanh keeps to one thread

    def tangent(self, x: Tensor, y: Tensor, dx: Tensor) -> Tensor:
        return dx * (1 - y * y)


class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""

    def hybrid_forward(self, F: Any, x: Tensor) -> Tensor:
        return F.npx.sigmoid(x)

    def tangent(self, x: Tensor, y: Tensor, dx: Tensor) -> Tensor:
        return dx * y * (1 - y)


class Dropout(Layer):
    """x * mask / (1 - rate) with the caller's mask; x where there is none (inference)."""

    def hybrid_forward(self, F: Any, x: Tensor, scaled: Tensor | None = None) -> Tensor:
        return x if scaled is None else x * scaled

    def tangent(self, x: Tensor, y: Tensor, dx: Tensor, scaled: Tensor | None = None) -> Tensor:
        return dx if scaled is None else dx * scaled


class Reshape(Layer):
    """The same numbers in the spec's shape."""

    def hybrid_forward(self, F: Any, x: Tensor) -> Tensor:
        return F.npx.reshape(x, (-2, *getattr(self.spec, "shape", (-1,))))  # -2: as it is

    def tangent(self, x: Tensor, y: Tensor, dx: Tensor) -> Tensor:
        return dx.reshape(y.shape)


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


class Network(gluon.HybridBlock):
    """A chain of layers: `trained` holds what Adam moves, `stats` the running statistics, both by
    the spec's names.

    `parameters` are Gluon's own of what is trained, in the same order."""

    def __init__(
        self,
        network: NetworkSpec,
        weights: dict[str, numpy.ndarray],
        dtype: str,
        device: Any,
        mixed: bool = False,
    ) -> None:
        super().__init__()
        self.spec, self.dtype = network, dtype
        self.layers = [LAYERS[type(layer)](layer, dtype) for layer in network.layers]
        for layer in self.layers:
            self.register_child(layer)
        if network.head != "samples":  # D runs on two batches for one gradient
            self.collect_params().setattr("grad_req", "add")
        self.initialize(ctx=device)
        own = {p.name: self._parameter(p.name) for p in network.params}
        self.parameters = [own[p.name] for p in network.params if p.trainable]
        self.trained = {p.name: own[p.name].data() for p in network.params if p.trainable}
        self.stats = {p.name: own[p.name].data() for p in network.params if not p.trainable}
        for name, tensor in (self.trained | self.stats).items():
            write(tensor, weights[name])

    def hybrid_forward(
        self, F: Any, x: Tensor, *scaled: Tensor
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """(output, code or output, the statistics of the batch normalisations' batches)."""
        masks, stats, code, start = list(scaled), [], None, x
        for i, layer in enumerate(self.layers):
            if isinstance(layer, BatchNorm):
                x, *batch = layer(x)
                stats += batch
            elif self._drops(i):
                x = layer(x, masks.pop(0))
            elif self._divides(i):
                x, u = layer(x, masks.pop(0))
                stats.append(u)
            else:
                x = layer(x)
            code = x if i == self.spec.code else code
        if self.spec.head == "energy":
            error = F.npx.reshape(x - start, (-2, -1))
            x = F.np.mean(error * error, axis=1)
        elif self.spec.head != "samples":
            x = F.np.reshape(x, (-1,))
        return x, x if code is None else code, stats

    def __call__(
        self,
        x: Tensor,
        training: bool = True,
        update_stats: bool = True,
        masks: Masks | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """(output, codes) for x (B, *input): samples (B, *output), or outputs (B,); and an
        autoencoder's codes (B, n)."""
        with autograd.train_mode() if training else autograd.predict_mode():
            y, code, stats = super().__call__(x, *self._scaled(x, masks))
        if training and update_stats:
            with autograd.pause():
                self._update_stats(len(x), stats)
        return y, None if self.spec.code is None else code.reshape(len(code), -1)

    def run(self, x: Tensor, training: bool = True, update_stats: bool = True) -> Tensor:
        """The output for x (B, *input) alone, with nothing recorded."""
        return self(x, training, update_stats)[0]

    def record(
        self, x: Tensor, update_stats: bool = True, masks: Masks | None = None
    ) -> tuple[Tensor, Any]:
        """(output, tape) for x (B, *input): a pass in training that can be gone back through."""
        with autograd.record():
            return self(x, True, update_stats, masks)[0], None  # the output carries its history

    def named(self, tensors: Gradients) -> dict[str, Tensor]:
        """Gradients, moments or averages under the names of the parameters they belong to."""
        return dict(zip(self.trained, tensors, strict=True))

    def tangent(self, x: Tensor, dx: Tensor, masks: Masks | None = None) -> Tensor:
        """The differential (B,) of the outputs at x in the direction dx, in training mode."""
        scaled, start = self._scaled(x, masks), (x, dx)
        with autograd.train_mode():
            for i, layer in enumerate(self.layers):
                divides = self._divides(i)
                more = [scaled.pop(0)] if self._drops(i) or divides else []
                y = layer(x, *more)
                y = y[0] if isinstance(layer, BatchNorm) or divides else y
                x, dx = y, layer.tangent(x, y, dx, *more)
        if self.spec.head == "energy":
            error, change = (a.reshape(len(x), -1) for a in (x - start[0], dx - start[1]))
            return 2 * (error * change).mean(1)
        return dx.reshape(-1)

    def __repr__(self) -> str:
        return self.spec.summary()

    def _parameter(self, name: str) -> Any:
        _, index, own = name.split(".")
        return getattr(self.layers[int(index)], own)

    def _drops(self, i: int) -> bool:
        return f"{self.spec.name}.{i}" in self.spec.dropouts

    def _divides(self, i: int) -> bool:
        return getattr(self.layers[i].spec, "spectral", False)

    def _scaled(self, x: Tensor, masks: Masks | None) -> list[Tensor]:
        """What the dropout layers multiply by, and the spectral ones' v. In inference the former is
        1, since a hybrid block has to be given the same inputs at every call."""
        arrays = []
        for i in (i for i in range(len(self.layers)) if self._drops(i) or self._divides(i)):
            if self._divides(i):
                arrays.append(self.layers[i].direction())
            elif masks:
                scale = 1 / (1 - self.layers[i].spec.rate)
                arrays.append(masks[f"{self.spec.name}.{i}"] * scale)
            else:
                shape = len(x), *self.spec.shapes[i]
                arrays.append(np.ones(shape, dtype=self.dtype, ctx=x.ctx))
        return arrays

    def _update_stats(self, batch: int, stats: list[Tensor]) -> None:
        own = iter(stats)
        for i, layer in enumerate(self.layers):
            if isinstance(layer, BatchNorm):
                mean, scale = next(own), next(own)
                if layer.spec.batch_stats:
                    layer.update_stats(mean, scale, batch * math.prod(self.spec.shapes[i][1:]))
            elif self._divides(i):
                layer.u.data()[...] = next(own)


def read(tensor: Tensor) -> numpy.ndarray:
    """A weight, or what belongs to one, as the spec has it: a copy in NumPy."""
    return to_array(tensor)


def write(tensor: Tensor, array: numpy.ndarray) -> None:
    """Set a weight, or what belongs to one, from an array as the spec has it."""
    tensor[...] = np.array(array, dtype=tensor.dtype, ctx=tensor.ctx)


def _kernel(
    F: Any, weight: Tensor, v: tuple[Tensor, ...], u: Any, transposed: bool = False
) -> tuple[Tensor, Any]:
    """(what the layer multiplies by, what is to be done with its output): with a v, the weight over
    its spectral norm, and the output beside the new u."""
    if not v:
        return weight, lambda y: y
    matrix = F.np.swapaxes(weight, 0, 1) if transposed else weight
    moved = F.np.dot(F.npx.reshape(matrix, (-2, -1)), v[0])
    sigma = F.np.sqrt(F.np.sum(moved * moved))
    # Gluon warns of a parameter that its block does not use: the v given was made of it.
    return weight / sigma, lambda y: (y, moved / sigma if u is None else moved / sigma + 0 * u)


def _window(layer: spec.Conv, padding: int) -> dict[str, Any]:
    pairs = {"kernel": layer.kernel, "stride": layer.stride, "pad": padding}
    return {"num_filter": layer.out_channels} | {name: (n, n) for name, n in pairs.items()}
