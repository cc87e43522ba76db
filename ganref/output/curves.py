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

LETTERS = 18  # points: read from the back of a room
PANELS = ("losses", "parameters")


@plain()
def progress(
    path: Path,
    recipe: Recipe,
    trace: Trace,
    samples: np.ndarray,
    real: np.ndarray | None,
    metrics: Mapping[str, list[tuple[int, float]]] | None = None,
    columns: int | None = None,
) -> None:
    """The two panels: loss curves over real and generated samples, images in so many `columns`;
    between them a third one for metrics, lists of (step, value), where there are some."""
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
    show_samples(below, samples, real, columns)
    save(path, canvas)


@plain()
def comparison(path: Path, report: dict[str, Any]) -> None:
    """How far each backend is from the reference, by step: its losses left, its parameters right,
    on logarithmic axes between the machine's epsilon and what is promised.

    The reference is NumPy where it takes part, else the first backend. Made to be projected: one
    colour and one line a backend, large letters, names beside the lines and none over them.
    """
    reference, others = _against(report)
    canvas = figure(15, 7.5)
    panels = canvas.subplots(1, 2, sharey=True)
    for axes, kind in zip(panels, PANELS, strict=True):
        _distances(axes, report, others, kind)
    canvas.supylabel(f"largest relative difference to {reference}", size=LETTERS)
    forced = ", each from the reference's state" if report["teacher_forced"] else ""
    tab = "" if report["tab"] == "aligned" else f" ({report['tab']} tab)"
    canvas.suptitle(
        f"{report['recipe']}{tab}: {report['steps']:,} steps in {report['dtype']}{forced}",
        size=LETTERS + 4,
    )
    handles, names = panels[0].get_legend_handles_labels()
    canvas.legend(
        handles, names, loc="outside lower center", ncols=len(names), fontsize=LETTERS + 2,
        frameon=False,
    )  # fmt: skip
    save(path, canvas)


def _against(report: dict[str, Any]) -> tuple[str, dict[str, dict[str, list[float]]]]:
    """(the reference; of every other backend, its worst differences to it by kind and step). Of
    backends with several numbers of workers each has a reference of its own."""
    named = {"numpy"} & set(report["backends"])
    firsts = {first for first, _ in (pair["pair"] for pair in report["pairs"])}
    references = named or firsts - {second for _, second in (p["pair"] for p in report["pairs"])}
    others = {}
    for pair in report["pairs"]:
        if references & set(pair["pair"]):
            (name,) = set(pair["pair"]) - references
            others[name] = pair["worst"]
    return " or ".join(sorted(references)), others


def _distances(
    axes: Any, report: dict[str, Any], others: dict[str, dict[str, list[float]]], kind: str
) -> None:
    """One panel of `comparison`."""
    epsilon = float(np.finfo(report["dtype"]).eps)
    every = (worst[panel] for worst in others.values() for panel in PANELS)
    known = np.concatenate([np.array(values, float) for values in every])
    # A logarithm has no 0: what is equal bit for bit is drawn on a floor of its own.
    floor = known[known > 0].min(initial=epsilon) / 10
    for colour, (name, worst) in zip(colours(len(others)), others.items(), strict=True):
        values = np.maximum(np.array(worst[kind], float), floor)
        mark = "o" if len(values) <= 30 else ""
        axes.semilogy(
            np.arange(1, len(values) + 1), values, mark + "-", color=colour, lw=3, ms=8, label=name
        )
    axes.axhline(epsilon, color=GREY, lw=2.5, ls="--")
    _beside(axes, epsilon, "machine\nepsilon", GREY)
    allowed = np.array([np.nan if t is None else t for t in report["tolerances"][kind]], float)
    axes.semilogy(np.arange(1, len(allowed) + 1), allowed, "-k", lw=2.5)
    for level in np.unique(allowed[np.isfinite(allowed)]):
        _beside(axes, float(level), f"promised\n{level:g}", "black")
    if (known == 0).any():
        axes.axhline(floor, color=GREY, lw=1, ls=":")
        _beside(axes, floor, "equal", GREY)
    axes.set_title(kind, size=LETTERS + 2)
    axes.set_xlabel("step", size=LETTERS)
    axes.tick_params(labelsize=LETTERS - 2)


def _beside(axes: Any, height: float, words: str, colour: str) -> None:
    """The name of a horizontal line, right of the axes, where no curve runs."""
    axes.annotate(
        words, (1.02, height), xycoords=("axes fraction", "data"), va="center", color=colour,
        size=LETTERS - 2, annotation_clip=False,
    )  # fmt: skip


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
