"""Networks, losses and Adam as symbols, with their derivatives by hand.

MXNet's autodiff makes no symbol that could be unrolled into the graph of several steps; so what
`layers` leaves to the framework stands here in the terms of the NumPy backend. A network's weights
are one vector.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

from ganref.spec import layers as spec
from ganref.spec.loss import Loss
from ganref.spec.networks import Network as NetworkSpec
from ganref.spec.optimiser import Adam

from ..losses import SLOPES
from .dual import Dual, Either, S, Symbol, linear, minus, product, shifted, tanh, value


class Pass(NamedTuple):
    """A pass through a network: samples, or outputs (B, 1); the codes (B, n) of an autoencoder;
    and the layers' ways back."""

    y: Either
    codes: Either
    back: list[Callable]


def forward(
    network: NetworkSpec,
    x: Either,
    flat: Symbol,
    batch: int,
    masks: dict[str, Symbol] | None = None,
) -> Pass:
    """The pass of x (B, *input) for the weights `flat`, the scaled masks of dropout and labels."""
    params = [p for layer in network.layers for p in layer.params()]
    own = iter(cut(flat, [p.shape if len(p.shape) > 1 else (1, *p.shape) for p in params]))
    back, start, codes = [], x, None
    for i, layer in enumerate(network.layers):
        more = [next(own) for _ in layer.params()]
        if (name := f"{network.name}.{i}") in network.dropouts | network.labelled:
            more.append((masks or {})[name])
        x, way = FORWARD[type(layer)](layer, x, (batch, *network.shapes[i]), *more)
        back.append(way)
        if i == network.code:
            codes = linear(S.reshape, x, shape=(batch, -1))
    if network.head != "energy":
        return Pass(x, codes, back)
    error = linear(S.reshape, minus(x, start), shape=(batch, -1))
    squares = product(S.elemwise_mul, error, error)
    energy = linear(S.mean, squares, axis=1, keepdims=True)
    return Pass(energy, codes, [*back, lambda dy: (_d_error(network, dy, error, batch), [])])


def _d_error(network: NetworkSpec, dy: Either, error: Either, batch: int) -> Either:
    scaled = linear(lambda s: s * (2 / math.prod(network.output_shape)), dy)
    d_error = product(S.broadcast_mul, scaled, error)
    return linear(S.reshape, d_error, shape=(batch, *network.output_shape))


def backward(
    network: NetworkSpec, dy: Either, made: Pass, d_codes: Symbol | None = None
) -> tuple[Either, list[Either]]:
    """(d_input, the gradients to the weights, as vectors) for the derivative dy of the output, and
    d_codes (B, n) of the codes. What nobody uses is not computed."""
    grads: list[Either] = []
    direct = None
    for i, back in reversed(list(enumerate(made.back))):
        if i == network.code and d_codes is not None:
            dy = dy + S.reshape_like(d_codes, dy)
        dy, own = back(dy)
        grads[:0] = [linear(S.reshape, g, shape=(-1,)) for g in own]
        direct = dy if i == len(network.layers) else direct
    # An energy is measured against the input itself.
    return (dy if direct is None else minus(dy, direct)), grads


def joined(parts: Iterable[Symbol]) -> Symbol:
    """Vectors as one; the inverse of `cut`."""
    return S.concat(*parts, dim=0)


def cut(flat: Symbol, shapes: list[tuple[int, ...]]) -> list[Symbol]:
    """A vector as tensors of these shapes."""
    parts, start = [], 0
    for shape in shapes:
        end = start + math.prod(shape)
        part = S.slice_axis(flat, axis=0, begin=start, end=end)
        parts.append(S.reshape(part, shape=shape) if len(shape) > 1 else part)
        start = end
    return parts


def _dense(layer: Any, x: Either, shape: Any, weight: Symbol, bias: Any = None) -> Any:
    multiply, total = _by_blas if shape[0] * layer.out_features < FEW else _by_onednn

    def back(dy: Either) -> tuple[Either, list[Either]]:
        grads = [product(S.dot, dy, x, transpose_a=True), linear(total, dy)]
        return product(S.dot, dy, weight), grads[: 1 + layer.bias]

    y = product(multiply, x, weight, num_hidden=layer.out_features)
    return (y if bias is None else shifted(y, bias)), back


def _ones_times(x: Symbol) -> Symbol:
    ones = S.ones_like(S.slice_axis(x, axis=1, begin=0, end=1))
    return S.dot(ones, x, transpose_a=True)


# How x Wᵀ is made, and a sum over the batch. MXNet's BLAS library knows no AVX-512, and its sum of
# many rows takes six times as long as a product with ones; but oneDNN is slow to begin.
FEW = 2_000
_by_blas = (lambda x, w, num_hidden: S.dot(x, w, transpose_b=True)), partial(S.sum, axis=0)
_by_onednn = partial(S.FullyConnected, no_bias=True, flatten=False), _ones_times


def _leaky_relu(layer: Any, x: Either, shape: Any) -> Any:
    factor = (1 - layer.slope) * (value(x) > 0) + layer.slope  # exactly 1 where x > 0
    y = product(S.elemwise_mul, x, factor)
    return y, lambda dy: (product(S.elemwise_mul, dy, factor), [])


def _tanh(layer: Any, x: Either, shape: Any) -> Any:
    y, slope = tanh(x)
    return y, lambda dy: (product(S.elemwise_mul, dy, slope), [])


def _dropout(layer: Any, x: Either, shape: Any, scaled: Any = None) -> Any:
    def keep(a: Either) -> Either:
        return a if scaled is None else product(S.elemwise_mul, a, scaled)

    return keep(x), lambda dy: (keep(dy), [])


def _concat(layer: Any, x: Either, shape: Any, label: Symbol) -> Any:
    y = S.concat(value(x), label, dim=1)
    if isinstance(x, Dual):
        y = Dual(y, S.concat(x.tangent, S.zeros_like(label), dim=1))
    return y, lambda dy: (linear(S.slice_axis, dy, axis=1, begin=0, end=shape[1]), [])


def _projection(layer: Any, x: Either, shape: Any, weight: Symbol, *more: Symbol) -> Any:
    *bias, embedding, label = more
    along = S.broadcast_add(S.dot(label, embedding), weight)

    def back(dy: Either) -> tuple[Either, list[Either]]:
        each = product(S.broadcast_mul, x, dy)
        grads = [linear(S.sum, g, axis=0) for g in (each, dy)[: 1 + layer.bias]]
        grads.append(product(S.dot, label, each, transpose_a=True))
        return product(S.broadcast_mul, along, dy), grads

    y = linear(S.sum, product(S.elemwise_mul, x, along), axis=1, keepdims=True)
    return shifted(y, *bias) if bias else y, back


def _reshape(layer: Any, x: Either, shape: Any) -> Any:
    y = linear(S.reshape, x, shape=(shape[0], *layer.out_shape(shape[1:])))
    return y, lambda dy: (linear(S.reshape, dy, shape=shape), [])


# (layer, x, shape of x, own tensors) -> (y, dy -> (dx, gradients to the own tensors))
FORWARD: dict[type, Callable] = {
    spec.Dense: _dense,
    spec.LeakyReLU: _leaky_relu,
    spec.Tanh: _tanh,
    spec.Dropout: _dropout,
    spec.Concat: _concat,
    spec.Projection: _projection,
    spec.Reshape: _reshape,
    spec.Flatten: _reshape,
}


def grad_D(loss: Loss, out: Symbol, is_real: Symbol, batch: int) -> Symbol:
    """`ganref.spec.formulas.grad_D`, for both outputs in one column."""
    return SLOPES[type(loss)].D(loss, out, is_real) * (loss.scale_D * loss.weight(batch))


def grad_G(loss: Loss, out: Symbol, batch: int) -> Symbol:
    """`ganref.spec.formulas.grad_G`."""
    return SLOPES[type(loss)].G(loss, out) * loss.weight(batch)


def adam(
    spec: Adam,
    own: list[Symbol],
    grad: Symbol,
    rates: list[Symbol],
    batch: int,
    ema: float = 0,
    clip: float = 0,
) -> list[Symbol]:
    """Weights, both moments and averages (if any) after p -= m / (sqrt(v) * a + b), with
    `rates` (a, b), and p in [-clip, clip] if that is not 0."""
    (p, m, v), averages, (a, b) = own[:3], own[3:], rates
    if spec.mean_gradients:
        grad = grad * (1 / batch)
    m = S.broadcast_add(m * spec.beta1, grad * (1 - spec.beta1))
    v = S.broadcast_add(v * spec.beta2, S.square(grad) * (1 - spec.beta2))
    below = S.broadcast_add(S.broadcast_mul(S.sqrt(v), a), b)
    p = S.elemwise_sub(p, S.elemwise_div(m, below))
    p = S.minimum(S.maximum(p, -clip), clip) if clip else p
    moved = [S.broadcast_add(x, (1 - ema) * S.elemwise_sub(p, x)) for x in averages]
    return [p, m, v, *moved]
