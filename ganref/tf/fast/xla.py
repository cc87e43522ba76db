"""Many steps in one call: `steps.step` compiled, and looped over inside the framework."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from ganref.spec.errors import says_assembler
from ganref.spec.schema import Recipe
from ganref.spec.streams import quiet

from ..framework import Masks, Tensor
from ..steps import PlainSteps

# (X, Z, Z_G, masks) of one step -> the five numbers of a Trace.
Step = Callable[..., tuple[Any, ...]]
# (X, Z, Z_G, masks) of k steps -> (k, 5).
Loop = Callable[..., Tensor]

# Compiling takes a second and a half, an eager step 20 ms.
WORTH_STEPS = 70
CHUNK_STEPS, CHUNK_BYTES = 125, 2**24
NO_ASSEMBLER = (
    "XLA cannot assemble its code for this GPU (no ptxas or libdevice): steps are a graph of"
    " TensorFlow's own; install tensorflow[and-cuda], which brings both"
)


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

    Which of the two ways is taken depends on the recipe alone, never on k: how a run is cut into
    calls must not change a bit of it. XLA makes small dense networks a thousand times faster than
    eager execution, but convolutions slower than TensorFlow's own kernels do.
    """

    def __init__(self, step: Step, convolves: bool) -> None:
        self.step, self.why = step, ""  # nothing is faster
        self.run = compile_graph(step) if convolves else compile_loop(step)
        self.started = False

    def __call__(self, X: Tensor, Z: Tensor, Z_G: Tensor | None, masks: Masks) -> Tensor:
        """k steps on tensors as `GAN.train_trace` takes them: (k, 5)."""
        with contextlib.nullcontext() if self.started else quiet():  # compilers announce themselves
            try:
                rows = self.run(X, Z, Z_G, masks)
            except tf.errors.OpError as error:  # a compiler's: no step has been made
                if self.started or not says_assembler(error):
                    raise
                self.why, self.run = NO_ASSEMBLER, compile_graph(self.step)
                rows = self.run(X, Z, Z_G, masks)
        if self.why and not self.started:
            warnings.warn(self.why, stacklevel=2)
        self.started = True
        return rows


def compile_graph(step: Step) -> Loop:
    """A graph of one step, called k times."""

    @tf.function(autograph=False)
    def graph(*arrays: Any) -> Tensor:
        return tf.stack(step(*arrays))

    return PlainSteps(graph)


def compile_loop(step: Step) -> Loop:
    """An XLA computation that loops over as many steps as it is told.

    XLA wants every shape beforehand, so the arrays are cut and padded to chunks of one size."""

    @tf.function(autograph=False, jit_compile=True)
    def loop(k: Tensor, *arrays: Any) -> Tensor:
        def body(i: Tensor, rows: tf.TensorArray) -> tuple[Tensor, tf.TensorArray]:
            return i + 1, rows.write(i, tf.stack(step(*_at(i, arrays))))

        X = arrays[0]
        rows = tf.TensorArray(X.dtype, X.shape[0], element_shape=(5,))
        return tf.while_loop(lambda i, _: i < k, body, (0, rows))[1].stack()

    def steps(*arrays: Any) -> Tensor:
        k, size = len(arrays[0]), _chunk(arrays)
        rows = []
        for start in range(0, k, size):
            count = min(size, k - start)
            chunk = _map(partial(_cut, start=start, size=size), arrays)
            rows.append(loop(tf.constant(count), *chunk)[:count])
        return tf.concat(rows, 0)

    return steps


def _map(function: Callable[[Tensor], Any], arrays: Any) -> Any:
    return tf.nest.map_structure(lambda a: None if a is None else function(a), arrays)


def _at(i: Any, arrays: Any) -> Any:
    return _map(lambda a: a[i], arrays)


def _chunk(arrays: Any) -> int:
    """The number of steps for which room is made: enough for speed, within reason for memory."""
    tensors = [a for a in tf.nest.flatten(arrays) if a is not None]
    step_bytes = sum(a.dtype.size * a.shape[1:].num_elements() for a in tensors)
    return min(CHUNK_STEPS, max(1, CHUNK_BYTES // step_bytes))


def _cut(array: Tensor, start: int, size: int) -> Tensor:
    part = array[start : start + size]
    return tf.pad(part, [[0, size - len(part)]] + [[0, 0]] * (part.shape.rank - 1))
