"""Samples of one fixed z of each recipe, with running and, where G normalises, batch statistics."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

import ganref
from ganref import sample
from ganref.output.canvas import figure, plain, save
from ganref.output.pictures import grid
from ganref.spec.layers import BatchNorm

from . import about, picture, trained, write

# How each is trained: narrow and short, for a processor.
SHORT = "--width 8 --batch-size 32 --lr 0.001 --epochs {} --backend torch"
RUNS = {
    "gaussian": "--recipe gaussian",
    "mlp": "--recipe mlp --width 64 --epochs 40 --backend torch",
    "dcgan": "--recipe dcgan --width 16 --backend torch",
    "dcgan_nyu": f"--recipe dcgan-nyu {SHORT.format(6)}",
    "dcgan32": f"--recipe dcgan32 {SHORT.format(6)}",
    "ebgan": f"--recipe ebgan {SHORT.format(4)}",
}
SHOWN = 25


def make(runs: Path, names: tuple[str, ...] = tuple(RUNS)) -> None:
    """samples-<recipe>.png, and samples-<recipe>.json with what made it."""
    for name in names:
        options = RUNS[name]
        where, command = trained(runs, f"samples-{name}", options)
        config = json.loads((where / "config.json").read_text())
        recipe, made = ganref.recipe(name.replace("_", "-")), config["config"]["recipe"]
        backend = options.partition("--backend ")[2] or "numpy"
        how = {key: made[key] for key in ("width", "batch_size") if key in made}
        told = about(recipe.name, backend, 0, command, **how, lr=made["adam_D"]["lr"])
        told["versions"] = config["versions"]
        if recipe.data_shape == (2,):
            png = runs / f"{name}.png"
            sample.main([str(where), "--num", "1000", "--out", str(png)])
            picture(where / "progress.png", f"losses-{name}")
        else:
            png = draw(runs, where, name)
        picture(png, f"samples-{name}", colours=48)
        write(f"samples-{name}", told, losses(where))


def normalises(name: str) -> bool:
    """Whether a layer of G does."""
    layers = ganref.recipe(name.replace("_", "-")).generator.layers
    return any(isinstance(layer, BatchNorm) for layer in layers)


def losses(where: Path) -> dict[str, Any]:
    """The first steps' losses as they were, and for people their means by epoch."""
    with (where / "steps.csv").open() as file:
        rows = list(csv.DictReader(file))
    epochs = [json.loads(row) for row in (where / "metrics.jsonl").read_text().splitlines()]
    return {
        "steps": len(rows),
        "first": {k: [float(row[k]) for row in rows[:3]] for k in ("loss_D", "loss_G")},
        "by_epoch": {k: [row[k] for row in epochs] for k in ("loss_D", "loss_G")},
        "last_epoch": {k: epochs[-1][k] for k in ("loss_D", "loss_G", "D_x", "D_G_z")},
    }


@plain()
def draw(runs: Path, where: Path, name: str) -> Path:
    """One grid, or two side by side of the same z."""
    ways = {"running statistics": "", "batch statistics": " --batch-stats"}
    if not normalises(name):
        ways = {"": ""}
    canvas = figure(3.5 * len(ways), 3.8 if len(ways) > 1 else 3.5)
    panels = np.atleast_1d(canvas.subplots(1, len(ways)))
    for axes, (title, option) in zip(panels, ways.items(), strict=True):
        file = runs / f"{name}.npy"
        # By NumPy, whatever trained it: the numbers are the same, and nothing has to be imported.
        words = ["--num", str(SHOWN), "--out", str(file), "--backend", "numpy", *option.split()]
        sample.main([str(where), *words])
        axes.imshow(grid(np.load(file)), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.axis("off")
        axes.set_title(title)
    save(runs / f"{name}.png", canvas)
    return runs / f"{name}.png"
