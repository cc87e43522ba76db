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


def trained(recipe: Recipe, weights: dict[str, np.ndarray]) -> tuple[Trace, dict[str, np.ndarray]]:
    """The trace and the state of the NumPy backend in float64, from these weights."""
    gan = ganref.load_backend("numpy").create(recipe, weights, "cpu", "float64")
    trace = gan.train_trace(*draws(recipe.data, recipe.latent_dim, recipe.batch_size))
    return trace, gan.state()


@cache
def expected(recipe: Recipe) -> tuple[Trace, dict[str, np.ndarray]]:
    """The same from the initial weights of seed 0."""
    return trained(recipe, ganref.initial_weights(recipe))


def drift(recipe: Recipe) -> tuple[float, float]:
    """`differences` of NumPy from itself: the largest where each initial weight is moved by its
    last place, in several ways."""
    rng, apart = np.random.default_rng(0), []
    for _ in range(ULPS):
        weights = {
            name: array * (1 + np.finfo(float).eps * rng.choice([-1, 1], array.shape))
            for name, array in ganref.initial_weights(recipe).items()
        }
        trace, state = trained(recipe, weights)
        flat = {name: tensor.ravel() for name, tensor in state.items()}
        apart.append(differences({"trace": np.transpose(trace), "state": flat}, recipe))
    losses, moved = zip(*apart, strict=True)
    return max(losses), max(moved)


def agrees(apart: tuple[float, float], recipe: Recipe) -> bool:
    """Whether `differences` are no larger than promised, or than a few times NumPy's own drift
    where that is more."""
    promised = LOSSES, WEIGHTS
    if all(a <= p for a, p in zip(apart, promised, strict=True)):
        return True  # the drift takes several runs
    own = drift(recipe)
    return all(a <= max(p, DRIFTS * d) for a, p, d in zip(apart, promised, own, strict=True))


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
