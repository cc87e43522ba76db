"""The layers: gluon blocks around MXNet's own operators where they mean what the spec means.

`hybrid_forward` runs on arrays and on symbols alike. `tangent` is the layer's differential in a
direction dx at x, on arrays: see `steps._gradient_penalty`.
"""

from __future__ import annotations

import math
from typing import Any

from ganref.spec import layers as spec
from ganref.spec.networks import Network as NetworkSpec

from .framework import autograd, gluon, mx, np, npx

Array = Any


class Layer(gluon.HybridBlock):
    """A block with the spec's parameters."""

    def __init__(self, layer: Any, name: str, dtype: str) -> None:
        super().__init__(prefix=f"{name}.")
        self.spec, self.dtype = layer, dtype
        for p in layer.params():
            how = {"shape": p.shape, "dtype": dtype, "init": "zeros"}
            how |= {} if p.trainable else {"differentiable": False}
            setattr(self, p.name, self.params.get(p.name, **how))


class Dense(Layer):
    """y = x Wᵀ + b."""

    def hybrid_forward(self, F: Any, x: Array, weight: Array, bias: Array | None = None) -> Array:
        how = {"num_hidden": self.spec.out_features, "flatten": False, "no_bias": bias is None}
        return F.npx.fully_connected(x, weight, bias, **how)

    def tangent(self, x: Array, y: Array, dx: Array) -> Array:
        return self.hybrid_forward(mx.nd, dx, self.weight.data())


class Conv(Layer):
    """Cross-correlation; an uneven padding is laid on before it."""

    def hybrid_forward(self, F: Any, x: Array, weight: Array, bias: Array | None = None) -> Array:
        before, after = self.spec.padding
        if before != after:
            x = F.np.pad(x, ((0, 0), (0, 0), (before, after), (before, after)))
        how = _window(self.spec, before if before == after else 0)
        return F.npx.convolution(x, weight, bias, no_bias=bias is None, **how)

    def tangent(self, x: Array, y: Array, dx: Array) -> Array:
        return self.hybrid_forward(mx.nd, dx, self.weight.data())


class ConvTranspose(Layer):
    """The transpose of a convolution: its forward pass is that one's gradient to the input."""

    def hybrid_forward(self, F: Any, x: Array, weight: Array, bias: Array | None = None) -> Array:
        before, after = self.spec.padding
        how = _window(self.spec, before)
        # oneDNN, which has no float64, fails in the backward pass to a single channel.
        wide = self.spec.out_channels == 1 and self.dtype == "float32"
        arrays = [x, weight] if bias is None else [x, weight, bias]
        arrays = [F.npx.cast(a, dtype="float64") for a in arrays] if wide else arrays
        y = F.npx.deconvolution(*arrays, no_bias=bias is None, **how)
        y = F.npx.cast(y, dtype=self.dtype) if wide else y
        if before == after:
            return y
        # `adj` adds rows at the end and never takes the odd one away.
        ends = (None, None, before - after, before - after)
        return F.npx.slice(y, begin=(None,) * 4, end=ends)

    def tangent(self, x: Array, y: Array, dx: Array) -> Array:
        return self.hybrid_forward(mx.nd, dx, self.weight.data())


class BatchNorm(Layer):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, per channel (Ioffe and Szegedy 2015)."""

    def hybrid_forward(
        self,
        F: Any,
        x: Array,
        weight: Array,
        bias: Array,
        running_mean: Array,
        running_var: Array,
    ) -> Array:
        """(y, mean, 1 / sqrt(var + eps))."""
        # MXNet would change the running statistics in the backward pass, in reverse order: a
        # momentum of 1 leaves them to `update_stats`.
        stats = {"use_global_stats": not self.spec.batch_stats, "momentum": 1.0}
        how = stats | {"eps": self.spec.eps, "fix_gamma": False, "output_mean_var": True}
        return F.npx.batch_norm(x, weight, bias, running_mean, running_var, axis=1, **how)

    def update_stats(self, mean: Array, scale: Array, count: int) -> None:
        """Take in the mean and 1 / sqrt(var + eps) of a batch with `count` values per channel."""
        keep, eps = self.spec.momentum, self.spec.eps
        var = npx.relu(1 / (scale * scale) - eps)  # rounding must not make it negative
        if self.spec.unbiased:
            var = var * (count / (count - 1))
        for name, value in (("running_mean", mean), ("running_var", var)):
            running = getattr(self, name).data()
            running[...] = keep * running + (1 - keep) * value

    def tangent(self, x: Array, y: Array, dx: Array) -> Array:
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

    def hybrid_forward(self, F: Any, x: Array) -> Array:
        slope = self.spec.slope
        if slope == 0:  # oneDNN's; npx.relu goes back in three times the time
            return F.npx.activation(x, act_type="relu")
        if self.dtype == "float32":
            return F.npx.leaky_relu(x, act_type="leaky", slope=slope)
        # MXNet's own holds the slope as a float32; `where` takes ten times as long. The factor is
        # exactly 1 where x > 0, whatever the slope.
        return x * (slope + (1 - slope) * F.npx.cast(x > 0, dtype=self.dtype))

    def tangent(self, x: Array, y: Array, dx: Array) -> Array:
        return np.where(x > 0, dx, self.spec.slope * dx)


class Tanh(Layer):
    """tanh(x)."""

    def hybrid_forward(self, F: Any, x: Array) -> Array:
        return F.npx.activation(x, act_type="tanh")  # np.tanh keeps to one thread

    def tangent(self, x: Array, y: Array, dx: Array) -> Array:
        return dx * (1 - y * y)


class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""

    def hybrid_forward(self, F: Any, x: Array) -> Array:
        return F.npx.sigmoid(x)

    def tangent(self, x: Array, y: Array, dx: Array) -> Array:
        return dx * y * (1 - y)


class Dropout(Layer):
    """x * mask / (1 - rate) with the caller's mask; x where there is none (inference)."""

    def hybrid_forward(self, F: Any, x: Array, scaled: Array | None = None) -> Array:
        return x if scaled is None else x * scaled

    def tangent(self, x: Array, y: Array, dx: Array, scaled: Array | None = None) -> Array:
        return dx if scaled is None else dx * scaled


class Reshape(Layer):
    """The same numbers in the spec's shape."""

    def hybrid_forward(self, F: Any, x: Array) -> Array:
        return F.npx.reshape(x, (-2, *getattr(self.spec, "shape", (-1,))))  # -2: as it is

    def tangent(self, x: Array, y: Array, dx: Array) -> Array:
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
    """A chain of layers whose parameters have the spec's names: `trained` holds those that Adam
    moves, `stats` the running statistics."""

    def __init__(
        self, network: NetworkSpec, weights: dict[str, Any], dtype: str, device: Any
    ) -> None:
        super().__init__(prefix=f"{network.name}.")
        self.spec, self.dtype = network, dtype
        self.layers = []
        for i, layer in enumerate(network.layers):
            self.layers.append(LAYERS[type(layer)](layer, f"{network.name}.{i}", dtype))
            self.register_child(self.layers[-1])
        params, named = self.collect_params(), network.params
        self.trained = {p.name: params[p.name] for p in named if p.trainable}
        self.stats = {p.name: params[p.name] for p in named if not p.trainable}
        if network.head != "samples":  # D runs on two batches for one gradient
            params.setattr("grad_req", "add")
        self.initialize(ctx=device)
        for name, p in (self.trained | self.stats).items():
            p.set_data(np.array(weights[name], dtype=dtype, ctx=device))

    def hybrid_forward(self, F: Any, x: Array, *scaled: Array) -> tuple[Array, Array, list[Array]]:
        """(output, code or output, the statistics of the batch normalisations' batches)."""
        masks, stats, code, start = list(scaled), [], None, x
        for i, layer in enumerate(self.layers):
            if isinstance(layer, BatchNorm):
                x, *batch = layer(x)
                stats += batch
            elif self._drops(i):
                x = layer(x, masks.pop(0))
            else:
                x = layer(x)
            code = x if i == self.spec.code else code
        if self.spec.head == "energy":
            error = F.npx.reshape(x - start, (-2, -1))
            x = F.np.mean(error * error, axis=1)
        elif self.spec.head != "samples":
            x = F.np.reshape(x, (-1,))
        return x, x if code is None else code, stats

    def forward(
        self,
        x: Array,
        training: bool = True,
        update_stats: bool = True,
        masks: dict[str, Array] | None = None,
    ) -> tuple[Array, Any]:
        """(output, tape) for x (B, *input): samples (B, *output), or outputs (B,).

        MXNet records the way back in the output itself; the tape holds an autoencoder's code."""
        with autograd.train_mode() if training else autograd.predict_mode():
            y, code, stats = super().forward(x, *self._scaled(x, masks))
        if training and update_stats:
            with autograd.pause():
                self._update_stats(len(x), stats)
        return y, code

    def codes(self, tape: Any) -> Array | None:
        """An autoencoder's codes (B, n) of the pass that left this tape."""
        return None if self.spec.code is None else tape.reshape(len(tape), -1)

    def tangent(self, x: Array, dx: Array, masks: dict[str, Array] | None = None) -> Array:
        """The differential (B,) of the outputs at x in the direction dx, in training mode."""
        scaled, start = self._scaled(x, masks), (x, dx)
        with autograd.train_mode():
            for i, layer in enumerate(self.layers):
                more = [scaled.pop(0)] if self._drops(i) else []
                y = layer(x, *more)
                y = y[0] if isinstance(layer, BatchNorm) else y
                x, dx = y, layer.tangent(x, y, dx, *more)
        if self.spec.head == "energy":
            error, change = (a.reshape(len(x), -1) for a in (x - start[0], dx - start[1]))
            return 2 * (error * change).mean(1)
        return dx.reshape(-1)

    def zero_grad(self) -> None:
        """Forget D's gradients: `backward` adds to them."""
        for p in self.trained.values():
            p.grad()[()] = 0

    def grad(self) -> list[Array]:
        """The gradients to the trained parameters, in the network's order."""
        return [p.grad() for p in self.trained.values()]

    def _drops(self, i: int) -> bool:
        return f"{self.spec.name}.{i}" in self.spec.dropouts

    def _scaled(self, x: Array, masks: dict[str, Array] | None) -> list[Array]:
        """What the dropout layers multiply by. In inference it is 1, since a hybrid block has to
        be given the same inputs at every call."""
        arrays = []
        for i in (i for i in range(len(self.layers)) if self._drops(i)):
            if masks:
                scale = 1 / (1 - self.layers[i].spec.rate)
                arrays.append(masks[f"{self.spec.name}.{i}"] * scale)
            else:
                shape = len(x), *self.spec.shapes[i]
                arrays.append(np.ones(shape, dtype=self.dtype, ctx=x.ctx))
        return arrays

    def _update_stats(self, batch: int, stats: list[Array]) -> None:
        own = iter(stats)
        for i, layer in enumerate(self.layers):
            if isinstance(layer, BatchNorm):
                mean, scale = next(own), next(own)
                if layer.spec.batch_stats:
                    layer.update_stats(mean, scale, batch * math.prod(self.spec.shapes[i][1:]))


def _window(layer: spec.Conv, padding: int) -> dict[str, Any]:
    pairs = {"kernel": layer.kernel, "stride": layer.stride, "pad": padding}
    return {"num_filter": layer.out_channels} | {name: (n, n) for name, n in pairs.items()}
