"""d2l's exercise: is there an equilibrium where D cannot tell finite samples apart?

Two answers are measured on the toy, whose G can be exact. How many samples two-sample tests need to
tell what a trained G makes from the data; and what training does to a G that is exact already.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

import ganref
from ganref import data
from ganref.backend import GAN
from ganref.data.points import A, B
from ganref.draws import batches
from ganref.labs import Setup, train
from ganref.labs.toy import exact_distance
from ganref.metrics import two_sample
from ganref.output.canvas import GREY, colours, figure, plain, save
from ganref.spec import Recipe

from . import about, kept, picture, write

SEEDS, SIZES, RELABELLINGS = 4, (25, 100, 400), 199
LEVEL = 0.05
USUAL, SLOW = "usual", "rates / 10, five times as long"


def make(runs: Path) -> None:
    """equilibrium.json and .png."""
    told = about(
        "gaussian", "numpy", 0, "python -m docs.make_results equilibrium",
        seeds=SEEDS, dtype="float64", relabellings=RELABELLINGS, level=LEVEL,
    )  # fmt: skip
    figures = {"tests": kept(runs, "equilibrium-tests", tests),
               "start": kept(runs, "equilibrium-start", from_equilibrium)}  # fmt: skip
    write("equilibrium", told, figures)
    draw(runs / "equilibrium.png", figures)
    picture(runs / "equilibrium.png", "equilibrium")


def games() -> dict[str, Recipe]:
    """The toy as it is, and with a tenth of both rates for five times as long."""
    toy = ganref.recipe("gaussian")
    adams = {n: dataclasses.replace(a, lr=a.lr / 10) for n, a in
             (("adam_D", toy.adam_D), ("adam_G", toy.adam_G))}  # fmt: skip
    return {USUAL: toy, SLOW: toy.replace(epochs=5 * toy.epochs, **adams)}


def tests(seeds: int = SEEDS, sizes: tuple[int, ...] = SIZES) -> dict[str, Any]:
    """Of each game, the Fréchet distances, how often D itself is right, and the share of seeds in
    which each test rejects, by number of samples; "the data" are two draws of the data."""
    rejected: dict[str, dict[str, list[list[bool]]]] = {}
    facts: dict[str, dict[str, list[float]]] = {}
    for name, game in (*games().items(), ("the data", ganref.recipe("gaussian"))):
        rejected[name] = {"mmd": [], "c2st": []}
        facts[name] = {"frechet": [], "D_right": []}
        for seed in range(seeds):
            generator = np.random.default_rng([seed, 1])
            real, fake = (generator.standard_normal((max(sizes), 2)) for _ in range(2))
            real = real @ A + B
            if name == "the data":
                fake = fake @ A + B
            else:
                gan = _trained(game, seed)
                fake = gan.generate(fake)
                facts[name]["frechet"].append(exact_distance(gan))
                right = (gan.discriminate(real) > 0).mean() + (gan.discriminate(fake) <= 0).mean()
                facts[name]["D_right"].append(float(right) / 2)
            for test, hits in rejected[name].items():
                hits.append([_rejects(test, fake[:n], real[:n], generator) for n in sizes])
    return {
        "sizes": list(sizes),
        "rejected": {name: {test: np.mean(hits, axis=0).tolist() for test, hits in both.items()}
                     for name, both in rejected.items()},
        "frechet": {n: _spread(f["frechet"]) for n, f in facts.items() if f["frechet"]},
        "D_right": {n: _spread(f["D_right"]) for n, f in facts.items() if f["D_right"]},
    }  # fmt: skip


def _rejects(test: str, x: np.ndarray, y: np.ndarray, generator: np.random.Generator) -> bool:
    if test == "mmd":
        return two_sample.mmd_test(x, y, generator, RELABELLINGS).p <= LEVEL
    return two_sample.classifier_test(x, y, generator).p <= LEVEL


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": float(np.median(values)), "least": min(values), "most": max(values)}


def _trained(game: Recipe, seed: int) -> GAN:
    gan = Setup("numpy", seed, dtype="float64").create(game)
    source = batches.Source(game, data.load("gaussian", game, seed), seed, "float64")
    for _ in train(gan, source, game.epochs * source.steps_per_epoch):
        pass
    return gan


def from_equilibrium(seeds: int = SEEDS, epochs: int = 20) -> dict[str, Any]:
    """The Fréchet distance by epoch of a G that is exact at the start, with D as drawn: at first
    nothing is to be told apart, and D learns what sets this batch apart from that."""
    found: dict[str, Any] = {"epochs": epochs}
    for name, game in games().items():
        curves = []
        for seed in range(seeds):
            gan = Setup("numpy", seed, dtype="float64").create(game)
            state = gan.state()
            state["generator.0.weight"], state["generator.0.bias"] = A.T.copy(), B.copy()
            gan.load_state(state)
            dataset = data.load("gaussian", game, seed)
            source = batches.Source(game, dataset, seed, "float64")
            curve = [exact_distance(gan)]
            for chunk, _ in train(gan, source, epochs * source.steps_per_epoch):
                if chunk.stop % source.steps_per_epoch == 0:
                    curve.append(exact_distance(gan))
            curves.append(curve)
        found[name] = {
            "median": np.median(curves, axis=0).round(6).tolist(),
            "least": np.min(curves, axis=0).round(6).tolist(),
            "most": np.max(curves, axis=0).round(6).tolist(),
        }
    return found


@plain()
def draw(path: Path, figures: dict[str, Any]) -> None:
    """How often each test tells, by number of samples; beside it, the way from the equilibrium."""
    canvas = figure(11, 4.6)
    left, right = canvas.subplots(1, 2)
    tests = figures["tests"]
    for (name, both), colour in zip(tests["rejected"].items(), colours(3), strict=True):
        for test, style in (("mmd", "o-"), ("c2st", "s--")):
            left.plot(tests["sizes"], both[test], style, color=colour, label=f"{name}, {test}")
    left.axhline(LEVEL, color=GREY, ls=":", label="by chance")
    left.set(xscale="log", xlabel="samples, and as many real points", ylabel="share of seeds told",
             ylim=(-0.03, 1.15))  # fmt: skip
    left.set_xticks(tests["sizes"], [str(n) for n in tests["sizes"]])
    left.minorticks_off()
    left.legend(fontsize=7.5, loc="upper left", ncols=2)
    start = figures["start"]
    for name, colour in zip((USUAL, SLOW), colours(2), strict=True):
        curve = start[name]
        epochs = np.arange(len(curve["median"]))
        label = {USUAL: "usual rates", SLOW: "rates / 10"}[name]
        right.plot(epochs, curve["median"], color=colour, label=label)
        right.fill_between(epochs, curve["least"], curve["most"], color=colour, alpha=0.15)
    right.set(xlabel="epochs from an exact G", ylabel="Fréchet distance (median, range)", ylim=0,
              xticks=range(0, start["epochs"] + 1, 5))  # fmt: skip
    right.legend(fontsize=9)
    save(path, canvas)
