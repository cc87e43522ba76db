"""Many steps in one call: `steps.step` as a pure function of all that it changes, compiled, and
looped over inside the framework."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ganref.spec.schema import Recipe

from ..framework import Masks, Tensor
from ..layers import Variable
from ..optim import Adam

# (X, Z, Z_G, masks) of one step -> the five numbers of a Trace.
Step = Callable[..., tuple[Any, ...]]

# Compiling takes a second, an eager step 20 ms.
WORTH_STEPS = 50
CHUNK_STEPS, CHUNK_BYTES = 125, 2**24


def why_eager(recipe: Recipe, compile: str, steps: int | None) -> str:
    """Why this recipe is not compiled; "" if it is to be. Never by the steps that are left, or
    resuming would not be exact."""
    if compile == "off":
        return "compile is off"
    if compile == "auto" and steps is not None and steps < WORTH_STEPS and not recipe.convolves:
        return f"compiling takes as long as {WORTH_STEPS} steps"
    return ""


class CompiledSteps:
    """k steps as fast as this framework makes them, each the same arithmetic as `step`.

    Whether one step is compiled or a loop of them depends on the recipe alone, never on k: how a
    run is cut into calls must not change a bit of it. XLA wants every shape beforehand, so arrays
    are cut and padded to chunks of one size."""

    why = ""  # nothing is faster

    def __init__(self, step: Step, trainer_D: Adam, trainer_G: Adam, convolves: bool) -> None:
        self.step, self.size = step, 1 if convolves else CHUNK_STEPS
        self.cells = [cell for trainer in (trainer_D, trainer_G) for cell in _cells(trainer)]
        # The old state is given up: the new one takes its place in memory.
        self.loop = jax.jit(self._loop, donate_argnums=0, compiler_options=_options(convolves))

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

    def _loop(self, state: Any, arrays: Any, count: Any) -> tuple[Any, Tensor]:
        def body(i: Any, carried: Any) -> tuple[Any, Tensor]:
            state, rows = carried
            _lay(self.cells, state)
            row = self.step(*jax.tree.map(lambda array: array[i], arrays))
            return [cell.value for cell in self.cells], rows.at[i].set(jnp.stack(row))

        X = arrays[0]
        rows = jnp.zeros((len(X), 5), X.dtype)
        if len(X) == 1:
            return body(0, (state, rows))
        return lax.fori_loop(0, count, body, (state, rows))


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
