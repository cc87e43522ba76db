"""How far two backends may differ, and for how long that promise is honest.

GANs amplify rounding: smoothly, and in jumps where Adam divides a rounding error by itself or a
ReLU's kink flips. A tolerance is the largest difference allowed of any tensor of a kind, relative
to the largest magnitude in that tensor; `HORIZONS` says for how many steps of a free run. Each
number is at most ten times what `tests/test_promises.py` measured on the narrow recipes.
"""

from __future__ import annotations

from dataclasses import dataclass

from .spec.recipes import Recipe

KINDS = ("losses", "gradients", "parameters", "statistics", "moments")


@dataclass(frozen=True)
class Promise:
    """The tolerances of the five kinds, for the first `steps` steps."""

    steps: int
    losses: float
    gradients: float
    parameters: float
    statistics: float
    moments: float


# One step from the same state, whatever the recipe.
FORCED = {
    "float64": Promise(10**9, 1e-13, 1e-12, 1e-10, 1e-12, 1e-12),
    "float32": Promise(10**9, 2e-6, 2e-5, 1e-3, 2e-5, 2e-5),
}


def promise(recipe: Recipe, dtype: str) -> Promise:
    """What a free run keeps: by precision, and by whether the recipe's learning rate is small."""
    fast = max(recipe.adam_D.lr, recipe.adam_G.lr) > 1e-3
    if recipe.stack == "toy":
        return TOY[dtype]
    return (FAST if fast else SLOW)[dtype]


TOY = {
    "float64": Promise(125, 1e-12, 1e-11, 1e-11, 1e-12, 1e-11),
    "float32": Promise(125, 1e-5, 1e-4, 1e-4, 1e-5, 1e-4),
}
SLOW = {
    "float64": Promise(50, 1e-11, 1e-9, 1e-9, 1e-11, 1e-9),
    "float32": Promise(1, 1e-4, 1e-3, 1e-1, 1e-4, 1e-3),
}
FAST = {
    "float64": Promise(10, 1e-9, 1e-7, 1e-7, 1e-9, 1e-7),
    "float32": Promise(1, 1e-4, 1e-3, 1e-1, 1e-4, 1e-3),
}


def tolerance(
    recipe: Recipe, dtype: str, teacher_forced: bool, step: int, kind: str
) -> float | None:
    """The largest difference allowed at this step (from 1), or None past the honest horizon."""
    kept = FORCED[dtype] if teacher_forced else promise(recipe, dtype)
    return getattr(kept, kind) if step <= kept.steps else None
