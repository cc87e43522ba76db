"""The layers: gluon blocks around MXNet's own operators where they mean what the spec means.

`hybrid_forward` runs on arrays and on symbols alike. `tangent` is the layer's differential in a
direction dx at x, on arrays: see `steps._gradient_penalty`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from ganref.spec import layers as spec
from ganref.spec.groups import group_size
from ganref.spec.networks import Network as NetworkSpec

from .framework import Gradients, Masks, Tensor, autograd, detach, gluon, mx, np, npx, to_array


class Layer(gluon.HybridBlock):
    """A layer that takes its numbers from the spec."""

    def __init__(self, layer: Any, dtype: str) -> None:
        super().__init__()
        self.spec, self.dtype = layer, dtype
        for p in layer.params():
            how = {"shape": p.shape, "dtype": dtype, "init": "zeros"}
            how |= {} if p.trainable else {"differentiable": False}
            setattr(self, p.name, self.params.get(p.name, **how))

    def direction(self, name: str = "weight", power: str = "u") -> Tensor:
        """v = Wᵀ u / |Wᵀ u|, which gradients take as it is: it comes from outside of the block."""
        with autograd.pause():
            first = 1 if isinstance(self.spec, spec.ConvTranspose) else 0
            weight = np.swapaxes(getattr(self, name).data(), 0, first)
            v = np.dot(getattr(self, power).data(), weight.reshape(len(weight), -1))
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
            # The older operator: npx's takes twelve times as long.
            widths = (0, 0, 0, 0, before, after, before, after)
            x = F.pad(x.as_nd_ndarray(), mode="constant", pad_width=widths).as_np_ndarray()
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
        """(y, mean, 1 / sqrt(var + eps)); with groups the last two have a row for each."""
        # MXNet would change the running statistics in the backward pass, in reverse order: a
        # momentum of 1 leaves them to `update_stats`.
        stats = {"use_global_stats": not self.spec.batch_stats, "momentum": 1.0}
        how = stats | {"eps": self.spec.eps, "fix_gamma": False, "output_mean_var": True}
        own = weight, bias, running_mean, running_var
        if self.spec.groups == 1:
            return F.npx.batch_norm(x, *own, axis=1, **how)
        parts = F.np.split(x, self.spec.groups)
        made = [F.npx.batch_norm(part, *own, axis=1, **how) for part in parts]
        y, mean, scale = zip(*made, strict=True)
        return F.np.concatenate(y, 0), F.np.stack(mean), F.np.stack(scale)

    def update_stats(self, mean: Tensor, scale: Tensor, count: int) -> None:
        """Take in the mean and 1 / sqrt(var + eps) of a batch with `count` values per channel, or
        those of each group (groups, features)."""
        keep, eps = self.spec.momentum, self.spec.eps
        var = npx.relu(1 / (scale * scale) - eps)  # rounding must not make it negative
        if self.spec.unbiased:
            var = var * (count / (count - 1))
        if self.spec.groups > 1:
            mean, var = mean.mean(0), var.mean(0)
        for name, value in (("running_mean", mean), ("running_var", var)):
            running = getattr(self, name).data()
            running[...] = keep * running + (1 - keep) * value

    def tangent(self, x: Tensor, y: Tensor, dx: Tensor) -> Tensor:
        axes = (-x.ndim, *range(2 - x.ndim, 0))
        column = (-1, *(1,) * (x.ndim - 2))
        if self.spec.groups > 1:  # an axis in front, that of the groups
            x, dx = (a.reshape(self.spec.groups, -1, *a.shape[1:]) for a in (x, dx))
        weight = self.weight.data().reshape(column)
        if not self.spec.batch_stats:
            return dx * weight / np.sqrt(self.running_var.data().reshape(column) + self.spec.eps)
        centred = x - x.mean(axes, keepdims=True)
        scale = 1 / np.sqrt((centred * centred).mean(axes, keepdims=True) + self.spec.eps)
        normed = centred * scale
        along = (normed * dx).mean(axes, keepdims=True)
        change = dx - dx.mean(axes, keepdims=True) - normed * along
        return (weight * scale * change).reshape(y.shape)


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
        # MXNet crashes where the gradient of a comparison, none, goes back into a concatenation.
        return np.where(detach(x) > 0, dx, self.spec.slope * dx)


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


class Concat(Layer):
    """The example's label behind its numbers, or as constant channels behind an image's."""

    def hybrid_forward(self, F: Any, x: Tensor, label: Tensor) -> Tensor:
        return F.np.concatenate((x, label), axis=1)

    def tangent(self, x: Tensor, y: Tensor, dx: Tensor, label: Tensor) -> Tensor:
        return np.concatenate((dx, np.zeros_like(label)), axis=1)


class Projection(Layer):
    """y = x (w + E[label])ᵀ + b (Miyato and Koyama 2018)."""

    def hybrid_forward(
        self,
        F: Any,
        x: Tensor,
        label: Tensor,
        *v: Tensor,
        weight: Tensor,
        embedding: Tensor,
        bias: Any = None,
        u: Any = None,
        u_embedding: Any = None,
    ) -> Tensor:
        weight, first = _kernel(F, weight, v[:1], u)
        embedding, second = _kernel(F, embedding, v[1:], u_embedding)
        y = F.np.sum(x * (weight + F.np.dot(label, embedding)), axis=1, keepdims=True)
        y = y if bias is None else y + bias
        return (*first(y), second(y)[1]) if v else y

    def tangent(self, x: Tensor, y: Tensor, dx: Tensor, label: Tensor, *v: Tensor) -> Tensor:
        own = {"weight": self.weight.data(), "embedding": self.embedding.data()}
        dy = self.hybrid_forward(mx.nd, dx, label, *v, **own)
        return dy[0] if v else dy


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
    spec.Concat: Concat,
    spec.Projection: Projection,
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
            else:
                y = layer(x, *(masks.pop(0) for _ in range(self._takes(i))))
                x, *powers = y if self._powers(i) else (y,)
                stats += powers
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
        # A graph cuts its batch in inference too, where that means nothing.
        if more := 0 if training else -len(x) % self.spec.groups:
            x, masks = _longer(x, more), {n: _longer(m, more) for n, m in (masks or {}).items()}
        group_size(len(x), self.spec.groups)
        with autograd.train_mode() if training else autograd.predict_mode():
            y, code, stats = super().__call__(x, *self._scaled(x, masks))
        y = y[:-more] if more else y
        if training and update_stats:
            with autograd.pause():
                self._update_stats(len(x), stats)
        return y, None if self.spec.code is None else code.reshape(len(code), -1)

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
                more = [scaled.pop(0) for _ in range(self._takes(i))]
                y = layer(x, *more)
                y = y[0] if isinstance(layer, BatchNorm) or self._powers(i) else y
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

    def _powers(self, i: int) -> list[str]:
        """The vectors of a spectral layer."""
        return [p.name for p in self.layers[i].spec.params() if p.role == "power"]

    def _takes(self, i: int) -> int:
        """How many arrays of `_scaled` are that layer's."""
        name = f"{self.spec.name}.{i}"
        return (name in self.spec.dropouts | self.spec.labelled) + len(self._powers(i))

    def _scaled(self, x: Tensor, masks: Masks | None) -> list[Tensor]:
        """What the dropout layers multiply by, labels, and the spectral layers' v. In inference the
        first are 1, since a hybrid block has to be given the same inputs at every call."""
        arrays = []
        for i, layer in enumerate(self.layers):
            name, shape = f"{self.spec.name}.{i}", (len(x), *self.spec.shapes[i])
            mask: Any = (masks or {}).get(name)
            if name in self.spec.labelled:
                wide = mask.reshape(*mask.shape, *(1,) * (len(shape) - 2))
                arrays.append(np.broadcast_to(wide, (*mask.shape, *shape[2:])))
            elif name in self.spec.dropouts:
                ones = np.ones(shape, dtype=self.dtype, ctx=x.ctx)
                arrays.append(ones if mask is None else mask * (1 / (1 - layer.spec.rate)))
            powers = {u: u.removeprefix("u_") if u != "u" else "weight" for u in self._powers(i)}
            arrays += [layer.direction(own, u) for u, own in powers.items()]
        return arrays

    def _update_stats(self, batch: int, stats: list[Tensor]) -> None:
        own = iter(stats)
        for i, layer in enumerate(self.layers):
            if isinstance(layer, BatchNorm):
                mean, scale = next(own), next(own)
                if layer.spec.batch_stats:
                    size = batch // layer.spec.groups
                    layer.update_stats(mean, scale, size * math.prod(self.spec.shapes[i][1:]))
            for u in self._powers(i):
                getattr(layer, u).data()[...] = next(own)


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


def _longer(x: Tensor, more: int) -> Tensor:
    """x (B, ...) with so many rows of zeros below."""
    return np.concatenate([x, np.zeros((more, *x.shape[1:]), x.dtype, ctx=x.ctx)])


def _window(layer: spec.Conv, padding: int) -> dict[str, Any]:
    pairs = {"kernel": layer.kernel, "stride": layer.stride, "pad": padding}
    return {"num_filter": layer.out_channels} | {name: (n, n) for name, n in pairs.items()}
