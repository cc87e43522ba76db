"""d2l.ai's toy past its usual length, followed epoch by epoch, and with what might help it."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from .. import data
from ..backend import GAN
from ..data.points import A, B
from ..draws import batches, rng
from ..metrics import distances
from ..output.strict_json import finite
from ..spec import Recipe, recipe
from ..spec.formulas import sigmoid
from ..training import detectors
from . import Setup, fresh_state, gradient_norm

EPOCHS = 1000  # 50 times the toy's usual length
SEEDS = 10  # of three, the median said one thing on one backend and another on the next
R1, EMA, SLOWER = 0.1, 0.999, 10.0
PLAIN, AVERAGE = "as it is", "averaging G's weights"
SMALLER, PENALTY = f"rates / {SLOWER:.0f}", f"R1 = {R1}"
CHANGES = (PLAIN, AVERAGE, SMALLER, PENALTY)
POINTS = 500  # real ones, and as many samples, that D is asked about


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
    """The toy's Fréchet distances, epoch by epoch, for each change and seed; and how D and G stand
    after the usual length and at the end."""
    games = recipes()
    gans = {name: setup.create(game) for name, game in games.items()}
    plain = games[PLAIN]
    all_seeds = range(setup.seed, setup.seed + seeds)
    floor, found = [], []
    steps = epochs * plain.steps_per_epoch(len(data.load("gaussian", plain, setup.seed)))
    with setup.bar(steps * seeds, "oscillation") as bar:
        for seed in all_seeds:
            dataset = data.load("gaussian", plain, seed)
            floor.append(_distance(*distances.gaussian_fit(dataset.array)))
            for name, gan in gans.items():
                gan.load_state(fresh_state(games[name], seed))
            source = batches.Source(plain, dataset, seed, setup.dtype)
            found.append(_follow(gans, source, epochs, dataset.batch(np.arange(POINTS)), bar))
    curves = {name: [course.curves[name] for course in found] for name in CHANGES}
    looks = {name: _median_looks([course.looks[name] for course in found]) for name in gans}
    return {
        "seeds": list(all_seeds),
        "usual_epochs": plain.epochs,
        "epochs": epochs,
        "data": float(np.median(floor)),
        "curves": {name: finite(np.round(c, 6).tolist()) for name, c in curves.items()},
        "looks": looks,
        "noticed": {name: _count([course.noticed[name] for course in found]) for name in gans},
        **summary(curves, plain.epochs),
    }


class Course(NamedTuple):
    """What became of one seed, by change: the distances by epoch, the looks after the usual length
    and at the end, and the step at which the detector noticed a D that passes nothing on."""

    curves: dict[str, list[float]]
    looks: dict[str, list[dict[str, float]]]
    noticed: dict[str, int | None]


def _follow(
    gans: dict[str, GAN], source: batches.Source, epochs: int, points: np.ndarray, bar: Any
) -> Course:
    """Train all of them on the draws of one seed."""
    curves: dict[str, list[float]] = {name: [] for name in CHANGES}
    looks: dict[str, list[dict[str, float]]] = {name: [] for name in gans}
    per_epoch = source.steps_per_epoch
    ends = (min(source.recipe.epochs, epochs), epochs)
    watches = {
        name: detectors.Detectors(gan.recipe, points[: detectors.SAMPLES])
        for name, gan in gans.items()
    }
    for chunk in batches.plan(source, 0, epochs * per_epoch, None):
        batch = source.draw(chunk)
        for name, gan in gans.items():
            trace = gan.train_trace(batch.X, batch.Z, Z_G=None, masks=batch.masks)
            watches[name].observe(chunk.start + 1, trace)
        bar.update(len(chunk))
        epoch, rest = divmod(chunk.stop, per_epoch)
        if rest:
            continue
        for name, gan in gans.items():
            curves[name].append(exact_distance(gan))
            looks[name] += [_look(gan, points) for end in ends if end == epoch]
        curves[AVERAGE].append(exact_distance(gans[PLAIN], ema=True))
    noticed = {name: watch.first_step("saturation") for name, watch in watches.items()}
    return Course(curves, looks, noticed)


def _count(steps: list[int | None]) -> dict[str, Any]:
    return {"steps": steps, "seeds": sum(step is not None for step in steps)}


def _look(gan: GAN, points: np.ndarray) -> dict[str, float]:
    """How D and G stand: the norm of G's gradient per example, D's mean score of real points, and
    the standard deviation of its logits over these and as many samples."""
    noise = rng.Stream(0, rng.EVALUATION)
    Z = rng.latent(gan.recipe, noise, range(1), (len(points),))[0].astype(points.dtype)
    both = np.concatenate([points, gan.generate(Z)])
    logits = gan.discriminate(both).astype(np.float64)
    return {
        "G_gradient": gradient_norm(gan.gradients(points, Z), "generator") / len(points),
        "D_x": float(sigmoid(logits[: len(points)]).mean()),
        "D_contrast": float(logits.std()),
    }


def _median_looks(seeds: list[list[dict[str, float]]]) -> dict[str, list[float | None]]:
    """By figure, its medians over seeds: after the usual length, and at the end."""
    names = seeds[0][0]
    return {
        name: finite([float(np.median([looks[i][name] for looks in seeds])) for i in (0, 1)])
        for name in names
    }


def exact_distance(gan: GAN, ema: bool = False) -> float:
    """The exact distance of what G makes, infinite if it has diverged: G is linear, so three points
    tell all of it."""
    dim = gan.recipe.latent_dim
    points = gan.generate(np.vstack([np.zeros(dim), np.eye(dim)]), ema=ema).astype(np.float64)
    if not (np.abs(points) < distances.FAR).all():
        return float("inf")
    weight = (points[1:] - points[0]).T
    return _distance(points[0], weight @ weight.T)


def _distance(mean: np.ndarray, cov: np.ndarray) -> float:
    return distances.frechet_gaussian(mean, cov, B, A.T @ A)


def summary(curves: dict[str, list[list[float]]], usual: int) -> dict[str, Any]:
    """Of each change, over seeds: the distance at the usual length, the least ever, the median of
    the last half and the last; the last half's as so many times the plain one's; the share of the
    seeds in which it is `nearer` than the plain one's, and of those that stood `still` in the last
    tenth. None stands for a distance without bound."""
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
            "still": float(np.mean(_stood_still(values))),
        }
    plain = rows[PLAIN]["late"]
    for row in rows.values():
        # Two that both diverge do not differ.
        row["times_plain"] = row["late"] / max(plain, 1e-12) if row["late"] != plain else 1.0
    return {"summary": finite(rows)}


def _late(curves: np.ndarray) -> np.ndarray:
    """Of each seed's curve (seeds, epochs) the median of the last half."""
    return np.median(curves[:, curves.shape[1] // 2 :], axis=1)


def _stood_still(curves: np.ndarray) -> np.ndarray:
    """Of each seed's curve (seeds, epochs) whether it moved by less than 1% in the last tenth."""
    ends = curves[:, -max(curves.shape[1] // 10, 2) :]
    return np.isfinite(ends).all(1) & (ends.max(1) <= 1.01 * ends.min(1))
