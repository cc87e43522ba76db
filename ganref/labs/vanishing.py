"""With G held, D learns to tell: what is left of G's gradient under each loss.

000 and 001 warn that log(1 - D(G(z))) gives G nothing to climb once D is sure; Goodfellow et al.
2014 (section 3) propose -log D(G(z)) for that reason. Arjovsky and Bottou 2017 (figures 2 and 3)
made the experiment that is repeated here: G stays as it is, D is trained, and after a number of
steps G's gradient is computed under each loss at the same weights of both. The margin loss
(Zhao, Mathieu and LeCun 2016) has a cost network of its own beside the same G.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from .. import data
from ..backend import GAN
from ..draws import batches, rng
from ..output.canvas import GREY, colours
from ..spec import Adam, Recipe, formulas, on_data, recipe
from ..spec.losses import BinaryCrossEntropy
from . import Setup, figure, gradient_norm, save, times

STEPS = 500
QUICK: dict[str, int] = {}
GIVEN_UP = "This experiment takes seconds as it is: for --quick nothing was left out."
WIDTH, BATCH = 64, 128
NAMES = {"minimax": "minimax", "non_saturating": "non-saturating", "margin": "margin"}
FALL = 100.0  # what the experiment expects of minimax, at least


def recipes() -> dict[str, Recipe]:
    """The three games, with the same generator: the mixture's, by each loss."""
    # D's rate is that of the collapse lab: G is held, so nothing asks for a slow one.
    ring = recipe("ring").replace(width=WIDTH, batch_size=BATCH, adam_D=Adam(1e-2, 0.5))
    energy = on_data(recipe("ebgan"), "ring", True).replace(
        width=WIDTH, batch_size=BATCH, latent_dim=ring.latent_dim,
        init_D=ring.init_D, init_G=ring.init_G, adam_D=ring.adam_D, adam_G=ring.adam_G,
    )  # fmt: skip
    minimax = BinaryCrossEntropy(generator="minimax")
    return {"minimax": ring.replace(loss=minimax), "non_saturating": ring, "margin": energy}


def schedule(steps: int) -> list[int]:
    """After which updates of D to look: 0, and evenly on a logarithmic scale."""
    return [0, *np.unique(np.geomspace(1, steps, 30).round().astype(int)).tolist()]


def run(setup: Setup, steps: int = STEPS) -> dict[str, Any]:
    """Train D (and, beside it, the cost network) for `steps` updates with G held."""
    games = recipes()
    gans = {name: setup.create(game) for name, game in games.items()}
    trained, energy = gans["non_saturating"], gans["margin"]
    source = batches.Source(
        games["margin"], data.load("ring", games["margin"], setup.seed), setup.seed, setup.dtype
    )
    pictures = rng.Stream(setup.seed, rng.PICTURES)
    Z = rng.latent(games["margin"], pictures, range(1), (BATCH,))[0]
    looks = schedule(steps)
    rows: list[dict[str, float]] = []
    with setup.bar(steps, "vanishing") as bar:
        for step in range(steps + 1):
            batch = source.draw(range(step, step + 1))
            if step in looks:
                gans["minimax"].load_state(trained.state())
                rows.append({"step": step, **_look(gans, batch.X[0], Z)})
            if step < steps:
                for gan in (trained, energy):
                    gan.update_D(batch.X[0], batch.Z[0], masks=None)
                bar.update()
    curves = {name: [row[name] for row in rows] for name in rows[0]}
    return {"steps": steps, "curves": curves, **summary(curves)}


def _look(gans: dict[str, GAN], X: np.ndarray, Z: np.ndarray) -> dict[str, float]:
    """G's gradients on the fixed Z, and the scores of D and C on it."""
    row = {}
    for name, gan in gans.items():
        row[name] = gradient_norm(gan.gradients(X, Z, Z_G=None, masks=None), "generator")
    D = gans["non_saturating"]
    logits = D.discriminate(D.generate(Z)).astype(np.float64)
    row["D_G_z"] = float(formulas.sigmoid(logits).mean())
    row["D_x"] = float(formulas.sigmoid(D.discriminate(X).astype(np.float64)).mean())
    for name in ("minimax", "non_saturating"):
        # The mean over the batch of |dL_G/do|: what D's output passes on to G.
        loss = BinaryCrossEntropy(generator=name, reduction="sum")
        row[f"formula_{name}"] = float(np.abs(formulas.grad_G(loss, logits)).mean())
    C = gans["margin"]
    row["C_G_z"] = float(C.discriminate(C.generate(Z)).mean())
    row["C_x"] = float(C.discriminate(X).mean())
    return row


def summary(curves: dict[str, list[float]]) -> dict[str, Any]:
    """How far each gradient fell, from before the first update of D to the last look."""
    ends = {name: (curve[0], curve[-1]) for name, curve in curves.items()}
    falls = {name: ratio(*ends[name]) for name in NAMES}
    starved = falls["minimax"] is None or falls["minimax"] >= FALL
    parted = _parted(ends["minimax"], ends["non_saturating"])
    return {
        "falls": falls,
        "ratio_measured": parted,
        "ratio_formula": _parted(ends["formula_minimax"], ends["formula_non_saturating"]),
        "starved": starved,
        "holds": starved and ends["non_saturating"][1] > 0 and (parted is None or parted > FALL),
    }


def ratio(above: float, below: float) -> float | None:
    """How many times the one is the other; None where there is nothing left to divide by: JSON has
    no infinity."""
    return above / below if below else None


def _parted(a: tuple[float, float], b: tuple[float, float]) -> float | None:
    """How many times further the first fell, between its first value and its last, than the
    second."""
    return ratio(a[0] * b[1], a[1] * b[0])


def fell(fall: float | None) -> str:
    """A gradient's fall, as `ratio` has it, in words."""
    if fall is None:
        return "fell to exactly 0"
    if fall >= 1:
        return f"fell {times(fall)}"
    return f"grew {times(1 / fall) if fall else 'from nothing'}"


def _far(parted: float | None) -> str:
    return "without bound" if parted is None else times(parted)


def finding(figures: dict[str, Any]) -> str:
    """What the figures say."""
    curves, falls = figures["curves"], figures["falls"]
    fates = (f"under the {NAMES[name]} loss it {fell(fall)}" for name, fall in falls.items())
    parts = [
        f"With G held, {figures['steps']:,} updates of D took D(G(z)) from"
        f" {curves['D_G_z'][0]:.2g} to {curves['D_G_z'][-1]:.2g} and D(x) to"
        f" {curves['D_x'][-1]:.4f}. G's gradient changed with it:"
        f" {', '.join(fates)}."
    ]
    if figures["holds"]:
        parts.append(
            "So a confident D starves the minimax loss alone: its derivative to D's logit is"
            " D(G(z)) itself, that of the non-saturating loss 1 - D(G(z))."
        )
    elif not figures["starved"]:
        parts.append(
            f"That is less than the {FALL:.0f} times expected of the minimax loss: D did not grow"
            " confident enough to show the saturation; train it for longer."
        )
    else:
        parts.append(
            "The non-saturating gradient fell with it, which the formulas do not explain:"
            " D's own gradient to its input must have gone."
        )
    parts.append(
        "By the formulas the two should have parted"
        f" {_far(figures['ratio_formula'])}; measured at the weights of G, they did"
        f" {_far(figures['ratio_measured'])}."
    )
    return " ".join(parts)


def draw(path: Path, figures: dict[str, Any]) -> None:
    """The gradients by D's updates; beside them the formulas' derivatives by D(G(z))."""
    curves = {name: np.array(values) for name, values in figures["curves"].items()}
    picture = figure(11, 4.6)
    left, right = picture.subplots(1, 2)
    steps = np.maximum(curves["step"], 0.5)
    for name, colour in zip(NAMES, colours(4), strict=False):
        left.loglog(steps, curves[name], "o-", ms=3, color=colour, label=NAMES[name])
    left.loglog(steps, curves["D_G_z"], ":", color=GREY, label="D(G(z))")
    left.set(
        xlabel="updates of D, G held (the first point is before any)",
        ylabel="norm of G's gradient", title="measured",
    )  # fmt: skip
    left.legend(fontsize=8)
    logits = np.linspace(min(-8.0, math.log(max(curves["D_G_z"].min(), 1e-12)) - 1), 4, 400)
    for name, colour in zip(("minimax", "non_saturating"), colours(4), strict=False):
        derivative = np.abs(
            formulas.grad_G(BinaryCrossEntropy(generator=name, reduction="sum"), logits)
        )
        right.loglog(formulas.sigmoid(logits), derivative, color=colour, label=NAMES[name])
        seen = curves[f"formula_{name}"]
        right.loglog(curves["D_G_z"], seen, "o", ms=4, color=colour, mfc="none")
    ratio = curves["minimax"] / curves["non_saturating"]
    right.loglog(
        curves["D_G_z"], ratio, "x", ms=5, color="black",
        label="measured: minimax gradient / non-saturating",
    )  # fmt: skip
    right.axhline(1, color=colours(3)[2], lw=0.8, label="margin (to the energy)")
    right.set(
        xlabel="D(G(z))", ylabel="|derivative of L_G to D's logit|",
        title="the formulas (circles: their mean over the batch)",
    )  # fmt: skip
    right.legend(fontsize=8)
    save(path, picture)
