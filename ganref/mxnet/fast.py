"""Many steps in one call.

A step of a small dense network is a hundred operators of a microsecond each, which take ten times
as long to launch one by one. So several steps, with their backward passes and Adam, become one
symbol with static memory and no Python between its operators. MXNet's autodiff makes no symbol that
could be unrolled like this: the derivatives stand here by hand, as in the NumPy backend.

Where there are convolutions, or much work per operator, `steps.step` runs as it is, on hybridised
blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from ganref.spec import layers as spec
from ganref.spec.losses import Loss
from ganref.spec.networks import Network as NetworkSpec
from ganref.spec.optimiser import Adam as AdamSpec
from ganref.spec.recipes import Recipe

from . import losses
from .framework import gluon, mx, np, set_threads
from .layers import Array, Network
from .optim import Adam

# (X, Z, Z_G, masks) of k steps -> (k, 5), the columns of a Trace.
Steps = Callable[..., Array]
Symbol = Any
S = mx.sym

STATIC = {"static_alloc": True, "static_shape": True}
# A call is cut into graphs of so many steps, each made when it is first needed. Into which one a
# step falls changes no bit of it: the operators are the same, on arrays of the same shapes.
UNROLLED = (25, 5, 1)
# Per step: above the first, launching operators is not what takes the time; below the second, a
# second thread waits longer for the first than they compute.
MOST_FLOPS, ONE_THREAD_FLOPS = 2e8, 1e7


def compile_steps(
    plain: Steps, net_D: Network, net_G: Network, recipe: Recipe, trainer_D: Adam, trainer_G: Adam
) -> Steps:
    """k steps as fast as this framework makes them, in the arithmetic of `plain`, which makes them
    one by one. The recipe alone decides how."""
    layers = [layer for network in recipe.networks for layer in network.layers]
    small = recipe.flops_per_example * recipe.batch_size <= MOST_FLOPS
    by_hand = all(type(layer) in FORWARD for layer in layers)
    if small and by_hand and not recipe.loss.r1 and not recipe.loss.repelling:
        return UnrolledSteps(recipe, trainer_D, trainer_G)
    # Static memory gains nothing here and keeps every array alive: 1.5 times the peak (measured).
    net_D.hybridize()
    net_G.hybridize()
    return plain


class UnrolledSteps:
    """Graphs of several steps. All that a step changes goes in and comes out as one vector: D's
    weights and moments, then G's, then the averages."""

    def __init__(self, recipe: Recipe, trainer_D: Adam, trainer_G: Adam) -> None:
        self.recipe, self.dtype = recipe, trainer_D.network.dtype
        self.trainer_D, self.trainer_G = trainer_D, trainer_G
        trainers = (trainer_D, trainer_G)
        lists = [own for t in trainers for own in (t.params, t.m, t.v, t.average)]
        self.tensors = [tensor for own in lists for tensor in own]
        self.graphs: dict[tuple[int, int], Any] = {}
        whole = S.var("state", dtype=self.dtype)
        parts = [S.var(f"tensor_{i}", dtype=self.dtype) for i in range(len(self.tensors))]
        flat = [S.reshape(part, shape=(-1,)) for part in parts]
        self.pack = _compile([S.concat(*flat, dim=0)], parts)
        self.unpack = _compile(_cut(whole, [tensor.shape for tensor in self.tensors]), [whole])

    def __call__(self, X: Array, Z: Array, Z_G: Array | None, masks: dict[str, Array]) -> Array:
        """k steps on arrays as `GAN.train_trace` takes them."""
        if self.recipe.flops_per_example * X.shape[1] > ONE_THREAD_FLOPS:
            return self._run(X, Z, Z_G, masks)
        threads = set_threads(1)
        try:
            return self._run(X, Z, Z_G, masks)
        finally:
            set_threads(threads)

    def _run(self, X: Array, Z: Array, Z_G: Array | None, masks: dict[str, Array]) -> Array:
        k, batch = X.shape[:2]
        inputs = {"X": X, "Z": Z} | ({} if Z_G is None else {"Z_G": Z_G})
        inputs |= {n: mask * (1 / (1 - self.recipe.dropout)) for n, mask in masks.items()}
        inputs["adam"] = np.array(self._coefficients(k), dtype=X.dtype, ctx=X.ctx)
        is_real = np.array(numpy.repeat([1, 0], batch)[:, None], dtype=X.dtype, ctx=X.ctx)
        state = self.pack(*self.tensors).copy()
        outputs, start = [], 0
        while start < k:
            size = next(n for n in UNROLLED if n <= k - start)
            graph = self._graph(size, batch, list(inputs))
            part = [array[start : start + size] for array in inputs.values()]
            # What a graph returns is its own memory, which its next call overwrites.
            state, *out = (array.copy() for array in graph(state, is_real, *part))
            outputs.append(out)
            start += size
        for tensor, part in zip(self.tensors, self.unpack(state), strict=True):
            part.copyto(tensor)
        self.trainer_D.steps += k
        self.trainer_G.steps += k * self.recipe.G_updates
        on_D, on_G = (np.concatenate(parts) for parts in zip(*outputs, strict=True))
        return _trace(self.recipe.loss, on_D[:, :batch], on_D[:, batch:], on_G)

    def _graph(self, size: int, batch: int, names: list[str]) -> Any:
        if (size, batch) not in self.graphs:
            symbols = {name: S.var(name, dtype=self.dtype) for name in ["state", "is_real", *names]}
            outputs = unroll(self.recipe, size, batch, symbols)
            self.graphs[size, batch] = _compile(outputs, list(symbols.values()))
        return self.graphs[size, batch]

    def _coefficients(self, k: int) -> list[list[float]]:
        """For each step a and b of each update, which is p - m / (sqrt(v) * a + b)."""
        updates = self.recipe.G_updates
        rows = []
        for i in range(k):
            first = self.trainer_G.steps + i * updates + 1
            now = [self.trainer_D.spec.coefficients(self.trainer_D.steps + i + 1)]
            now += [self.trainer_G.spec.coefficients(first + j) for j in range(updates)]
            rows.append([x / rate for rate, scale, eps in now for x in (scale, eps)])
        return rows


def _compile(outputs: list[Symbol], inputs: list[Symbol]) -> Any:
    graph = gluon.SymbolBlock([output.as_np_ndarray() for output in outputs], inputs)
    graph.hybridize(**STATIC, forward_bulk_size=2**14)  # all operators in one go
    return graph


def unroll(recipe: Recipe, size: int, batch: int, inputs: dict[str, Symbol]) -> list[Symbol]:
    """The symbols of `size` steps: (state, D's outputs (size, 2 B), those of G's last update)."""
    sizes = [recipe.discriminator.num_parameters] * 3
    sizes += [recipe.generator.num_parameters] * (4 if recipe.ema else 3)
    state = _cut(inputs["state"], [(n,) for n in sizes])
    own = {name: _rows(inputs[name], size) for name in inputs if name not in ("state", "is_real")}
    on_D, on_G = [], []
    for i in range(size):
        now = {name: symbols[i] for name, symbols in own.items()}
        state, out_D, out_G = _step(recipe, batch, now | {"is_real": inputs["is_real"]}, state)
        on_D.append(out_D)
        on_G.append(out_G)
    ends = [
        S.reshape(S.concat(*out, dim=0), shape=(size, n * batch))
        for out, n in ((on_D, 2), (on_G, 1))
    ]
    return [S.concat(*state, dim=0), *ends]


def _step(
    recipe: Recipe, batch: int, now: dict[str, Symbol], state: list[Symbol]
) -> tuple[list[Symbol], Symbol, Symbol]:
    """`steps.step` in symbols; D sees real and fake examples in one pass."""
    (G, D), loss, updates = recipe.networks, recipe.loss, recipe.G_updates
    of_D, of_G = state[:3], state[3:]
    a, b = (_rows(now["adam"], 2 + 2 * updates)[i::2] for i in (0, 1))
    masks = {name: _rows(now[name], recipe.passes) for name in D.dropouts}
    fake_X, tape_G = forward(G, now["Z"], of_G[0], batch)
    both = S.concat(now["X"], fake_X, dim=0)
    pair = {name: S.concat(*mask[:2], dim=0) for name, mask in masks.items()}
    out_D, tape_D = forward(D, both, of_D[0], 2 * batch, pair)
    _, grad = backward(D, _grad_D(loss, out_D, now["is_real"], batch), tape_D)
    of_D = _adam(recipe.adam_D, of_D, grad, a[0], b[0], batch)
    latents = _rows(now["Z_G"], updates) if recipe.fresh_Z else [now["Z"]] * updates
    for j in range(updates):
        if j or recipe.fresh_Z:
            fake_X, tape_G = forward(G, latents[j], of_G[0], batch)
        kept = {name: mask[2 + j] for name, mask in masks.items()}
        out_G, tape_D = forward(D, fake_X, of_D[0], batch, kept)
        d_fake_X, _ = backward(D, _grad_G(loss, out_G, batch), tape_D)
        _, grad = backward(G, d_fake_X, tape_G)
        of_G = _adam(recipe.adam_G, of_G, grad, a[1 + j], b[1 + j], batch, recipe.ema)
    return of_D + of_G, out_D, out_G


def forward(
    network: NetworkSpec,
    x: Symbol,
    flat: Symbol,
    batch: int,
    masks: dict[str, Symbol] | None = None,
) -> tuple[Symbol, list[Callable]]:
    """(samples, or outputs (B, 1); the layers' ways back) for the weights `flat`."""
    params = [p for layer in network.layers for p in layer.params()]
    own = iter(_cut(flat, [p.shape if len(p.shape) > 1 else (1, *p.shape) for p in params]))
    tape, start = [], x
    for i, layer in enumerate(network.layers):
        more = [next(own) for _ in layer.params()]
        if f"{network.name}.{i}" in network.dropouts:
            more = [(masks or {})[f"{network.name}.{i}"]]
        x, back = FORWARD[type(layer)](layer, x, (batch, *network.shapes[i]), *more)
        tape.append(back)
    if network.head != "energy":
        return x, tape
    error = S.reshape(S.elemwise_sub(x, start), shape=(batch, -1))
    energy = S.mean(S.square(error), axis=1, keepdims=True)
    return energy, [*tape, lambda dy: (_d_error(network, dy, error, batch), [])]


def _d_error(network: NetworkSpec, dy: Symbol, error: Symbol, batch: int) -> Symbol:
    d_error = S.broadcast_mul(dy * (2 / math.prod(network.output_shape)), error)
    return S.reshape(d_error, shape=(batch, *network.output_shape))


def backward(network: NetworkSpec, dy: Symbol, tape: list[Callable]) -> tuple[Symbol, Symbol]:
    """(d_input, d_flat) for the derivative dy of the output. What nobody uses is not computed."""
    grads: list[Symbol] = []
    direct = None
    for i, back in reversed(list(enumerate(tape))):
        dy, own = back(dy)
        grads[:0] = [S.reshape(g, shape=(-1,)) for g in own]
        direct = dy if i == len(network.layers) else direct
    # An energy is measured against the input itself.
    return (dy if direct is None else S.elemwise_sub(dy, direct)), S.concat(*grads, dim=0)


def _dense(layer: Any, x: Symbol, shape: Any, weight: Symbol, bias: Any = None) -> Any:
    def back(dy: Symbol) -> tuple[Symbol, list[Symbol]]:
        grads = [S.dot(dy, x, transpose_a=True), S.sum(dy, axis=0)]
        return S.dot(dy, weight), grads[: 1 + layer.bias]

    y = S.dot(x, weight, transpose_b=True)
    return (y if bias is None else S.broadcast_add(y, bias)), back


def _leaky_relu(layer: Any, x: Symbol, shape: Any) -> Any:
    factor = (1 - layer.slope) * (x > 0) + layer.slope  # exactly 1 where x > 0
    return S.elemwise_mul(x, factor), lambda dy: (S.elemwise_mul(dy, factor), [])


def _tanh(layer: Any, x: Symbol, shape: Any) -> Any:
    y = S.tanh(x)
    return y, lambda dy: (S.elemwise_mul(dy, 1 - S.square(y)), [])


def _dropout(layer: Any, x: Symbol, shape: Any, scaled: Any = None) -> Any:
    def keep(a: Symbol) -> Symbol:
        return a if scaled is None else S.elemwise_mul(a, scaled)

    return keep(x), lambda dy: (keep(dy), [])


def _reshape(layer: Any, x: Symbol, shape: Any) -> Any:
    y = S.reshape(x, shape=(shape[0], *layer.out_shape(shape[1:])))
    return y, lambda dy: (S.reshape(dy, shape=shape), [])


# (layer, x, shape of x, own tensors) -> (y, dy -> (dx, gradients to the own tensors))
FORWARD: dict[type, Callable] = {
    spec.Dense: _dense,
    spec.LeakyReLU: _leaky_relu,
    spec.Tanh: _tanh,
    spec.Dropout: _dropout,
    spec.Reshape: _reshape,
    spec.Flatten: _reshape,
}


def _grad_D(loss: Loss, out: Symbol, is_real: Symbol, batch: int) -> Symbol:
    """`ganref.spec.losses.grad_D`, for both outputs in one column."""
    if loss.kind == "bce":
        slope = S.elemwise_sub(S.sigmoid(out), loss.real_label * is_real)
    else:
        slope = S.elemwise_sub(is_real, S.elemwise_mul(1 - is_real, out < loss.margin))
    return slope * (loss.scale_D * _weight(loss, batch))


def _grad_G(loss: Loss, out: Symbol, batch: int) -> Symbol:
    """`ganref.spec.losses.grad_G`."""
    if loss.kind == "margin":
        return S.ones_like(out) * _weight(loss, batch)
    slope = S.sigmoid(-out if loss.generator == "non_saturating" else out)
    return slope * -_weight(loss, batch)


def _weight(loss: Loss, batch: int) -> float:
    return 1.0 if loss.reduction == "sum" else 1 / batch


def _adam(
    adam: AdamSpec,
    own: list[Symbol],
    grad: Symbol,
    a: Symbol,
    b: Symbol,
    batch: int,
    ema: float = 0,
) -> list[Symbol]:
    (p, m, v), averages = own[:3], own[3:]
    if adam.mean_gradients:
        grad = grad * (1 / batch)
    m = S.broadcast_add(m * adam.beta1, grad * (1 - adam.beta1))
    v = S.broadcast_add(v * adam.beta2, S.square(grad) * (1 - adam.beta2))
    below = S.broadcast_add(S.broadcast_mul(S.sqrt(v), a), b)
    p = S.elemwise_sub(p, S.elemwise_div(m, below))
    moved = [S.broadcast_add(x, (1 - ema) * S.elemwise_sub(p, x)) for x in averages]
    return [p, m, v, *moved]


def _rows(symbol: Symbol, n: int) -> list[Symbol]:
    """Along the first axis."""
    return list(S.SliceChannel(symbol, num_outputs=n, axis=0, squeeze_axis=True))


def _cut(flat: Symbol, shapes: list[tuple[int, ...]]) -> list[Symbol]:
    """A vector as tensors of these shapes."""
    parts, start = [], 0
    for shape in shapes:
        end = start + math.prod(shape)
        part = S.slice_axis(flat, axis=0, begin=start, end=end)
        parts.append(S.reshape(part, shape=shape) if len(shape) > 1 else part)
        start = end
    return parts


def _trace(loss: Loss, real: Array, fake: Array, moved: Array) -> Array:
    """(k, 5) from D's outputs (k, B): on real and fake examples, and on these once D has moved."""
    columns = [losses.loss_D(loss, real, fake), losses.loss_G(loss, moved)]
    columns += [losses.score(loss, y).mean(-1) for y in (real, fake, moved)]
    return np.stack(columns, axis=1)
