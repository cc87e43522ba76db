"""Cases for the playground's arithmetic, in node and in the browser: a recipe under a tab and a
loss, with ganref's weights and draws, and what the NumPy backend makes of them."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import numpy as np

import ganref
from docs import make_playground as playground
from ganref import data
from ganref.draws.batches import Source, plan
from ganref.spec import Recipe
from ganref.spec.serial import to_dict
from ganref.spec.steps import Trace

STEPS = 125
# The largest difference allowed of a column of the trace, relative to the largest in it; and of a
# tensor of weights, whose gradients Adam divides by themselves.
LOSSES, WEIGHTS = 1e-12, 1e-11
# A run may be less sharp than that: a loss with corners magnifies the last place of its weights.
ULPS, DRIFTS = 8, 4


def cases() -> dict[str, Recipe]:
    """Every tab and loss that the playground offers, and two updates of G, by name."""
    found = {}
    for name, base in playground.RECIPES.items():
        for tab, recipe in playground.tabs(base).items():
            for loss in playground.LOSSES:
                with_loss = playground.with_loss(base, loss).loss
                found[f"{name}-{tab}-{loss}"] = recipe.replace(loss=with_loss)
    toy = found["gaussian-aligned-bce"]
    return found | {"gaussian-G-updates": toy.replace(G_updates=2)}


@cache
def draws(data_name: str, latent: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """(X, Z) of the first steps of seed 0; a tab or a loss changes none of them."""
    recipe = next(r for r in cases().values() if (r.data, r.batch_size) == (data_name, batch))
    source = Source(recipe, data.load(data_name, recipe, 0), 0, "float64")
    parts = [source.draw(chunk) for chunk in plan(source, 0, STEPS, None)]
    return np.concatenate([p.X for p in parts]), np.concatenate([p.Z for p in parts])


def given(recipe: Recipe) -> dict[str, Any]:
    """What the playground is handed, as JSON has it; X and Z step by step."""
    X, Z = draws(recipe.data, recipe.latent_dim, recipe.batch_size)
    return {
        "recipe": to_dict(recipe),
        "layers": {net.name: playground.layers(net) for net in recipe.networks},
        "weights": {n: w.tolist() for n, w in ganref.initial_weights(recipe).items()},
        "X": X.tolist(),
        "Z": Z.tolist(),
    }


def expected(recipe: Recipe) -> tuple[Trace, dict[str, np.ndarray]]:
    """The trace and the state of the NumPy backend in float64."""
    weights = ganref.initial_weights(recipe)
    gan = ganref.load_backend("numpy").create(recipe, weights, "cpu", "float64")
    trace = gan.train_trace(*draws(recipe.data, recipe.latent_dim, recipe.batch_size))
    return trace, gan.state()


@cache
def drift(name: str) -> tuple[float, float]:
    """(of all columns of the trace, of all weights) the most that NumPy itself is off where each
    initial weight is moved by its last place, in several ways."""
    recipe, worst = cases()[name], (0.0, 0.0)
    trace, state = expected(recipe)
    rng = np.random.default_rng(0)
    for _ in range(ULPS):
        weights = {
            name: array * (1 + np.finfo(float).eps * rng.choice([-1, 1], array.shape))
            for name, array in ganref.initial_weights(recipe).items()
        }
        gan = ganref.load_backend("numpy").create(recipe, weights, "cpu", "float64")
        moved = gan.train_trace(*draws(recipe.data, recipe.latent_dim, recipe.batch_size))
        own = {n: a for n, a in gan.state().items() if not n.endswith((".m", ".v", ".step"))}
        found = (
            max(_difference(a, b) for a, b in zip(moved, trace, strict=True)),
            max(_difference(a, state[n]) for n, a in own.items()),
        )
        worst = max(worst[0], found[0]), max(worst[1], found[1])
    return worst


def allowed(name: str) -> tuple[float, float]:
    """How far the playground may be from NumPy in a case: the promise, or a few times what NumPy is
    from itself where that is more."""
    promised = LOSSES, WEIGHTS
    losses, weights = (max(p, DRIFTS * d) for p, d in zip(promised, drift(name), strict=True))
    return losses, weights


def differences(found: dict[str, Any], recipe: Recipe) -> tuple[float, float]:
    """(the largest of all columns of the trace, that of all weights) between the playground's
    {trace, state} and NumPy. The counts of updates have to be equal."""
    trace, state = expected(recipe)
    columns = zip(np.array(found["trace"]).T, trace, strict=True)
    losses = max(_difference(a, b) for a, b in columns)
    assert set(found["state"]) == set(state)
    weights = 0.0
    for name, tensor in state.items():
        if name.endswith(".step"):
            assert found["state"][name] == int(tensor)
        elif not name.endswith((".m", ".v")):
            weights = max(weights, _difference(np.array(found["state"][name]), tensor.ravel()))
    return losses, weights


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-300))


def script(value: Any) -> str:
    """A value as the text of an expression in JavaScript."""
    return json.dumps(value)


def decoded(text: str, dtype: str = "<f8") -> np.ndarray:
    """The numbers that a generated script holds."""
    return np.frombuffer(base64.b64decode(text), dtype)
