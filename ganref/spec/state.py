"""The names and shapes of a run's state: one list for backends and checkpoints."""

from __future__ import annotations

import numpy as np

from .errors import UserError
from .layers import Shape
from .schema import Recipe


def state_shapes(recipe: Recipe, weights_only: bool = False) -> dict[str, Shape]:
    """Every tensor of a state: weights and running statistics; and unless `weights_only`, Adam's
    moments, G's average if the recipe keeps one, and the count of updates of each network."""
    shapes: dict[str, Shape] = {}
    for network in recipe.networks:
        shapes |= {p.name: p.shape for p in network.params}
        if weights_only:
            continue
        suffixes = ["m", "v"]
        if recipe.ema and network is recipe.generator:
            suffixes.append("ema")
        for p in network.params:
            if p.trainable:
                shapes |= {f"{p.name}.{suffix}": p.shape for suffix in suffixes}
        shapes[f"{network.name}.step"] = ()
    return shapes


def initial_state(
    recipe: Recipe, weights: dict[str, np.ndarray], dtype: str = "float64"
) -> dict[str, np.ndarray]:
    """The state before the first step, from initial weights: G's average is at them, and nothing
    else has moved."""
    state: dict[str, np.ndarray] = {}
    for name, shape in state_shapes(recipe).items():
        if name.endswith(".step"):
            state[name] = np.zeros((), np.int64)
        else:
            own = weights.get(name.removesuffix(".ema"), np.zeros(shape))
            state[name] = own.astype(dtype)
    return state


def check_state(recipe: Recipe, state: dict[str, np.ndarray], weights_only: bool = False) -> None:
    """Refuse a state that is not this recipe's: missing, extra or misshapen tensors, numbers that
    are not finite, steps that are no counts. Raises UserError, naming the first."""
    wanted = state_shapes(recipe, weights_only)
    for name in wanted:
        if name not in state:
            raise UserError(f"tensor {name} is missing from the state of recipe {recipe.name}")
    for name, array in state.items():
        if name not in wanted:
            raise UserError(f"tensor {name} is not part of recipe {recipe.name}")
        if array.shape != wanted[name]:
            raise UserError(f"tensor {name} has shape {array.shape}, not {wanted[name]}")
        if name.endswith(".step"):
            if array.dtype != np.int64 or array < 0:
                raise UserError(f"tensor {name} must be a count (int64), not {array!r}")
        elif array.dtype not in (np.float32, np.float64):
            raise UserError(f"tensor {name} must be float32 or float64, not {array.dtype}")
        elif not np.isfinite(array).all():
            raise UserError(f"tensor {name} holds numbers that are not finite")
        elif name.endswith((".v", ".running_var")) and (array < 0).any():
            raise UserError(f"tensor {name} is a variance and holds negative numbers")
