"""The layers, as pure functions of their weights and the input.

Images are NHWC in here, and kernels HWIO: XLA's convolutions on the processor want it. Whatever
depends on the order of the numbers (reshaping, flattening, dropout masks) goes through channels
first, the order of the border. A kernel is the border's transposed, for all three kinds of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ganref.spec import layers as spec
from ganref.spec.groups import group_size
from ganref.spec.networks import Network as NetworkSpec

from .framework import Gradients, Masks, Tensor, wide

IMAGES = "NHWC", "HWIO", "NHWC"
Weights = dict[str, Tensor]  # of one layer: weight, bias, u, running_mean, running_var


class Variable:
    """A cell that holds a tensor: the one thing here that changes.

    What is differentiated or compiled takes the tensors out and puts the new ones in."""

    def __init__(self, value: Tensor) -> None:
        self.value = value

    def copy(self) -> Variable:
        """Another cell with the same numbers."""
        with wide(self.value.device):
            return Variable(self.value.copy())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.value, dtype)


class Layer:
    """A layer that takes its numbers from the spec."""

    def __init__(self, layer: Any, dtype: Any) -> None:
        self.spec, self.dtype = layer, dtype  # what it computes in

    # Equal layers are compiled once.
    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), self.spec, self.dtype))


class Dense(Layer):
    """y = x Wᵀ + b."""

    def __call__(self, own: Weights, x: Tensor, update_stats: bool) -> tuple[Tensor, Weights]:
        kernel, own = _kernel(own, update_stats)
        return _shifted(own, x.astype(self.dtype) @ kernel.astype(self.dtype)), own


class Conv(Layer):
    """Cross-correlation, padded by the spec's explicit pair."""

    outputs = 3  # the axis of its kernel

    def __call__(self, own: Weights, x: Tensor, update_stats: bool) -> tuple[Tensor, Weights]:
        kernel, own = _kernel(own, update_stats, self.outputs)
        return _shifted(own, self.convolve(x.astype(self.dtype), kernel.astype(self.dtype))), own

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        stride, padding = self.spec.stride, self.spec.padding
        pads = padding, padding
        return lax.conv_general_dilated(x, weight, (stride,) * 2, pads, dimension_numbers=IMAGES)


class ConvTranspose(Conv):
    """The transpose of a convolution: its forward pass is that one's gradient to the input."""

    outputs = 2

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        # JAX pads the input with its zeros between the numbers, where the spec crops the output.
        stride = self.spec.stride
        padding = [self.spec.kernel - 1 - n for n in self.spec.padding]
        window: Any = (stride, stride), (padding, padding)
        how: Any = {"dimension_numbers": IMAGES, "transpose_kernel": True}
        return lax.conv_transpose(x, weight, *window, **how)


class BatchNorm(Layer):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, per channel (Ioffe and Szegedy 2015)."""

    def __call__(
        self, own: Weights, x: Tensor, training: bool, update_stats: bool
    ) -> tuple[Tensor, Weights]:
        given, x = x.dtype, x.astype(own["weight"].dtype)  # 8 bits are too few for a variance
        if not (training and self.spec.batch_stats):
            centred = x - own["running_mean"]
            return self._normalise(own, centred, own["running_var"]).astype(given), own
        groups = self.spec.groups
        y, mean, var = self._batch(own, x) if groups == 1 else self._groups(own, x)
        count = x.size // x.shape[-1] // groups
        return y.astype(given), self._update_stats(own, mean, var, count) if update_stats else own

    def _batch(self, own: Weights, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(y, the batch's mean, its biased variance)."""
        axes = tuple(range(x.ndim - 1))
        mean = x.mean(axes)
        centred = x - mean
        var = (centred * centred).mean(axes)
        return self._normalise(own, centred, var), mean, var

    def _groups(self, own: Weights, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same of each group, and the means of their statistics."""
        n = self.spec.groups
        group_size(len(x), n)
        made = [self._batch(own, group) for group in jnp.split(x, n)]
        y, means, variances = zip(*made, strict=True)
        return jnp.concatenate(y), sum(means) / n, sum(variances) / n

    def _normalise(self, own: Weights, centred: Tensor, var: Tensor) -> Tensor:
        return centred * (own["weight"] * lax.rsqrt(var + self.spec.eps)) + own["bias"]

    def _update_stats(self, own: Weights, mean: Tensor, var: Tensor, count: int) -> Weights:
        keep = self.spec.momentum
        if self.spec.unbiased:
            var = var * (count / (count - 1))
        return own | {
            "running_mean": keep * own["running_mean"] + (1 - keep) * mean,
            "running_var": keep * own["running_var"] + (1 - keep) * var,
        }


class LeakyReLU(Layer):
    """x where x > 0, else slope * x; the derivative at 0 is the slope."""

    def __call__(self, own: Weights, x: Tensor) -> Tensor:
        return jnp.where(x > 0, x, self.spec.slope * x)


class Tanh(Layer):
    """tanh(x)."""

    def __call__(self, own: Weights, x: Tensor) -> Tensor:
        return jnp.tanh(x)


class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""

    def __call__(self, own: Weights, x: Tensor) -> Tensor:
        return jax.nn.sigmoid(x)


class Dropout(Layer):
    """x * mask / (1 - rate) with the caller's mask; x where there is none (inference)."""

    def __call__(self, own: Weights, x: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None:
            return x
        return x * (_channels_last(mask).astype(x.dtype) * (1 / (1 - self.spec.rate)))


class Concat(Layer):
    """The example's label behind its numbers, or as constant channels behind an image's."""

    def __call__(self, own: Weights, x: Tensor, label: Tensor) -> Tensor:
        batch, *size, _ = x.shape
        channels = label.astype(x.dtype).reshape(batch, *(1 for _ in size), -1)
        return jnp.concatenate([x, jnp.broadcast_to(channels, (batch, *size, label.shape[1]))], -1)


class Projection(Dense):
    """y = x (w + E[label])ᵀ + b (Miyato and Koyama 2018)."""

    def __call__(  # type: ignore[override]
        self, own: Weights, x: Tensor, label: Tensor, update_stats: bool
    ) -> tuple[Tensor, Weights]:
        kernel, own = _kernel(own, update_stats)
        e, own = _kernel(own, update_stats, name="embedding", power="u_embedding")
        along = kernel.T + label.astype(e.dtype) @ e.T
        x = x.astype(self.dtype) * along.astype(self.dtype)
        return _shifted(own, x.sum(1, keepdims=True)), own


class Reshape(Layer):
    """The same numbers in the spec's shape."""

    def __call__(self, own: Weights, x: Tensor) -> Tensor:
        x = _channels_first(x)
        batch, *shape = x.shape
        return _channels_last(x.reshape(batch, *self.spec.out_shape(tuple(shape))))


LAYERS: dict[type[spec.Layer], Any] = {
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


@dataclass(frozen=True)
class Chain:
    """What a network computes, without its numbers: equal ones are compiled once for all."""

    spec: NetworkSpec
    layers: tuple[Any, ...]

    def apply(
        self,
        trained: Gradients,
        stats: Sequence[Tensor],
        x: Tensor,
        training: bool = True,
        update_stats: bool = True,
        masks: Masks | None = None,
    ) -> tuple[Tensor, tuple[Tensor | None, list[Tensor]]]:
        """(output, (codes, new stats)) for x (B, *input), as a pure function of the weights and
        running statistics, both in the network's order: samples (B, *output), or outputs (B,); and
        an autoencoder's codes (B, n)."""
        codes, start, params, masks = None, x, self.spec.params, masks or {}
        names = [p.name for p in sorted(params, key=lambda p: not p.trainable)]
        weights = dict(zip(names, (*trained, *stats), strict=True))
        for i, layer in enumerate(self.layers):
            name = f"{self.spec.name}.{i}"
            own = {p.name: weights[f"{name}.{p.name}"] for p in layer.spec.params()}
            if isinstance(layer, BatchNorm):
                x, own = layer(own, x, training, update_stats)
            elif isinstance(layer, Dropout):
                x = layer(own, x, masks.get(name))
            elif isinstance(layer, Concat):
                x = layer(own, x, masks[name])
            elif isinstance(layer, Projection):
                x, own = layer(own, x, masks[name], training and update_stats)
            elif isinstance(layer, (Dense, Conv)):
                x, own = layer(own, x, training and update_stats)
            else:
                x = layer(own, x)
            weights |= {f"{name}.{part}": tensor for part, tensor in own.items()}
            if i == self.spec.code:
                codes = x.reshape(len(x), -1).astype(start.dtype)
        x = x.astype(start.dtype)
        new = codes, [lax.stop_gradient(weights[name]) for name in names[len(trained) :]]
        if self.spec.head == "samples":
            return x, new
        if self.spec.head == "energy":
            error = (x - start).reshape(len(x), -1)
            return (error * error).mean(1), new
        return x.reshape(len(x)), new

    @partial(jax.jit, static_argnames=("self", "training"))
    def run(
        self, trained: Gradients, stats: Any, x: Tensor, training: bool, masks: Masks | None
    ) -> Any:
        """`apply`, compiled."""
        return self.apply(trained, stats, x, training, masks=masks)

    @partial(jax.jit, static_argnames="self")
    def record(self, trained: Gradients, stats: Any, x: Tensor, masks: Masks | None) -> Any:
        """(output, tape, (codes, new stats)), compiled."""

        def forward(trained: Gradients) -> tuple[Tensor, Any]:
            return self.apply(trained, stats, x, masks=masks)

        return jax.vjp(forward, trained, has_aux=True)


class Network:
    """A chain of layers: `trained` holds what Adam moves, `stats` the running statistics, both by
    the spec's names.

    With `mixed` it computes in bfloat16; weights, inputs and outputs are float32 all the same."""

    def __init__(
        self,
        network: NetworkSpec,
        weights: dict[str, np.ndarray],
        dtype: np.dtype,
        device: Any,
        mixed: bool = False,
    ) -> None:
        self.spec, self.device = network, device
        kind = jnp.bfloat16 if mixed else dtype
        layers = (LAYERS[type(layer)](layer, kind) for layer in network.layers)
        self.chain = Chain(network, tuple(layers))
        with wide(device):
            own = {p.name: Variable(_laid(weights[p.name], dtype, device)) for p in network.params}
        self.trained: dict[str, Any] = {p.name: own[p.name] for p in network.params if p.trainable}
        self.stats = {p.name: own[p.name] for p in network.params if not p.trainable}

    def run(
        self,
        x: Tensor,
        training: bool = True,
        update_stats: bool = True,
        masks: Masks | None = None,
    ) -> Tensor:
        """The output for x (B, *input) alone, with nothing recorded."""
        output, (_, stats) = self.chain.run(*self.tensors(), x, training, masks)
        if update_stats:
            self.put(stats)
        return output

    def record(
        self, x: Tensor, update_stats: bool = True, masks: Masks | None = None
    ) -> tuple[Tensor, Any]:
        """(output, tape) for x (B, *input): a pass in training that can be gone back through."""
        output, tape, (_, stats) = self.chain.record(*self.tensors(), x, masks)
        if update_stats:
            self.put(stats)
        return output, tape

    def named(self, tensors: Sequence[Any]) -> dict[str, Any]:
        """Gradients, moments or averages under the names of the parameters they belong to."""
        return dict(zip(self.trained, tensors, strict=True))

    def tensors(self) -> tuple[list[Tensor], list[Tensor]]:
        """What lies in the cells now, of `trained` and of `stats`."""
        return [v.value for v in self.trained.values()], [v.value for v in self.stats.values()]

    def put(self, stats: Sequence[Tensor]) -> None:
        """Set the running statistics."""
        for variable, tensor in zip(self.stats.values(), stats, strict=True):
            variable.value = tensor

    def __repr__(self) -> str:
        return self.spec.summary()


def read(tensor: Tensor) -> np.ndarray:
    """A weight, or what belongs to one, as the spec has it: a copy in NumPy."""
    array = np.asarray(tensor)
    return array.transpose({2: (1, 0), 4: (3, 2, 0, 1)}.get(array.ndim)).copy()


def write(tensor: Variable, array: np.ndarray) -> None:
    """Set a weight, or what belongs to one, from an array as the spec has it."""
    tensor.value = _laid(array, tensor.value.dtype, tensor.value.device)


def _laid(array: np.ndarray, dtype: Any, device: Any) -> Tensor:
    # Dense kernels lie (in, out), those of both convolutions (rows, columns, *swapped channels*).
    own = array.transpose({2: (1, 0), 4: (2, 3, 1, 0)}.get(array.ndim))
    return jax.device_put(np.array(own, dtype, order="C"), device)


def _kernel(
    own: Weights, update_stats: bool, outputs: int = 1, name: str = "weight", power: str = "u"
) -> tuple[Tensor, Weights]:
    """What the layer multiplies by; its outputs are that axis of its weight."""
    weight = own[name]
    if power not in own:
        return weight, own
    matrix = jnp.moveaxis(weight, outputs, 0).reshape(weight.shape[outputs], -1)
    v = lax.stop_gradient(matrix).T @ own[power]
    v = v / jnp.sqrt((v * v).sum())
    u = matrix @ v
    sigma = jnp.sqrt((u * u).sum())
    return weight / sigma, own | {power: u / sigma} if update_stats else own


def _shifted(own: Weights, y: Tensor) -> Tensor:
    return y + own["bias"].astype(y.dtype) if "bias" in own else y


def _channels_last(x: Tensor) -> Tensor:
    """NCHW to NHWC; vectors stay as they are."""
    return x.transpose(0, 2, 3, 1) if x.ndim == 4 else x


def _channels_first(x: Tensor) -> Tensor:
    """NHWC to NCHW; vectors stay as they are."""
    return x.transpose(0, 3, 1, 2) if x.ndim == 4 else x
