"""Many steps in one call.

A step of a small dense network is a hundred operators of a microsecond each, which take ten times
as long to launch one by one. So several steps, with their backward passes and Adam, become one
symbol (`symbols`) with static memory and no Python between its operators.

Where there are convolutions, or much work per operator, `steps.step` runs as it is, on hybridised
blocks.
"""

from __future__ import annotations

from typing import Any, cast

import numpy

from ganref.spec.losses import Loss
from ganref.spec.schema import Recipe

from .. import losses
from ..framework import Masks, Tensor, gluon, np, set_threads
from ..optim import Adam
from . import penalties, symbols
from .dual import S, Symbol

STATIC = {"static_alloc": True, "static_shape": True}
# A call is cut into graphs of so many steps, each made when it is first needed. Into which one a
# step falls changes no bit of it: the operators are the same, on arrays of the same shapes. MXNet
# plans a graph in a time that grows with the square of its operators: two minutes for 24,000.
UNROLLED = (25, 12, 5, 2, 1)
MOST_OPERATORS = 4_000
# Per step: above the first, launching is not what takes the time; below the second, threads wait.
MOST_FLOPS, ONE_THREAD_FLOPS = 2e8, 1e7


def can_unroll(recipe: Recipe) -> bool:
    """Whether several steps of this recipe become one graph. The recipe alone decides."""
    layers = [layer for network in recipe.networks for layer in network.layers]
    if any(network.spectral for network in recipe.networks):
        return False
    small = recipe.flops_per_example * recipe.batch_size <= MOST_FLOPS
    return small and all(type(layer) in symbols.FORWARD for layer in layers)


class UnrolledSteps:
    """Graphs of several steps. All that a step changes goes in and comes out as one vector: D's
    weights and moments, then G's, then the averages."""

    why = ""  # nothing is faster

    def __init__(self, recipe: Recipe, trainer_D: Adam, trainer_G: Adam) -> None:
        self.recipe, self.dtype = recipe, trainer_D.network.dtype
        self.trainer_D, self.trainer_G = trainer_D, trainer_G
        trainers = (trainer_D, trainer_G)
        owned = ((t.network.trained.values(), t.m, t.v, t.average) for t in trainers)
        self.tensors = [tensor for lists in owned for own in lists for tensor in own]
        self.graphs: dict[tuple[int, int], Any] = {}
        self.operators = 0  # in one step
        whole = S.var("state", dtype=self.dtype)
        parts = [S.var(f"tensor_{i}", dtype=self.dtype) for i in range(len(self.tensors))]
        self.pack = _compile([symbols.joined([S.reshape(p, shape=(-1,)) for p in parts])], parts)
        self.unpack = _compile(symbols.cut(whole, [t.shape for t in self.tensors]), [whole])

    def __call__(
        self, X: Tensor, Z: Tensor, Z_G: Tensor | None, masks: dict[str, Tensor]
    ) -> Tensor:
        """k steps on arrays as `GAN.train_trace` takes them."""
        batch = X.shape[1] // self.recipe.D_updates
        if self.recipe.flops_per_example * batch > ONE_THREAD_FLOPS:
            return self._run(X, Z, Z_G, masks)
        threads = set_threads(1)
        try:
            return self._run(X, Z, Z_G, masks)
        finally:
            set_threads(threads)

    def _run(self, X: Tensor, Z: Tensor, Z_G: Tensor | None, masks: Masks) -> Tensor:
        k, batch = X.shape[0], X.shape[1] // self.recipe.D_updates
        inputs = {"X": X, "Z": Z} | ({} if Z_G is None else {"Z_G": Z_G})
        scale = dict.fromkeys(self.recipe.discriminator.dropouts, 1 / (1 - self.recipe.dropout))
        inputs |= {name: mask * scale.get(name, 1) for name, mask in masks.items()}
        inputs["adam"] = np.array(self._coefficients(k), dtype=X.dtype, ctx=X.ctx)
        is_real = np.array(numpy.repeat([1, 0], batch)[:, None], dtype=X.dtype, ctx=X.ctx)
        state, most = self.pack(*self.tensors).copy(), self._most_steps(batch, list(inputs))
        outputs, start = [], 0
        while start < k:
            size = next(n for n in UNROLLED if n <= min(k - start, most))
            graph = self._graph(size, batch, list(inputs))
            part = [array[start : start + size] for array in inputs.values()]
            # What a graph returns is its own memory, which its next call overwrites.
            state, *out = (array.copy() for array in graph(state, is_real, *part))
            outputs.append(out)
            start += size
        for tensor, part in zip(self.tensors, self.unpack(state), strict=True):
            part.copyto(tensor)
        self.trainer_D.steps += k * self.recipe.D_updates
        self.trainer_G.steps += k * self.recipe.G_updates
        on_D, on_G, more = (np.concatenate(parts) for parts in zip(*outputs, strict=True))
        return _trace(self.recipe.loss, on_D[:, :batch], on_D[:, batch:], on_G, more)

    def _most_steps(self, batch: int, names: list[str]) -> int:
        """How many steps a graph may have."""
        if not self.operators:
            one = unroll(self.recipe, 1, batch, self._vars(names))
            self.operators = len(S.Group(one).get_internals().list_outputs())
        return max(1, MOST_OPERATORS // self.operators)

    def _graph(self, size: int, batch: int, names: list[str]) -> Any:
        if (size, batch) not in self.graphs:
            inputs = self._vars(names)
            outputs = unroll(self.recipe, size, batch, inputs)
            self.graphs[size, batch] = _compile(outputs, list(inputs.values()))
        return self.graphs[size, batch]

    def _vars(self, names: list[str]) -> dict[str, Symbol]:
        return {n: S.var(n, dtype=self.dtype) for n in ("state", "is_real", *names)}

    def _coefficients(self, k: int) -> list[list[float]]:
        """For each step a and b of each update, which is p - m / (sqrt(v) * a + b)."""
        per_step = self.recipe.D_updates, self.recipe.G_updates
        rows = []
        for i in range(k):
            now = []
            for trainer, n in zip((self.trainer_D, self.trainer_G), per_step, strict=True):
                first = trainer.steps + i * n + 1
                now += [trainer.spec.coefficients(first + j) for j in range(n)]
            rows.append([x / rate for rate, scale, eps in now for x in (scale, eps)])
        return rows


def _compile(outputs: list[Symbol], inputs: list[Symbol]) -> Any:
    graph = gluon.SymbolBlock([output.as_np_ndarray() for output in outputs], inputs)
    graph.hybridize(**STATIC, forward_bulk_size=2**14)  # all operators in one go
    return graph


def unroll(recipe: Recipe, size: int, batch: int, inputs: dict[str, Symbol]) -> list[Symbol]:
    """The symbols of `size` steps: the state; D's outputs (size, 2 B); those of G's last update
    (size, B); and what the penalties and the repelling term add to the two losses (size, 2)."""
    sizes = [recipe.discriminator.num_parameters] * 3
    sizes += [recipe.generator.num_parameters] * (4 if recipe.ema else 3)
    state = symbols.cut(inputs["state"], [(n,) for n in sizes])
    own = {name: _rows(inputs[name], size) for name in inputs if name not in ("state", "is_real")}
    outputs = []
    for i in range(size):
        now = {name: rows[i] for name, rows in own.items()}
        state, *out = _step(recipe, batch, now | {"is_real": inputs["is_real"]}, state)
        outputs.append(out)
    columns = zip(zip(*outputs, strict=True), (2 * batch, batch, 2), strict=True)
    ends = [S.reshape(S.concat(*out, dim=0), shape=(size, n)) for out, n in columns]
    return [symbols.joined(state), *ends]


def _step(
    recipe: Recipe, batch: int, now: dict[str, Symbol], state: list[Symbol]
) -> tuple[list[Symbol], Symbol, Symbol, Symbol]:
    """`steps.step` in symbols."""
    G, D = recipe.networks
    n, updates = recipe.D_updates, recipe.G_updates
    of_D, of_G = state[:3], state[3:]
    rates = _rows(now["adam"], 2 * (n + updates))
    masks = {name: _rows(now[name], recipe.passes) for name in recipe.masks()}
    Xs, Zs = (_batches(now[name], n, batch) for name in ("X", "Z"))
    for i in range(n):
        by_G = symbols.forward(G, Zs[i], of_G[0], batch)
        own_masks = {name: mask[2 * i :] for name, mask in masks.items()}
        own = rates[2 * i :][:2]
        seen = now | {"X": Xs[i]}
        of_D, out_D, penalty = _update_D(recipe, batch, seen, own_masks, by_G.y, of_D, own)
    latents = _rows(now["Z_G"], updates) if recipe.fresh_Z else [Zs[-1]] * updates
    for j in range(updates):
        if j or recipe.fresh_Z:
            by_G = symbols.forward(G, latents[j], of_G[0], batch)
        kept = {name: mask[2 * n + j] for name, mask in masks.items()}
        own = rates[2 * (n + j) :][:2]
        of_G, out_G, repelled = _update_G(recipe, batch, kept, by_G, of_D[0], of_G, own)
    # Both losses' other terms, a number each; 0 where there is none.
    nothing = S.zeros_like(S.slice_axis(now["adam"], axis=0, begin=0, end=1))
    more = [nothing if term is None else term for term in (penalty, repelled)]
    return of_D + of_G, out_D, out_G, S.concat(*more, dim=0)


def _update_D(
    recipe: Recipe,
    batch: int,
    now: dict[str, Symbol],
    masks: dict[str, list[Symbol]],
    fake_X: Symbol,
    of_D: list[Symbol],
    rates: list[Symbol],
) -> tuple[list[Symbol], Symbol, Symbol | None]:
    """(D's state, its outputs on real and fake examples in one pass, the penalties if any)."""
    D, loss = recipe.discriminator, recipe.loss
    both = S.concat(now["X"], fake_X, dim=0)
    pair = {name: S.concat(*mask[:2], dim=0) for name, mask in masks.items()}
    seen = symbols.forward(D, both, of_D[0], 2 * batch, pair)
    slope = symbols.grad_D(loss, seen.y, now["is_real"], batch)
    _, grads = symbols.backward(D, slope, seen)
    added = []
    for penalty in loss.penalties:
        kept = {name: mask[penalty.drawn] for name, mask in masks.items()}
        x = penalties.point(penalty, now["X"], fake_X, kept)
        value, more = penalties.gradient_penalty(D, loss, penalty, x, of_D[0], batch, kept)
        added.append(value)
        grads = [S.elemwise_add(*terms) for terms in zip(grads, more, strict=True)]
    moved = symbols.adam(recipe.adam_D, of_D, symbols.joined(grads), rates, batch, clip=loss.clip)
    return moved, seen.y, S.add_n(*added) if added else None


def _update_G(
    recipe: Recipe,
    batch: int,
    masks: dict[str, Symbol],
    by_G: symbols.Pass,
    weights_D: Symbol,
    of_G: list[Symbol],
    rates: list[Symbol],
) -> tuple[list[Symbol], Symbol, Symbol | None]:
    """(G's state, D's outputs on its samples, the repelling term if there is one)."""
    (G, D), loss = recipe.networks, cast(Any, recipe.loss)
    seen = symbols.forward(D, by_G.y, weights_D, batch, masks)
    repelled, d_codes = None, None
    if loss.needs_codes:
        terms = penalties.pulling_away(seen.codes, batch, recipe.norm.groups)
        repelled, d_codes = (loss.repelling * term for term in terms)
    d_fake_X, _ = symbols.backward(D, symbols.grad_G(loss, seen.y, batch), seen, d_codes)
    _, grads = symbols.backward(G, d_fake_X, by_G)
    moved = symbols.adam(recipe.adam_G, of_G, symbols.joined(grads), rates, batch, recipe.ema)
    return moved, seen.y, repelled


def _batches(symbol: Symbol, n: int, batch: int) -> list[Symbol]:
    """A step's batches, one for each update of D."""
    if n == 1:
        return [symbol]
    return [S.slice_axis(symbol, axis=0, begin=i * batch, end=(i + 1) * batch) for i in range(n)]


def _rows(symbol: Symbol, n: int) -> list[Symbol]:
    """Along the first axis."""
    return list(S.SliceChannel(symbol, num_outputs=n, axis=0, squeeze_axis=True))


def _trace(loss: Loss, real: Tensor, fake: Tensor, moved: Tensor, more: Tensor) -> Tensor:
    """(k, 5) from D's outputs (k, B), on real and fake examples and on these once D has moved, and
    from the losses' other terms (k, 2)."""
    columns = [losses.loss_D(loss, real, fake), losses.loss_G(loss, moved)]
    columns = [column + more[:, i] for i, column in enumerate(columns)]
    columns += [losses.mean_score(loss, y) for y in (real, fake, moved)]
    return np.stack(columns, axis=1)
