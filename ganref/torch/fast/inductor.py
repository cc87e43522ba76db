"""One compiled step for small dense networks, where PyTorch's overhead is all the work there is.

`steps.step` itself is traced, so the compiled code is the same arithmetic: its operations, forward,
backward and Adam, become one C++ function without a call into PyTorch. That function makes one
step; how many of them a call asks for changes nothing, to the last bit.

Needs a C++ compiler, and parts of PyTorch that may change with its version: where anything of it is
missing, the caller goes on eagerly and says why.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from ganref.spec import layers as spec
from ganref.spec.schema import Recipe

from .. import steps
from ..optim import Adam
from ..steps import PlainSteps
from .traced import cut, example_inputs, joined, networks, products_as_loops

COMPILED = {spec.Dense, spec.LeakyReLU, spec.Tanh, spec.Sigmoid, spec.Dropout, spec.Concat,
            spec.Projection, spec.Reshape, spec.Flatten}  # fmt: skip
# FLOPs per step up to which loops want no vectors; and above which compiling does not pay: matrix
# products take over from overhead.
FEW_FLOPS, MOST_FLOPS = 200_000, 5e8
# Compiling takes four seconds, of which each step gives some 350 µs back.
WORTH_STEPS = 12_500
STEP_OPTIONS = {
    "cpp.threads": 1,
    "cpp_cache_precompile_headers": False,
    "compile_threads": 1,
    # The toy's sums over both halves of a batch, 16 terms, are written out: that saves a buffer
    # each, and the compiler cannot order them by where they lie, which would be other bits.
    "unroll_reductions_threshold": 32,
    "size_asserts": False,
    "aot_inductor.enable_line_tables": False,
}
# The loops are a few numbers long, and vectors would be most of the compiler's work.
SMALL = {"cpp.vec_isa_ok": False}
# Buffers on the stack: half the time per step for twice the compiler's. It pays after 200,000,
# so only those who ask for the fast path have it.
THOROUGH = {"aot_inductor.allow_stack_allocation": True}
Step = Callable[[list[Tensor]], Sequence[Tensor]]


def why_eager(recipe: Recipe, mixed: bool, compile: str, steps: int | None) -> str:
    """Why this recipe is not compiled; "" if it is to be. It depends on nothing that changes in
    the course of a run, so that a resumed run takes the same path and gets the same bits."""
    if compile == "off":
        return "compile is off"
    if compile == "auto" and steps is not None and steps < WORTH_STEPS:
        return f"compiling takes as long as {WORTH_STEPS:,} steps"
    if mixed:
        return "mixed precision is not compiled"
    if any(network.spectral for network in recipe.networks):
        return "power iterations are not compiled"
    layers = {type(layer) for network in recipe.networks for layer in network.layers}
    if not layers <= COMPILED:
        return "only dense networks without batch normalisation are compiled"
    if _flops(recipe) > MOST_FLOPS:
        return "matrix products of this size gain nothing"
    if _flops(recipe) > FEW_FLOPS and compile == "auto":
        return "vectors take the compiler half a minute, and are for those who ask for them"
    return ""


def _flops(recipe: Recipe) -> int:
    return recipe.flops_per_example * recipe.batch_size


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@contextlib.contextmanager
def _wrapper(thorough: bool) -> Iterator[None]:
    """Write the code around the kernels for buffers on the stack, or not: PyTorch settles that for
    the whole process when it compiles for the first time."""
    from torch._inductor.codegen import common
    from torch._inductor.codegen.cpp_wrapper_cpu import CppWrapperCpu
    from torch._inductor.codegen.cpp_wrapper_cpu_array_ref import CppWrapperCpuArrayRef

    common.init_backend_registration()
    cpu = common.device_codegens["cpu"]
    before = cpu.cpp_wrapper_codegen
    cpu.cpp_wrapper_codegen = CppWrapperCpuArrayRef if thorough else CppWrapperCpu
    try:
        yield
    finally:
        cpu.cpp_wrapper_codegen = before


@functools.lru_cache(maxsize=64)
@_no_collections()  # a compiler keeps most of what it makes: a third of the time
def compile_steps(
    recipe: Recipe, dtype: torch.dtype, batch_size: int, thorough: bool = False
) -> Step:
    """One step as one compiled function of [D's state, G's state, coefficients, X, Z, Z_G or
    nothing, masks...] that returns both states and the row of the trace. `thorough` takes longer to
    compile and steps faster, to the same bits.

    Whatever goes wrong is raised as it is: there are too many ways for a compiler to fail."""
    # Importing PyTorch's compiler takes seconds: ask first.
    if not shutil.which(os.environ.get("CXX", "clang++" if sys.platform == "darwin" else "g++")):
        raise RuntimeError("there is no C++ compiler")
    from torch._guards import TracingContext, tracing
    from torch._inductor import compile_fx, config
    from torch._subclasses import FakeTensorMode
    from torch.fx.experimental.proxy_tensor import make_fx
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    (net_D, update_D), (net_G, update_G) = networks(recipe, dtype)

    def step(state_D: Tensor, state_G: Tensor, coefficients: Tensor, X: Tensor, Z: Tensor,
             *more: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        rows, n = coefficients.unbind(), recipe.D_updates
        update_D.start(state_D, rows[:n])
        update_G.start(state_G, rows[n:])
        Z_G, masks = (more[0], more[1:]) if recipe.fresh_Z else (None, more)
        named = dict(zip(recipe.masks(), masks, strict=True))
        row = steps.step(X, Z, Z_G, named, net_D, net_G, recipe, update_D, update_G)
        return torch.stack(update_D.rows), torch.stack(update_G.rows), torch.stack(row)

    # The shape environment is never used, but without one the result would not be cached on disk.
    fake = FakeTensorMode(allow_non_fake_inputs=True, shape_env=ShapeEnv())
    inputs = [
        fake.from_tensor(t, static_shapes=True) for t in example_inputs(recipe, dtype, batch_size)
    ]
    graph = make_fx(step, products_as_loops())(*inputs)
    options = STEP_OPTIONS | (SMALL if _flops(recipe) <= FEW_FLOPS else {})
    options |= THOROUGH if thorough else {}
    with (
        _wrapper(thorough),
        config.patch(options),
        tracing(TracingContext(fake)),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # they are about PyTorch's own code
        compiled = compile_fx.compile_fx_inner(graph, inputs, cpp_wrapper=True)
    return getattr(compiled, "current_callable", compiled)  # without its bookkeeping for each call


class CompiledSteps:
    """The steps of one GAN, compiled when the first batch shows its size; `plain` ones, and `why`,
    where the compiler fails."""

    def __init__(
        self, recipe: Recipe, trainer_D: Adam, trainer_G: Adam, plain: PlainSteps, thorough: bool
    ) -> None:
        self.recipe, self.trainers = recipe, (trainer_D, trainer_G)
        self.plain, self.thorough, self.why = plain, thorough, ""

    def __call__(
        self, X: Tensor, Z: Tensor, Z_G: Tensor | None, masks: dict[str, Tensor]
    ) -> Tensor:
        """k steps on tensors as `GAN.train_trace` takes them: (k, 5). The trainers and their
        networks end up as k eager steps would leave them."""
        if (step := self._compiled(X)) is None:
            return self.plain(X, Z, Z_G, masks)
        state_D, state_G = (torch.stack([joined(own) for own in _rows(t)]) for t in self.trainers)
        more = [*([] if Z_G is None else [Z_G]), *(masks[name] for name in self.recipe.masks())]
        coefficients = _coefficients(self.recipe, *self.trainers, X)
        rows = X.new_empty(len(X), 5)
        for row, *own in zip(rows, coefficients, X, Z, *more, strict=True):
            state_D, state_G, new = step([state_D, state_G, *own])
            row.copy_(new)  # the next call may write to the same memory
        per_step = self.recipe.D_updates, self.recipe.G_updates
        for trainer, state, n in zip(self.trainers, (state_D, state_G), per_step, strict=True):
            trainer.set_steps(trainer.steps + len(X) * n)
            for tensors, flat in zip(_rows(trainer), state, strict=True):
                for tensor, part in zip(tensors, cut(flat, tensors), strict=True):
                    tensor.detach().copy_(part)
        return rows

    def _compiled(self, X: Tensor) -> Step | None:
        if not self.why:
            try:
                batch = X.shape[1] // self.recipe.D_updates
                return compile_steps(self.recipe, X.dtype, batch, self.thorough)
            except Exception as error:  # a compiler is never required, and fails in many ways
                self.why = f"it failed: {' '.join(str(error).split())[:200]}"
        return None


def _coefficients(recipe: Recipe, trainer_D: Adam, trainer_G: Adam, like: Tensor) -> Tensor:
    """(k, D_updates + G_updates, 3): the coefficients of D's updates and of G's, for each step."""
    k, parts = len(like), []
    for trainer, n in ((trainer_D, recipe.D_updates), (trainer_G, recipe.G_updates)):
        own = [trainer.spec.coefficients(trainer.steps + i + 1) for i in range(k * n)]
        parts.append(np.reshape(own, (k, n, 3)))
    rows = np.concatenate(parts, axis=1)
    return torch.tensor(rows, dtype=like.dtype)


def _rows(trainer: Adam) -> list[Sequence[Tensor]]:
    return [
        list(trainer.network.trained.values()),
        trainer.m,
        trainer.v,
        *([trainer.average] if trainer.ema else []),
    ]
