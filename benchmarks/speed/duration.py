"""How long a measurement will take, to be said before it begins."""

from __future__ import annotations

from ganref.spec import Recipe

from . import gate
from .rounds import SETTLE, Settings

# Roughly, on a core of 2020: what a process takes to import a framework, and to build a GAN and
# call it for the first time; FLOP/s in a step; and a step's overhead without a compiler.
IMPORT_S, FIRST_CALL_S, FLOPS_PER_S, OVERHEAD_S = 3.0, 4.0, 2e10, 1e-3


def estimate(todo: list[tuple[Recipe, list[tuple[str, str]]]], how: Settings) -> float:
    """Seconds for these variants of these recipes, (backend, mode) each."""
    total, judged = 0.0, set()
    for shape, asked in todo:
        step = OVERHEAD_S + _work(shape, shape.batch_size) / how.threads
        turn = max(how.seconds, step) + SETTLE
        # NumPy judges once what every variant computes, in two precisions.
        total += 2 * _work(shape, gate.oracle_batch(shape)) + IMPORT_S
        # A matrix product of every framework in every round, and a process for it.
        names = {name for name, _ in asked}
        total += len(names) * (IMPORT_S + how.repeats * (how.seconds / 4 + SETTLE))
        for variant in asked:
            exams = {(*variant, shape.name), (*variant, shape.name, gate.oracle_batch(shape))}
            total += len(exams - judged) * FIRST_CALL_S + (IMPORT_S if exams - judged else 0)
            judged |= exams
            total += IMPORT_S + FIRST_CALL_S + (how.repeats + 1) * turn
    return total


def in_words(seconds: float) -> str:
    """Seconds below two minutes, else minutes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _work(shape: Recipe, batch: int) -> float:
    return shape.flops_per_example * batch / FLOPS_PER_S
