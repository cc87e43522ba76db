"""Past the equilibrium: what becomes of a GAN that trains on, and what helps.

The Dirac-GAN (`dirac`) circles instead of converging, as its closed forms say; d2l.ai's toy,
trained for 50 times its usual length (`toy`), comes to a stop beside its equilibrium; and a mixture
at rates far too large has losses that grow without bound. What is tried: smaller learning rates,
averaging G's weights (Yazıcı et al. 2019), and a gradient penalty on D at the real data (R1;
Mescheder, Geiger and Nowozin 2018).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import data
from ..draws import batches
from ..output.canvas import GREY, colours
from ..spec import Adam, recipe
from ..training import detectors
from . import Setup, dirac, figure, save, toy, toy_words, train

STEP, DIRAC_STEPS, R1, EMA = 0.1, 2000, 0.3, 0.995
SIMULTANEOUS, ALTERNATING, FLOW = "simultaneous", "alternating", "continuous time"
SMALLER, PENALTY = "rates / 10", f"R1 = {R1}"
RATES, RATE_STEPS = (1e-3, 1e-2, 1.0), 600
QUICK = {"epochs": 400, "seeds": 3}
GIVEN_UP = (
    "This was --quick: the toy for 400 epochs of 1,000 and with 3 seeds of 10; the Dirac-GAN and"
    " the mixture are whole. Seeds that come to a stop later than that are missed, and three seeds"
    " agree by chance once in four times."
)


def run(setup: Setup, epochs: int = toy.EPOCHS, seeds: int = toy.SEEDS) -> dict[str, Any]:
    """All three; `epochs` and `seeds` are the toy's."""
    return {
        "dirac": run_dirac(),
        "rates": run_rates(setup),
        "toy": toy.run(setup, epochs, seeds),
    }


def run_dirac(h: float = STEP, steps: int = DIRAC_STEPS) -> dict[str, Any]:
    """The Dirac-GAN's paths, and what the closed forms say of them."""
    paths = {
        SIMULTANEOUS: dirac.descend(h, steps),
        ALTERNATING: dirac.descend(h, steps, alternating=True),
        SMALLER: dirac.descend(h / 10, 10 * steps)[::10],
        PENALTY: dirac.descend(h, steps, r1=R1),
        FLOW: dirac.flow(h * steps, steps),
    }
    norms = {name: dirac.norms(path) for name, path in paths.items()}
    predicted = dirac.predicted_norms(paths[SIMULTANEOUS], h)
    averaged = dirac.average(paths[ALTERNATING][:, 0], EMA)
    late, shrinking = steps // 2, norms[PENALTY]
    return {
        "step_size": h,
        "steps": steps,
        "r1": R1,
        "ema": EMA,
        "norm": {name: float(values[-1]) for name, values in norms.items()},
        "range": {name: [float(v.min()), float(v.max())] for name, v in norms.items()},
        "turns": {name: dirac.turns(path) for name, path in paths.items()},
        "predicted_norm": float(predicted[-1]),
        "predicted_error": float(np.abs(norms[SIMULTANEOUS] / predicted - 1).max()),
        "invariant_error": float(np.abs(norms[FLOW] - 1).max()),
        "alternating_modulus": dirac.alternating_modulus(h),
        "shrinkage": float((shrinking[late] / shrinking[late // 2]) ** (1 / (late - late // 2))),
        "predicted_shrinkage": dirac.shrinkage(h, R1),
        "theta_late": float(np.abs(paths[ALTERNATING][late:, 0]).max()),
        "average_late": float(np.abs(averaged[late:]).max()),
        "paths": {name: np.round(path[::2], 6).tolist() for name, path in paths.items()},
    }


def run_rates(setup: Setup, steps: int = RATE_STEPS) -> list[dict[str, Any]]:
    """A small GAN on the ring at each of three learning rates, from its own to far too large: its
    largest loss, when the detector noticed, and at which step a loss was no longer a number."""
    rows = []
    for rate in RATES:
        game = recipe("ring").replace(
            width=32, batch_size=64, adam_D=Adam(rate, 0.5), adam_G=Adam(rate, 0.5)
        )
        dataset = data.load("ring", game, setup.seed)
        watch = detectors.Detectors(game, dataset.batch(np.arange(detectors.SAMPLES)))
        highest, diverged = 0.0, None
        source = batches.Source(game, dataset, setup.seed, setup.dtype)
        for chunk, trace in train(setup.create(game), source, steps):
            losses = np.abs([trace.loss_D, trace.loss_G]).max(0)
            bad = np.flatnonzero(~np.isfinite(losses))
            highest = max(highest, float(losses[: bad[0] if len(bad) else None].max(initial=0)))
            if len(bad):
                diverged = chunk.start + 1 + int(bad[0])
                break
            watch.observe(chunk.start + 1, trace)
        first = watch.first_step("divergence")
        rows.append({"rate": rate, "highest": highest, "noticed": first, "diverged": diverged})
    return rows


def finding(figures: dict[str, Any]) -> str:
    """What the figures say."""
    parts = (
        _dirac_words(figures["dirac"]),
        toy_words.words(figures["toy"]),
        _rate_words(figures["rates"]),
    )
    return " ".join(parts)


def _dirac_words(d: dict[str, Any]) -> str:
    low, high = d["range"][ALTERNATING]
    agrees = "as it says" if d["predicted_error"] < 1e-9 else "which is not what it says"
    slower = "slower, but no convergence" if 1 < d["norm"][SMALLER] < d["norm"][SIMULTANEOUS] else (
        "converging" if d["norm"][SMALLER] <= 1 else "no slower"
    )  # fmt: skip
    stays = "keep circling" if low > 0.5 and high < 2 else "move"
    shrinks = "shrinks" if d["shrinkage"] < 1 else "does not shrink"
    close = abs(d["shrinkage"] - d["predicted_shrinkage"]) < 1e-3
    return (
        f"The Dirac-GAN, started at distance 1 from its equilibrium, goes round it"
        f" {d['turns'][SIMULTANEOUS]:.1f} times in {d['steps']:,} simultaneous steps of"
        f" {d['step_size']} and ends at distance {d['norm'][SIMULTANEOUS]:.3g} (closed form:"
        f" {d['predicted_norm']:.3g}, {agrees}); alternating steps {stays} between"
        f" {low:.2f} and {high:.2f}."
        f" Rates ten times smaller, for the same time, end at {d['norm'][SMALLER]:.3g} ({slower});"
        f" averaging theta leaves {d['average_late']:.2g} of a swing of {d['theta_late']:.2g};"
        f" R1 = {d['r1']} {shrinks} the distance, by {d['shrinkage']:.4f} a step"
        f" ({'as' if close else 'not as'} the eigenvalue {d['predicted_shrinkage']:.4f} says)."
    )


def _rate_words(rows: list[dict[str, Any]]) -> str:
    each = []
    for row in rows:
        seen = f"noticed at step {row['noticed']:,}" if row["noticed"] else "no divergence noticed"
        if row["diverged"]:
            seen += f"; no number any more at step {row['diverged']:,}"
        each.append(f"{row['rate']:g} {row['highest']:,.3g} ({seen})")
    return f"The largest loss of the mixture by learning rate: {', '.join(each)}."


def draw(path: Path, figures: dict[str, Any]) -> None:
    """The Dirac-GAN's paths and distances above, the toy's distances below."""
    picture = figure(11, 8.4)
    axes = picture.subplot_mosaic([["paths", "norms"], ["toy", "toy"]])
    _draw_dirac(axes["paths"], axes["norms"], figures["dirac"])
    found, below = figures["toy"], axes["toy"]
    for (name, curve), colour in zip(found["curves"].items(), colours(4), strict=False):
        values = np.array(curve, float)
        epochs = np.arange(1, values.shape[1] + 1)
        below.loglog(epochs, np.median(values, axis=0), color=colour, label=name)
        below.fill_between(epochs, values.min(0), values.max(0), color=colour, alpha=0.12)
    below.axvline(found["usual_epochs"], color=GREY, ls=":", label="usual length")
    below.axhline(found["data"], color=GREY, lw=0.8, label="the training points")
    seeds = len(found["seeds"])
    below.set(
        xlabel="epochs", ylabel="Fréchet distance", title=f"toy: median and range of {seeds} seeds"
    )
    below.legend(fontsize=8, ncols=2)
    save(path, picture)


def _draw_dirac(left: Any, right: Any, d: dict[str, Any]) -> None:
    for (name, points), colour in zip(d["paths"].items(), (*colours(4), GREY), strict=True):
        path = np.array(points)
        left.plot(*path.T, color=colour, lw=1 if name != SMALLER else 0.3, label=name)
        steps = np.linspace(0, d["steps"], len(path))
        right.semilogy(steps, np.maximum(dirac.norms(path), 1e-6), color=colour, label=name)
    left.plot(0, 0, "k+", ms=10)
    left.set(xlabel="theta", ylabel="psi", title="Dirac-GAN: paths", aspect="equal")
    right.set(
        xlabel=f"steps of {d['step_size']}", ylabel="distance to the equilibrium", ylim=(1e-6, None)
    )
    right.legend(fontsize=8)
