"""The toy of 001 past its usual length, followed epoch by epoch, and with what might help it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .. import data, draws, metrics
from ..backend import GAN
from ..data.points import A, B
from ..jsontext import finite
from ..spec import Recipe, recipe
from . import Setup, fresh_state, times

EPOCHS = 1000  # 50 times the toy's usual length
SEEDS = 10  # of three, the median said one thing on one backend and another on the next
R1, EMA, SLOWER = 0.1, 0.999, 10.0
PLAIN, AVERAGE = "as it is", "averaging G's weights"
SMALLER, PENALTY = f"rates / {SLOWER:.0f}", f"R1 = {R1}"
HELPED, HURT = 0.5, 2.0  # a distance of this many times the plain one is said to differ
AGREE = 0.9  # if as many seeds say so: by chance nine of ten would once in 50 (sign test)


def recipes() -> dict[str, Recipe]:
    """The toy as it is (which keeps an average beside itself), and the toy with each change that
    alters training."""
    toy = recipe("gaussian")
    slow = {
        name: dataclasses.replace(adam, lr=adam.lr / SLOWER)
        for name, adam in (("adam_D", toy.adam_D), ("adam_G", toy.adam_G))
    }
    return {
        PLAIN: toy.replace(ema=EMA),
        SMALLER: toy.replace(**slow),
        PENALTY: toy.replace(loss=dataclasses.replace(toy.loss, r1=R1)),
    }


def run(setup: Setup, epochs: int = EPOCHS, seeds: int = SEEDS) -> dict[str, Any]:
    """The toy's Fréchet distances, epoch by epoch, for each change and seed."""
    games = recipes()
    gans = {name: setup.create(game) for name, game in games.items()}
    curves: dict[str, list[list[float]]] = {name: [] for name in (PLAIN, AVERAGE, SMALLER, PENALTY)}
    floor = []
    usual = games[PLAIN].epochs
    all_seeds = range(setup.seed, setup.seed + seeds)
    dataset = data.load("gaussian", games[PLAIN], setup.seed)
    per_epoch = len(dataset) // games[PLAIN].batch_size
    with setup.bar(epochs * per_epoch * seeds, "oscillation") as bar:
        for seed in all_seeds:
            dataset = data.load("gaussian", games[PLAIN], seed)
            floor.append(_distance(*metrics.gaussian_fit(dataset.array)))
            source = draws.Source(games[PLAIN], dataset, seed, setup.dtype)
            for name, gan in gans.items():
                gan.load_state(fresh_state(games[name], seed))
            for curve in curves.values():
                curve.append([])
            for chunk in draws.plan(source, 0, epochs * per_epoch, None):
                batch = source.draw(chunk)
                for gan in gans.values():
                    gan.train_trace(batch.X, batch.Z, Z_G=None, masks=batch.masks)
                if chunk.stop % per_epoch == 0:
                    for name, gan in gans.items():
                        curves[name][-1].append(_toy_distance(gan))
                    curves[AVERAGE][-1].append(_toy_distance(gans[PLAIN], ema=True))
                bar.update(len(chunk))
    return {
        "seeds": list(all_seeds),
        "usual_epochs": usual,
        "epochs": epochs,
        "data": float(np.median(floor)),
        "curves": {name: finite(np.round(c, 6).tolist()) for name, c in curves.items()},
        **summary(curves, usual),
    }


def _toy_distance(gan: GAN, ema: bool = False) -> float:
    """The exact distance of what G makes, infinite if it has diverged: G is linear, so three points
    tell all of it."""
    dim = gan.recipe.latent_dim
    points = gan.generate(np.vstack([np.zeros(dim), np.eye(dim)]), ema=ema).astype(np.float64)
    if not (np.abs(points) < metrics.FAR).all():
        return float("inf")
    weight = (points[1:] - points[0]).T
    return _distance(points[0], weight @ weight.T)


def _distance(mean: np.ndarray, cov: np.ndarray) -> float:
    return metrics.frechet_gaussian(mean, cov, B, A.T @ A)


def summary(curves: dict[str, list[list[float]]], usual: int) -> dict[str, Any]:
    """Of each change, over seeds: the distance at the usual length, the least ever, the median of
    the last half and the last; the last half's as so many times the plain one's, and the share of
    the seeds in which it is `nearer` than the plain one's. None stands for a distance without
    bound."""
    rows: dict[str, dict[str, Any]] = {}
    plain_late = _late(np.array(curves[PLAIN]))
    for name, curve in curves.items():
        values = np.array(curve)
        late = _late(values)
        rows[name] = {
            "usual": float(np.median(values[:, min(usual, values.shape[1]) - 1])),
            "least": float(np.median(values.min(1))),
            "late": float(np.median(late)),
            "late_spread": [float(late.min()), float(late.max())],
            "last": float(np.median(values[:, -1])),
            "nearer": float(np.mean(late < plain_late)),
        }
    plain = rows[PLAIN]["late"]
    for row in rows.values():
        # Two that both diverge do not differ.
        row["times_plain"] = row["late"] / max(plain, 1e-12) if row["late"] != plain else 1.0
    return {"summary": finite(rows)}


def _late(curves: np.ndarray) -> np.ndarray:
    """Of each seed's curve (seeds, epochs) the median of the last half."""
    return np.median(curves[:, curves.shape[1] // 2 :], axis=1)


def _verdict(row: dict[str, Any]) -> str:
    ratio = row["times_plain"]
    if ratio is not None and HELPED < ratio < HURT:
        return "changed little"
    better = ratio is not None and ratio <= HELPED
    if (row["nearer"] if better else 1 - row["nearer"]) < AGREE:
        return "did what the seeds do not agree on"
    return "helped" if better else "made it worse"


def _number(distance: float | None) -> str:
    return "without bound" if distance is None else f"{distance:.3g}"


def _course(plain: dict[str, Any], epochs: int) -> str:
    """What became of the toy as it is, in words."""
    on = f"training on for {epochs:,} epochs"
    if plain["late"] is None or plain["usual"] is None:
        return f"{on} {'made it diverge' if plain['late'] is None else 'brought it back'}"
    worse = plain["late"] / max(plain["usual"], 1e-12)
    if worse > HURT:
        return f"{on} made it {times(worse)} worse"
    if worse < HELPED:
        return f"{on} made it {times(1 / worse)} better"
    return f"{on} changed little"


def words(toy: dict[str, Any]) -> str:
    """What the toy's figures say."""
    rows, plain = toy["summary"], toy["summary"][PLAIN]
    parts = [
        f"The toy's Fréchet distance was {_number(plain['usual'])} after its usual"
        f" {toy['usual_epochs']} epochs (median of {len(toy['seeds'])} seeds; its training points"
        f" themselves: {toy['data']:.1g}); {_course(plain, toy['epochs'])} (median of the last half"
        f" {_number(plain['late'])}, least on the way {_number(plain['least'])})."
    ]
    verdicts: dict[str, list[str]] = {}
    for name, row in rows.items():
        if name != PLAIN:
            verdicts.setdefault(_verdict(row), []).append(f"{name} ({_number(row['late'])})")
    said = [f"{', '.join(names)} {kind}" for kind, names in verdicts.items()]
    return " ".join([*parts, f"Over that half, {'; '.join(said)}."])
