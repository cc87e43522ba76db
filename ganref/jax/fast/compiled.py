"""Many steps in one call: `steps.step` as a pure function of all that it changes, compiled, and
looped over inside the framework."""

from __future__ import annotations

import copy
import itertools
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ganref.spec.schema import Recipe

from ..framework import Masks, Tensor
from ..layers import Variable
from ..optim import Adam
from ..steps import step

CHUNK_STEPS, CHUNK_BYTES = 125, 2**24


def why_eager(compile: str) -> str:
    """Why steps are made plainly; "" if they are not. Few steps are no reason: the plain ones, too,
    are compiled, an update at a time."""
    return "compile is off" if compile == "off" else ""


class CompiledSteps:
    """k steps as fast as this framework makes them, each the same arithmetic as `step`.

    Whether one step is compiled or a loop of them depends on the recipe alone, never on k: how a
    run is cut into calls must not change a bit of it. XLA wants every shape beforehand, so arrays
    are cut and padded to chunks of one size."""

    why = ""  # nothing is faster

    def __init__(self, recipe: Recipe, trainer_D: Adam, trainer_G: Adam) -> None:
        self.size = 1 if recipe.convolves else CHUNK_STEPS
        self.cells = _cells(trainer_D) + _cells(trainer_G)
        key = recipe, trainer_D.network.chain, trainer_G.network.chain
        if key not in _LOOPS:
            _LOOPS[key] = _compiled(recipe, _twin(trainer_D), _twin(trainer_G))
        self.loop = _LOOPS[key]

    def __call__(self, X: Tensor, Z: Tensor, Z_G: Tensor | None, masks: Masks) -> Tensor:
        """k steps on tensors as `GAN.train_trace` takes them: (k, 5)."""
        arrays, k = (X, Z, Z_G, masks), len(X)
        size = min(self.size, max(1, CHUNK_BYTES // (_bytes(arrays) // k)))
        state, rows = [cell.value for cell in self.cells], []
        for start in range(0, k, size):
            count = min(size, k - start)
            chunk = jax.tree.map(partial(_cut, start=start, size=size), arrays)
            state, made = self.loop(state, chunk, count)
            rows.append(made[:count])
        _lay(self.cells, state)
        return jnp.concatenate(rows)


# GANs of one recipe share what was compiled for the first.
_LOOPS: dict[Any, Any] = {}


def _compiled(recipe: Recipe, trainer_D: Adam, trainer_G: Adam) -> Any:
    """(state, arrays of chunk, count) -> (state, rows), by trainers that nobody else has."""
    own: Any = {"trainer_D": trainer_D, "trainer_G": trainer_G, "recipe": recipe}
    one = partial(step, net_D=trainer_D.network, net_G=trainer_G.network, **own)
    cells = _cells(trainer_D) + _cells(trainer_G)

    def body(arrays: Any, i: Any, carried: Any) -> tuple[Any, Tensor]:
        state, rows = carried
        _lay(cells, state)
        row = one(*jax.tree.map(lambda array: array[i], arrays))
        return [cell.value for cell in cells], rows.at[i].set(jnp.stack(row))

    def loop(state: Any, arrays: Any, count: Any) -> tuple[Any, Tensor]:
        X = arrays[0]
        start = state, jnp.zeros((len(X), 5), X.dtype)
        if len(X) == 1:
            return body(arrays, 0, start)
        return lax.fori_loop(0, count, partial(body, arrays), start)

    # The old state is given up: the new one takes its place in memory.
    return jax.jit(loop, donate_argnums=0, compiler_options=_options(recipe.convolves))


def _twin(trainer: Adam) -> Adam:
    """The same trainer of the same network, with cells of its own."""
    new, net = copy.copy(trainer), copy.copy(trainer.network)
    new.network, new.count = net, Variable(trainer.count.value)
    net.trained, net.stats = (
        {name: Variable(cell.value) for name, cell in own.items()}
        for own in (net.trained, net.stats)
    )
    new.m, new.v, new.average = (
        [Variable(cell.value) for cell in own] for own in (trainer.m, trainer.v, trainer.average)
    )
    return new


def _cells(trainer: Adam) -> list[Variable]:
    net = trainer.network
    own = (net.trained.values(), net.stats.values(), trainer.m, trainer.v, trainer.average)
    return [trainer.count, *itertools.chain(*own)]


def _lay(cells: list[Variable], state: list[Tensor]) -> None:
    for cell, tensor in zip(cells, state, strict=True):
        cell.value = tensor


def _bytes(arrays: Any) -> int:
    return sum(array.nbytes for array in jax.tree.leaves(arrays))


def _cut(array: Tensor, start: int, size: int) -> Tensor:
    part = array[start : start + size]
    return jnp.pad(part, [(0, size - len(part))] + [(0, 0)] * (part.ndim - 1))


def _options(convolves: bool) -> Any:
    """XLA's thunks cost a microsecond for each small operation; what came before them did not.
    Newer releases have nothing else."""
    version = tuple(int(n) for n in jax.__version__.split(".")[:2])
    if convolves or version >= (0, 7) or jax.default_backend() != "cpu":
        return None
    return {"xla_cpu_use_thunk_runtime": False}
