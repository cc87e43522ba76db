"""d2l's exercise: what if the standard ReLU is used rather than leaky ReLU? Over several seeds."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import ganref
from ganref import data
from ganref.draws import batches, rng
from ganref.labs import Setup, fresh_state, gradient_norm
from ganref.metrics.report import cheap_metrics
from ganref.output.canvas import colours, figure, plain, save
from ganref.spec import Recipe

from . import about, kept, picture, write

SEEDS, LOOKS, SLOPES = 3, 10, (0.2, 0.0)
# What is trained, narrow and short: backend, steps, the recipe. d2l's DCGAN has these rates.
DCGAN, RING = "DCGAN", "ring"
STEPS = {DCGAN: 100, RING: 1000}


def games(name: str) -> dict[str, Recipe]:
    """The recipe with the slope 0.2 and 0, of D's units alone."""
    if name == DCGAN:
        adam = ganref.recipe("dcgan").adam_D
        base = ganref.recipe("dcgan32").replace(width=4, batch_size=32, adam_D=adam, adam_G=adam)
    else:
        base = ganref.recipe("ring").replace(width=32, batch_size=64)
    return {f"slope {slope:g}": base.replace(leaky_slope=slope) for slope in SLOPES}


def make(runs: Path) -> None:
    """relu.json and .png."""
    told = about(
        "dcgan32", "torch", 0, "python -m docs.make_results relu", seeds=SEEDS, dtype="float32",
        steps=STEPS, dcgan={"width": 4, "batch_size": 32, "lr": 0.005, "data": "digits"},
        ring={"width": 32, "batch_size": 64, "backend": "numpy"},
    )  # fmt: skip
    figures = {
        name: kept(runs, f"relu-{name}", partial(measure, name, backend))
        for name, backend in ((DCGAN, "torch"), (RING, "numpy"))
    }
    write("relu", told, figures)
    draw(runs / "relu.png", figures)
    picture(runs / "relu.png", "relu")


def measure(name: str, backend: str, seeds: int = SEEDS, steps: int = 0) -> dict[str, Any]:
    """By slope and seed: G's gradient as D learns, D's scores over the second half, and how good
    the samples are in the end."""
    found: dict[str, dict[str, list[Any]]] = {}
    for slope, game in games(name).items():
        gan = Setup(backend).create(game)
        rows = found[slope] = {}
        for seed in range(seeds):
            gan.load_state(fresh_state(game, seed))
            look = STEPS[name] // LOOKS
            for key, value in _course(gan, game, seed, steps or STEPS[name], look).items():
                rows.setdefault(key, []).append(value)
    return found


def _course(gan: Any, game: Recipe, seed: int, steps: int, look: int) -> dict[str, Any]:
    dataset = data.load(game.data, game, 0)
    source = batches.Source(game, dataset, seed, "float32")
    gradients, scores = [], []
    for chunk in batches.plan(source, 0, steps, look):
        batch = source.draw(chunk)
        trace = gan.train_trace(batch.X, batch.Z, Z_G=batch.Z_G, masks=batch.masks)
        scores.append((float(trace.D_x.mean()), float(trace.D_G_z.mean())))
        if chunk.stop % look == 0:
            found = gan.gradients(batch.X[-1], batch.Z[-1], Z_G=None, masks=None)
            gradients.append(float(f"{gradient_norm(found, 'generator'):.4g}"))
    late = np.array(scores[len(scores) // 2 :]).mean(0)
    told = {"gradient": gradients, "D_x": float(late[0]), "D_G_z": float(late[1])}
    Z = rng.latent(game, rng.Stream(seed, rng.EVALUATION), range(1), (1000,))[0]
    return told | cheap_metrics(game, dataset, gan.generate(Z), seed)


@plain()
def draw(path: Path, figures: dict[str, Any]) -> None:
    """G's gradient by step, a line a seed."""
    canvas = figure(10.5, 4)
    for axes, (name, found) in zip(canvas.subplots(1, 2), figures.items(), strict=True):
        for (slope, rows), colour in zip(found.items(), colours(2), strict=True):
            for i, curve in enumerate(rows["gradient"]):
                steps = (np.arange(len(curve)) + 1) * (STEPS[name] // LOOKS)
                axes.semilogy(steps, curve, color=colour, lw=1.4, label=None if i else slope)
        axes.set(xlabel="step", ylabel="norm of G's gradient", title=name)
        axes.legend()
    save(path, canvas)
