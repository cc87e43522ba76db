"""d2l's three tabs on one framework: what each of their deviations does alone, and all together."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

import ganref
from ganref import data
from ganref.backend import GAN
from ganref.draws import batches, rng
from ganref.labs import Setup, train
from ganref.labs.toy import exact_distance
from ganref.spec import TABS, Recipe
from ganref.spec.layers import BatchNorm

from . import about, kept, write

SEEDS, EARLY = 3, 100
DCGAN_WIDTH, DCGAN_BATCH, DCGAN_STEPS = 4, 8, 3

# A deviation, and the fields of the recipe, its optimisers or its normalisation that make it.
DEVIATIONS: dict[str, tuple[str, ...]] = {
    "rate": ("adam.lr",),
    "initial weights": ("init_D", "init_G"),
    "mean gradients": ("adam.mean_gradients",),
    "Adam's ε": ("adam.eps", "adam.eps_form"),
    "inference mode": ("norm.batch_stats",),
    "ε of batch normalisation": ("norm.eps",),
    "momentum of batch normalisation": ("norm.momentum",),
    "running variance biased": ("norm.unbiased",),
    "order of running statistics": ("norm.G_in_update_D", "norm.fake_first"),
}


def changed(base: Recipe, other: Recipe, fields: tuple[str, ...]) -> Recipe:
    """`base` with these fields of `other`; "adam." stands for both optimisers."""
    for field in fields:
        owner, _, name = field.rpartition(".")
        for place in {"adam": ("adam_D", "adam_G"), "norm": ("norm",), "": ("",)}[owner]:
            if place:
                value = getattr(getattr(other, place), name)
                part = dataclasses.replace(getattr(base, place), **{name: value})
                base = base.replace(**{place: part})
            else:
                base = base.replace(**{name: getattr(other, name)})
    return base


def rows(aligned: Recipe) -> dict[tuple[str, str], Recipe]:
    """By tab and deviation, the aligned recipe with that deviation alone; "all" is the tab."""
    found = {("aligned", ""): aligned}
    for tab in TABS[1:]:
        other = ganref.with_tab(aligned, tab)
        for name, fields in DEVIATIONS.items():
            single = changed(aligned, other, fields)
            normless = fields[0].startswith("norm") and not any(
                isinstance(layer, BatchNorm) for layer in aligned.generator.layers
            )
            if single != aligned and not normless:
                found[tab, name] = single
        found[tab, "all"] = other
    return found


def make(runs: Path) -> None:
    """tabs.json: the toy at full length over seeds, the DCGAN narrow and short."""
    told = about(
        "gaussian", "numpy", 0, "python -m docs.make_results tabs",
        gaussian={"dtype": "float64", "seeds": SEEDS},
        dcgan={"dtype": "float64", "width": DCGAN_WIDTH, "batch_size": DCGAN_BATCH,
               "steps": DCGAN_STEPS, "data": "digits"},
    )  # fmt: skip
    write("tabs", told, {name: kept(runs, f"tabs-{name}", of) for name, of in
                         (("gaussian", toy), ("dcgan", dcgan))})  # fmt: skip


def toy(seeds: int = SEEDS, epochs: int | None = None) -> list[dict[str, Any]]:
    """A row per deviation: how far its losses are from the aligned ones, and where it ends."""
    found: list[dict[str, Any]] = []
    courses: dict[tuple[str, str], list[tuple[np.ndarray, float]]] = {}
    for key, game in rows(ganref.recipe("gaussian")).items():
        courses[key] = [_toy_course(game, seed, epochs) for seed in range(seeds)]
        ends = np.array([distance for _, distance in courses[key]])
        usual = np.array([distance for _, distance in courses["aligned", ""]])
        early = [
            np.abs(losses / aligned - 1)[:, :EARLY].max(0)
            for (losses, _), (aligned, _) in zip(courses[key], courses["aligned", ""], strict=True)
        ]
        found.append({
            "tab": key[0], "deviation": key[1],
            "first": float(np.median([apart[0] for apart in early])),
            "early": float(np.median([apart.max() for apart in early])),
            "frechet": float(np.median(ends)), "range": [float(ends.min()), float(ends.max())],
            "nearer": int((ends < usual).sum()),
        })  # fmt: skip
    return found


def _toy_course(game: Recipe, seed: int, epochs: int | None) -> tuple[np.ndarray, float]:
    gan = Setup("numpy", seed, dtype="float64").create(game)
    source = batches.Source(game, data.load("gaussian", game, seed), seed, "float64")
    steps = (epochs or game.epochs) * source.steps_per_epoch
    losses = _losses(gan, source, steps)
    return losses, exact_distance(gan)


def _losses(gan: GAN, source: batches.Source, steps: int) -> np.ndarray:
    """Train: loss_D and loss_G (2, steps)."""
    traces = [trace for _, trace in train(gan, source, steps)]
    return np.array([np.concatenate([getattr(t, name) for t in traces])
                     for name in ("loss_D", "loss_G")])  # fmt: skip


def dcgan(steps: int = DCGAN_STEPS, width: int = DCGAN_WIDTH) -> list[dict[str, Any]]:
    """A row per deviation of the narrow DCGAN on the digits: losses, and the first pictures."""
    aligned = ganref.recipe("dcgan").replace(width=width, batch_size=DCGAN_BATCH)
    found: list[dict[str, Any]] = []
    first: tuple[np.ndarray, np.ndarray] | None = None
    for (tab, name), game in rows(aligned).items():
        gan = Setup("numpy", dtype="float64").create(game)
        source = batches.Source(game, data.load("digits", game, 0), 0, "float64")
        Z = rng.latent(game, rng.Stream(0, rng.PICTURES), range(1), (DCGAN_BATCH,))[0]
        spread = float(gan.generate(Z, batch_stats=True).std(0).mean())
        losses = _losses(gan, source, steps)
        pictures = gan.generate(Z)
        first = first or (losses, pictures)
        apart = np.abs(losses / first[0] - 1).max(0)
        found.append({
            "tab": tab, "deviation": name, "first": float(apart[0]), "early": float(apart.max()),
            "spread_over_z": spread,
            "pictures": float((pictures - first[1]).std() / first[1].std()),
        })  # fmt: skip
    return found
