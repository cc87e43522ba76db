"""Numbers as pictures: a run's losses and metrics, and how far backends are apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..spec.schema import Recipe
from ..spec.steps import Trace
from .canvas import BLUE, GREY, ORANGE, colours, figure, plain, save
from .pictures import show_samples


@plain()
def progress(
    path: Path,
    recipe: Recipe,
    trace: Trace,
    samples: np.ndarray,
    real: np.ndarray | None,
    metrics: Mapping[str, list[tuple[int, float]]] | None = None,
) -> None:
    """The two panels: loss curves over real and generated samples; between them a third one for
    metrics, lists of (step, value), where there are some."""
    canvas = figure(6, 10 if metrics else 8.4)
    if metrics:
        curves, middle, below = canvas.subplots(3, 1, height_ratios=(2, 1.4, 3))
        for name, pairs in metrics.items():
            middle.plot(*zip(*pairs, strict=True), ".-", lw=1, label=name)
        middle.set(xlabel="step", yscale="symlog")
        middle.legend(fontsize=7, loc="upper right")
    else:
        curves, below = canvas.subplots(2, 1, height_ratios=(2, 3))
    for values, name, colour in ((trace.loss_D, "loss_D", BLUE), (trace.loss_G, "loss_G", ORANGE)):
        _curve(curves, recipe.loss.per_example(values, recipe.batch_size), name, colour)
    if optimum := recipe.loss.optimum:
        curves.axhline(optimum[0], color=GREY, lw=0.8, ls=":", label=optimum[1])
    curves.set(xlabel="step", ylabel="loss per example", title=f"{recipe.name} ({recipe.tab})")
    curves.legend(loc="upper right", fontsize=8)
    show_samples(below, samples, real)
    save(path, canvas)


@plain()
def comparison(path: Path, report: dict[str, Any]) -> None:
    """The loss curves of all backends over each other, and below them the largest difference of
    losses and of parameters for each pair, on a logarithmic scale with the losses' tolerance."""
    names = report["backends"]
    canvas = figure(7 if len(names) < 5 else 10, 8.4)
    above, below = canvas.subplots(2, 1, sharex=True)
    widths = np.linspace(5, 1.2, len(names))  # the thick ones show under the thin
    for colour, width, name in zip(colours(len(names)), widths, names, strict=True):
        for loss, style in (("loss_D", "-"), ("loss_G", "--")):
            values = report["losses"][name][loss]
            steps = np.arange(1, len(values) + 1)
            above.plot(steps, values, style, color=colour, lw=width, label=f"{name} {loss}")
    above.set(ylabel="loss", title=f"{report['recipe']}, {report['dtype']}")
    pairs = report["pairs"]
    for colour, pair in zip(colours(len(pairs)), pairs, strict=True):
        for kind, style in (("losses", "-"), ("parameters", ":")):
            values = np.maximum(pair["worst"][kind], 1e-18)
            label = f"{' - '.join(pair['pair'])}, {kind}"
            below.semilogy(np.arange(1, len(values) + 1), values, style, color=colour, label=label)
    allowed = [np.nan if t is None else t for t in report["tolerances"]["losses"]]
    steps = np.arange(1, len(allowed) + 1)
    below.semilogy(steps, allowed, color="black", lw=2, label="tolerance of the losses")
    below.set(xlabel="step", ylabel="largest relative difference")
    for axes in (above, below):
        if len(names) < 5:
            axes.legend(ncols=2, fontsize=7)
        else:  # more lines than the axes have room for
            axes.legend(fontsize=6, loc="center left", bbox_to_anchor=(1, 0.5))
    save(path, canvas)


def _curve(axes: Any, values: np.ndarray, name: str, colour: str) -> None:
    """Every step faintly, and over it the mean of windows: GAN losses are mostly noise."""
    steps = np.arange(1, len(values) + 1)
    thin = max(1, len(values) // 4000)
    axes.plot(steps[::thin], values[::thin], color=colour, alpha=0.25, lw=0.6)
    window = max(1, len(values) // 100)
    cut = len(values) // window * window
    if cut:
        means = values[:cut].reshape(-1, window).mean(1)
        axes.plot(steps[window - 1 : cut : window], means, color=colour, lw=1.4, label=name)
        known = means[np.isfinite(means)]
        low, high = known.min(initial=0.0), known.max(initial=1e-9)
        bottom, top = axes.get_ylim() if axes.has_data() and len(axes.lines) > 2 else (low, high)
        axes.set_ylim(min(bottom, low), max(top, high * 1.15))
