"""The losses side by side: what each leaves of G's gradient, and what it does on the ring.

Two questions to each loss, on the same networks, data and noise. With G held and D trained, how far
does G's gradient fall (Arjovsky and Bottou 2017, figures 2 and 3; the lab `vanishing` follows it
step by step)? And trained as a GAN, where the plain one collapses (the lab `collapse`), how many of
the eight modes are found, and in what time? Beside the losses stands the hinge on a D with spectral
normalisation, as Miyato et al. 2018 pair them. The rates are those of that lab, D's ten times G's;
the two critics have five updates of D and Adam as Gulrajani et al. 2017 have them, at 1e-3.
"""

from __future__ import annotations

import dataclasses
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from .. import data
from ..draws import batches, rng
from ..output.canvas import BLUE, GREY, ORANGE
from ..spec import Adam, Recipe
from ..spec.losses import BinaryCrossEntropy, Hinge, LeastSquares, Wasserstein, WassersteinGP
from . import Setup, collapse, figure, fresh_state, gradient_norm, save, vanishing

SEEDS, STEPS, HELD = 10, 3000, 300
QUICK = {"seeds": 3, "steps": 1500}
GIVEN_UP = (
    "This was --quick: 3 seeds of 10 and 1,500 steps of 3,000, in which nobody can say which of two"
    " losses that differ by a mode is better."
)
SAMPLES, MODES = collapse.SAMPLES, collapse.MODES
FELL = vanishing.FALL  # what counts as a gradient that is gone


def recipes() -> dict[str, Recipe]:
    """The plain GAN of the lab `collapse` under each loss."""
    plain = collapse.recipes()[collapse.PLAIN]
    adam = Adam(1e-3, 0.0, 0.9)
    critic = plain.replace(D_updates=5, adam_D=adam, adam_G=adam)

    def with_loss(**numbers: Any) -> Recipe:
        return plain.replace(loss=dataclasses.replace(plain.loss, **numbers))

    return {
        "minimax": plain.replace(loss=BinaryCrossEntropy(generator="minimax")),
        "non-saturating": plain,
        "R1 = 0.1": with_loss(r1=0.1),
        "R2 = 0.1": with_loss(r2=0.1),
        "least squares": plain.replace(loss=LeastSquares()),
        "hinge": plain.replace(loss=Hinge()),
        "hinge, spectral": plain.replace(loss=Hinge(), spectral=True),
        "wasserstein": critic.replace(loss=Wasserstein()),
        "wasserstein-gp": critic.replace(loss=WassersteinGP()),
    }


def run(setup: Setup, seeds: int = SEEDS, steps: int = STEPS, held: int = HELD) -> dict[str, Any]:
    """Each loss on every seed: `held` updates of D alone, and `steps` steps as a GAN."""
    games = recipes()
    arms: dict[str, dict[str, list]] = {
        name: {"fall": [], "modes": [], "high_quality": [], "seconds": []} for name in games
    }
    all_seeds = range(setup.seed, setup.seed + seeds)
    with setup.bar(seeds * steps * len(games), "losses") as bar:
        for name, game in games.items():
            alone = game.replace(D_updates=1)
            gans = setup.create(game), setup.create(alone)
            for seed in all_seeds:
                dataset, arm = data.load("ring", game, seed), arms[name]
                Z = rng.latent(game, rng.Stream(seed, rng.EVALUATION), range(1), (SAMPLES,))[0]
                gans[1].load_state(fresh_state(alone, seed))
                source = batches.Source(alone, dataset, seed, setup.dtype)
                arm["fall"].append(_fall(gans[1], source, held))
                gans[0].load_state(fresh_state(game, seed))
                source = batches.Source(game, dataset, seed, setup.dtype)
                arm["seconds"].append(_train(gans[0], source, steps, bar))
                found = collapse.judge(gans[0].generate(Z))
                arm["modes"].append(int(found["modes_covered"]))
                arm["high_quality"].append(found["high_quality"])
    return {
        "seeds": list(all_seeds), "steps": steps, "held": held, "arms": arms, **summary(arms),
    }  # fmt: skip


def _fall(gan: Any, source: batches.Source, held: int) -> float | None:
    """The norm of G's gradient before the first update of D over that after the last, at the same
    weights of G and on the same batch; None if nothing is left."""
    norms = []
    first = source.draw(range(1))
    how = {"Z_G": None, "masks": {name: mask[0] for name, mask in first.masks.items()}}
    for step in range(held + 1):
        if step in (0, held):
            grads = gan.gradients(first.X[0], first.Z[0], **how)
            norms.append(gradient_norm(grads, "generator"))
        if step < held:
            batch = source.draw(range(step, step + 1))
            masks = {name: mask[0] for name, mask in batch.masks.items()}
            gan.update_D(batch.X[0], batch.Z[0], masks=masks)
    return vanishing.ratio(*norms)


def _train(gan: Any, source: batches.Source, steps: int, bar: Any) -> float:
    """Train for so many steps; the seconds that they took, without the draws."""
    seconds = 0.0
    for chunk in batches.plan(source, 0, steps, None):
        batch = source.draw(chunk)
        began = time.perf_counter()
        gan.train_trace(batch.X, batch.Z, Z_G=batch.Z_G, masks=batch.masks)
        seconds += time.perf_counter() - began
        bar.update(len(chunk))
    return seconds


def interval(successes: int, of: int) -> tuple[float, float]:
    """A share's interval at 95% (Wilson 1927)."""
    z, share = 1.959964, successes / of
    middle, whole = share + z * z / (2 * of), 1 + z * z / of
    half = z * math.sqrt(share * (1 - share) / of + (z / of / 2) ** 2)
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)


def summary(arms: dict[str, Any]) -> dict[str, Any]:
    """Of each loss over seeds, with its uncertainty: the modes' mean and its standard error; in how
    many seeds all were found, with that share's interval at 95%; seconds; and the gradient's fall
    (its geometric mean and range)."""
    rows: dict[str, dict[str, Any]] = {}
    for name, arm in arms.items():
        modes, seconds = np.array(arm["modes"], float), np.array(arm["seconds"])
        n, full = len(modes), int((modes == MODES).sum())
        falls = np.array([math.inf if fall is None else fall for fall in arm["fall"]])
        left = falls[np.isfinite(falls)]
        rows[name] = {
            "modes": float(modes.mean()),
            "modes_error": float(modes.std(ddof=1) / math.sqrt(n)) if n > 1 else None,
            "all": full,
            "all_interval": list(interval(full, n)),
            "high_quality": float(np.mean(arm["high_quality"])),
            "seconds": float(seconds.mean()),
            "seconds_error": float(seconds.std(ddof=1) / math.sqrt(n)) if n > 1 else None,
            "fall": float(np.exp(np.log(left).mean())) if len(left) else None,
            "fall_range": [float(left.min()), float(left.max())] if len(left) else None,
            "gone": int((falls >= FELL).sum()),
        }
    most = max(row["modes"] for row in rows.values())
    best = [name for name, row in rows.items() if row["modes"] == most]
    starved = [name for name, row in rows.items() if row["gone"] * 2 > len(arms[name]["fall"])]
    return {"summary": rows, "best": best, "starved": starved}


def _error(value: float | None) -> str:
    return "" if value is None else f" ± {value:.1f}"


def finding(figures: dict[str, Any]) -> str:
    """What the figures say."""
    rows, seeds = figures["summary"], len(figures["seeds"])
    fates = (f"{vanishing.fell(row['fall'])} under {name}" for name, row in rows.items())
    parts = [
        f"With G held, over {figures['held']} updates of D, its gradient (geometric means over"
        f" {seeds} seeds) " + ", ".join(fates)
    ]
    starved = figures["starved"]
    alone = " alone" if len(starved) == 1 else ""
    where = f"{' and '.join(starved)}{alone}" if starved else "none"
    parts[0] += f"; in most seeds 1% of it or less was left under {where}."
    parts.append(
        f"After {figures['steps']:,} steps on the ring, of 8 modes (mean ± standard error; seeds"
        f" with all of them, of {seeds}, and that share's interval at 95%): "
        + ", ".join(
            f"{name} {row['modes']:.1f}{_error(row['modes_error'])} ({row['all']};"
            f" {row['all_interval'][0]:.0%} to {row['all_interval'][1]:.0%})"
            for name, row in rows.items()
        )
        + "."
    )
    parts.append(
        "Seconds for that: "
        + ", ".join(f"{name} {row['seconds']:.1f}" for name, row in rows.items())
        + "."
    )
    parts.append(f"Most modes had {' and '.join(figures['best'])}.")
    return " ".join(parts)


def draw(path: Path, figures: dict[str, Any]) -> None:
    """The gradient's fall, the modes and the seconds of each loss, a point a seed."""
    arms, rows = figures["arms"], figures["summary"]
    picture = figure(12, 4.2)
    axes = picture.subplots(1, 3, sharey=True)
    places, jitter = np.arange(len(arms)), np.random.default_rng(0)
    for place, arm in zip(places, arms.values(), strict=True):
        falls = [fall for fall in arm["fall"] if fall is not None]
        for panel, values in zip(axes, (falls, arm["modes"], arm["seconds"]), strict=True):
            heights = place + jitter.uniform(-0.15, 0.15, len(values))
            panel.plot(values, heights, "o", ms=3, color=GREY, alpha=0.7)
    for panel, key in zip(axes, ("fall", "modes", "seconds"), strict=True):
        for place, row in zip(places, rows.values(), strict=True):
            if row[key] is not None:
                panel.errorbar(
                    row[key], place, xerr=2 * (row.get(f"{key}_error") or 0), fmt="o", color=BLUE
                )
    axes[0].axvline(1, color=ORANGE, lw=0.8)
    axes[0].set(xscale="log", xlabel="G's gradient fell so many times (left of 1: grew)")
    axes[1].set(xlabel="modes of 8 (bars: two standard errors)", xlim=(-0.3, MODES + 0.4))
    axes[2].set(xlabel=f"seconds for {figures['steps']:,} steps", xlim=(0, None))
    axes[0].set_yticks(places, list(arms))
    axes[0].invert_yaxis()
    save(path, picture)
