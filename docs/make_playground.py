"""Write what the playground has from ganref: three scripts in docs/playground.

python -m docs.make_playground

`recipes.js` holds recipes, tabs, losses, networks and data, so that no number of a recipe is typed
twice; `reference.js` the toy's first steps, weights and draws included; `pretrained.js` networks
that the NumPy backend has trained (minutes). `tests/playground` holds all three against ganref.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

import ganref
from ganref import data, labs
from ganref.cli.options import build_recipe
from ganref.data.points import MIXTURE_SIZE, A, B, modes
from ganref.draws.batches import Source
from ganref.labs import collapse
from ganref.spec import TABS, Recipe, UserError, with_tab
from ganref.spec.networks import Network
from ganref.spec.serial import to_dict

FOLDER = Path(__file__).with_name("playground")
RECIPES = {
    "gaussian": ganref.recipe("gaussian"),
    "ring": ganref.recipe("ring"),
    "collapse": collapse.recipes()[collapse.PLAIN],
}
# What `--loss` and `--generator-loss` ask for. The margin goes with an energy: not with these.
LOSSES: dict[str, dict[str, Any]] = {
    "bce": {"loss": "bce"},
    "minimax": {"loss": "bce", "generator_loss": "minimax"},
    "least-squares": {"loss": "least-squares"},
    "hinge": {"loss": "hinge"},
}
# As long as a run of the recipe is, or of the lab.
TRAINED = {"gaussian": 2500, "ring": 15_600, "collapse": collapse.STEPS}
HEAD = "// Made by `python -m docs.make_playground`; edit the spec, not this.\n"


def with_loss(recipe: Recipe, name: str) -> Recipe:
    """The recipe with the loss that `ganref train` would give it under these options."""
    return recipe.replace(loss=build_recipe({"recipe": recipe.name} | LOSSES[name]).loss)


def tabs(recipe: Recipe) -> dict[str, Recipe]:
    """Every tab that the recipe has: a recipe that is not d2l's has the aligned one alone."""
    found = {}
    for tab in TABS:
        try:
            found[tab] = with_tab(recipe, tab)
        except UserError:
            continue
    return found


def recipes() -> dict[str, Any]:
    """What `recipes.js` holds, as JSON has it."""
    return {
        "version": ganref.__version__,
        "recipes": {name: _entry(recipe) for name, recipe in RECIPES.items()},
        "data": {
            "gaussian": {"size": 1000, "A": A.tolist(), "B": B.tolist()},
            "ring": {
                "size": MIXTURE_SIZE,
                "centres": modes("ring")[0].tolist(),
                "std": modes("ring")[1],
            },
        },
        "mode_samples": collapse.SAMPLES,
    }


def _entry(recipe: Recipe) -> dict[str, Any]:
    losses = {name: with_loss(recipe, name) for name in LOSSES}
    return {
        "tabs": {tab: to_dict(changed) for tab, changed in tabs(recipe).items()},
        "losses": {name: to_dict(changed)["loss"] for name, changed in losses.items()},
        "optimum": {name: changed.loss.optimum for name, changed in losses.items()},
        "generator": layers(recipe.generator),
        "discriminator": layers(recipe.discriminator),
    }


def layers(network: Network) -> list[dict[str, Any]]:
    """The network's layers, each with its kind."""
    return [{"kind": type(layer).__name__, **dataclasses.asdict(layer)} for layer in network.layers]


def train(name: str, steps: int) -> ganref.backend.GAN:
    """The recipe of that name, seed 0, after so many steps of the NumPy backend in float64."""
    recipe = RECIPES[name]
    gan = labs.Setup("numpy", dtype="float64").create(recipe)
    source = Source(recipe, data.load(recipe.data, recipe, 0), 0, "float64")
    for _ in labs.train(gan, source, steps):
        pass
    return gan


def pretrained() -> dict[str, Any]:
    """What `pretrained.js` holds: of each recipe the steps and both networks' weights (all layers
    in one vector, as float32, the last bits of which no picture shows)."""
    found: dict[str, Any] = {}
    for name, steps in TRAINED.items():
        state, recipe = train(name, steps).state(), RECIPES[name]
        found[name] = {"step": steps}
        for network in recipe.networks:
            flat = np.concatenate([state[p.name].ravel() for p in network.params])
            found[name][network.name] = _base64(flat, "<f4")
    return found


def reference(steps: int = 125) -> dict[str, Any]:
    """What `reference.js` holds: weights and draws of the toy's first steps, seed 0, and the losses
    that the NumPy backend has on them, as float64 from front to back."""
    recipe = RECIPES["gaussian"]
    weights = ganref.initial_weights(recipe)
    batch = Source(recipe, data.load(recipe.data, recipe, 0), 0, "float64").draw(range(steps))
    gan = ganref.load_backend("numpy").create(recipe, weights, "cpu", "float64")
    loss_D, loss_G = gan.train_steps(batch.X, batch.Z)
    arrays = {"X": batch.X, "Z": batch.Z, "loss_D": loss_D, "loss_G": loss_G}
    return {
        "weights": {name: _base64(array) for name, array in weights.items()},
        **{name: _base64(array) for name, array in arrays.items()},
    }


def _base64(array: np.ndarray, dtype: str = "<f8") -> str:
    return base64.b64encode(array.astype(dtype).tobytes()).decode()


def script(name: str, value: Any) -> str:
    """A classic script that puts the value into the pages' one namespace."""
    text = json.dumps(value, indent=1)
    return f"{HEAD}globalThis.ganref ??= {{}};\nganref.{name} = {text};\n"


FILES = {
    "recipes.js": ("spec", recipes),
    "reference.js": ("reference", reference),
    "pretrained.js": ("pretrained", pretrained),
}


def read(path: Path) -> Any:
    """The value in such a script."""
    text = path.read_text(encoding="utf-8").removeprefix(HEAD)
    return json.loads(text.split("\n", 1)[1].split(" = ", 1)[1].rstrip(";\n"))


if __name__ == "__main__":
    for file, (made, values) in FILES.items():
        (FOLDER / file).write_text(script(made, values()), encoding="utf-8")
