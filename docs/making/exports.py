"""Every recipe in every target: what a fresh process without ganref makes of it, held to NumPy."""

from __future__ import annotations

import dataclasses
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import ganref
from ganref.backend import BACKENDS
from ganref.exchange.verify import Exported
from ganref.export import TARGETS, nets_of, origin, write
from ganref.spec import Recipe, UserError
from ganref.spec.labels import CONDITIONAL
from ganref.training.checkpoint import Checkpoint

from . import about, kept
from . import write as write_result
from .blocks import table

WIDTHS = {"dcgan": 4, "dcgan-nyu": 4, "dcgan32": 4, "ebgan": 4, "wgan-gp": 4, "mlp": 8, "ring": 8}


def cases() -> dict[str, Recipe]:
    """Every recipe, narrow, and what an option changes in its networks or weights."""
    found = {}
    for name, recipe in ganref.RECIPES.items():
        found[name] = recipe.replace(width=WIDTHS.get(name, recipe.width))
    found["mlp, colours"] = found["mlp"].replace(data_shape=(3, 28, 28))
    found["dcgan32, spectral"] = found["dcgan32"].replace(spectral=True)
    found["dcgan32, average"] = found["dcgan32"].replace(ema=0.9)
    for kind in CONDITIONAL:
        found[f"dcgan32, {kind}"] = found["dcgan32"].replace(conditional=kind, classes=10)
    return found


def state(recipe: Recipe, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights that no layer is blind to: shifts, statistics and scales of any size, kernels such
    that signals stay of theirs; and an average that is another."""
    draw, found = np.random.default_rng(seed), {}
    for name, array in ganref.initial_weights(recipe, seed).items():
        noise = draw.standard_normal(array.shape) / max(np.prod(array.shape[1:]), 9) ** 0.5
        found[name] = (array if name.endswith(".u") else array + noise).astype(np.float32)
        if name.endswith("running_var"):
            found[name] = draw.uniform(0.5, 2, array.shape).astype(np.float32)
    if recipe.ema:
        trained = [p.name for p in recipe.generator.params if p.trainable]
        found |= {f"{name}.ema": found[name][..., ::-1] for name in trained}
    return found


def networks(name: str, which: str) -> list[Exported]:
    """G or D of a case, under a name of its own. Raises UserError for what is not exported."""
    recipe = cases()[name]
    checkpoint = Checkpoint(recipe, state(recipe), 0, 0, recipe.data, "float32", "numpy")
    stem = "".join(c if c.isalnum() else "_" for c in name)
    ema = bool(recipe.ema) and which == "G"
    return [
        (dataclasses.replace(net, stem=f"{stem}_{which}"), *rest)
        for net, *rest in nets_of(checkpoint, which, ema)
    ]  # type: ignore[misc]


def measure(target: str, names: list[str] | None = None) -> dict[str, dict[str, float | str]]:
    """By case and network: the largest difference from NumPy, relative to the output's scale; or
    why there is no export."""
    found: dict[str, dict[str, float | str]] = {}
    cells, nets = [], []
    for name in names or cases():
        found[name] = {}
        for which in "GD":
            try:
                nets += networks(name, which)
                cells.append((name, which))
            except UserError as error:
                found[name][which] = str(error)
    first = cases()[next(iter(found))]
    source = origin(Checkpoint(first, {}, 0, 0, first.data, "float32", "numpy"), Path())
    with tempfile.TemporaryDirectory() as folder:
        checks = write(Path(folder) / "out", TARGETS[target], nets, source)
    for (name, which), made in zip(cells, checks, strict=True):
        found[name][which] = float(f"{max(check.relative for check in made):.2g}")
    return found


def make(runs: Path) -> None:
    """exports.json."""
    told = about(
        "dcgan32", "numpy", 0, "python -m docs.make_results exports", widths=WIDTHS, examples=64,
        dtype="float32",
    )  # fmt: skip
    packages = [entry.requires for entry in BACKENDS.values()]
    told["versions"] |= {
        package: metadata.version(package)
        for package in (*packages, "keras", "onnx", "onnxruntime")
    }
    figures = {t: kept(runs, f"exports-{t}", lambda t=t: measure(t)) for t in TARGETS}
    write_result("exports", told, figures)


def block(found: dict[str, Any]) -> str:
    """The matrix: a row a network, a column a target, and why a cell is empty."""
    figures, reasons, rows = found["figures"], [], []
    for name in figures["numpy"]:
        for which in "GD":
            row = [name, which]
            for target in figures:
                cell = figures[target][name][which]
                if isinstance(cell, str) and cell not in reasons:
                    reasons.append(cell)
                row.append(
                    f"({reasons.index(cell) + 1})" if isinstance(cell, str) else f"{cell:.0e}"
                )
            rows.append(row)
    versions = ", ".join(f"{name} {v}" for name, v in found["versions"].items()
                         if name not in ("framework", "ganref"))  # fmt: skip
    return "\n\n".join([
        table(["recipe", "", *figures], rows),
        *(f"({i}) {reason}" for i, reason in enumerate(reasons, 1)),
        f"*By `{found['command']}`, seed {found['seed']}, ganref {found['versions']['ganref']},"
        f" {versions}: `docs/results/exports.json`.*",
    ])  # fmt: skip
