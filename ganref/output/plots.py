"""Pictures: grids of images, points, loss curves, animations. matplotlib is imported on use, and
without pyplot, so that nothing here needs a screen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import need
from ..spec.schema import Recipe
from ..spec.steps import Trace
from .files import disk_errors

BLUE, ORANGE, GREY = "#1f6fb4", "#e07b1a", "#8a8a8a"
COLOURS = (BLUE, ORANGE, "#3a923a", "#9b59b6")


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Images (n, C, H, W) in [-1, 1] as bytes (n, H, W, C), C being 1 or 3."""
    scaled = np.clip(np.nan_to_num(images) * 127.5 + 127.5, 0, 255)
    return np.rint(scaled).astype(np.uint8).transpose(0, 2, 3, 1)


def grid(images: np.ndarray, gap: int = 2) -> np.ndarray:
    """Images (n, C, H, W) in [-1, 1] as one nearly square picture of bytes (rows, columns[, 3])."""
    pixels = to_uint8(images)
    n, height, width, channels = pixels.shape
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    shape = (rows * (height + gap) + gap, columns * (width + gap) + gap, channels)
    out = np.full(shape, 255, np.uint8)
    for i, image in enumerate(pixels):
        top = gap + i // columns * (height + gap)
        left = gap + i % columns * (width + gap)
        out[top : top + height, left : left + width] = image
    return out[..., 0] if channels == 1 else out


def save_samples(stem: Path, samples: np.ndarray) -> Path:
    """`stem`.png for images, `stem`.npy for points."""
    path = stem.with_name(stem.name + (".npy" if samples.ndim == 2 else ".png"))
    with disk_errors(path):
        if samples.ndim == 2:
            np.save(path, samples)
        else:
            picture(path, samples, None)
    return path


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
    scale = recipe.batch_size if recipe.loss.reduction == "sum" else 1
    for values, name, colour in ((trace.loss_D, "loss_D", BLUE), (trace.loss_G, "loss_G", ORANGE)):
        _curve(curves, values / scale, name, colour)
    if recipe.loss.kind == "bce":
        curves.axhline(math.log(2), color=GREY, lw=0.8, ls=":", label="ln 2")
    curves.set(xlabel="step", ylabel="loss per example", title=f"{recipe.name} ({recipe.tab})")
    curves.legend(loc="upper right", fontsize=8)
    show_samples(below, samples, real)
    with disk_errors(path):
        temporary = path.with_name(f".{path.name}")
        canvas.savefig(temporary, dpi=100, format="png")
        temporary.replace(path)


def picture(path: Path, samples: np.ndarray, real: np.ndarray | None) -> None:
    """Samples alone: a grid of images as they are, or points over real ones."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if samples.ndim == 2:
            canvas = figure(5, 5)
            show_samples(canvas.subplots(), samples, real)
            canvas.savefig(path, dpi=100)
        else:
            from PIL import Image

            Image.fromarray(_enlarge(grid(samples))).save(path)


def show_samples(axes: Any, samples: np.ndarray, real: np.ndarray | None) -> None:
    """Generated points over real ones, or a grid of images."""
    if samples.ndim == 2:
        if real is not None:
            axes.scatter(*real.T, s=6, color=BLUE, alpha=0.35, label="real", linewidths=0)
        axes.scatter(*samples.T, s=10, color=ORANGE, alpha=0.8, label="generated", linewidths=0)
        axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
        axes.set_adjustable("datalim")
        axes.legend(loc="upper left", fontsize=8)
    else:
        axes.imshow(grid(samples), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(f"{len(samples)} samples from fixed noise", fontsize=9)
        axes.axis("off")


def animate(samples: Path, path: Path, real: np.ndarray | None, frames: int = 100) -> None:
    """One GIF of the epochs' samples, at most `frames` of them, the last one held longest."""
    from PIL import Image

    files = sorted(f for f in samples.iterdir() if f.suffix in (".png", ".npy"))
    files = [files[i] for i in np.unique(np.linspace(0, len(files) - 1, frames).astype(int))]
    pictures = [_points_frame(np.load(f), real, f.stem) if f.suffix == ".npy"
                else Image.open(f).convert("L" if Image.open(f).mode == "L" else "RGB")
                for f in files]  # fmt: skip
    durations = [100] * (len(pictures) - 1) + [2000]
    with disk_errors(path):
        pictures[0].save(
            path, save_all=True, append_images=pictures[1:], duration=durations, loop=0
        )


def board(run: Path) -> Any:
    """A TensorBoard writer into the run. Raises UserError if tensorboardX is not installed."""
    writer = need("tensorboardX", "tensorboardX", "--tensorboard", "tensorboard").SummaryWriter
    return writer(str(run / "tensorboard"))


def log_to_board(writer: Any, row: dict[str, Any], samples: np.ndarray) -> None:
    """An epoch's numbers and samples as TensorBoard events."""
    for name, value in row.items():
        if name not in ("epoch", "step") and isinstance(value, float):
            writer.add_scalar(name, value, row["step"])
    if samples.ndim == 2:
        picture = np.asarray(_points_frame(samples, None, f"epoch {row['epoch']}"))
        writer.add_image("samples", picture, row["step"], dataformats="HWC")
    else:
        pixels = grid(samples)
        form = "HW" if pixels.ndim == 2 else "HWC"
        writer.add_image("samples", pixels, row["step"], dataformats=form)


def figure(width: float, height: float) -> Any:
    """An empty figure that needs no screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    empty = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(empty)
    return empty


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
        low, high = min(0.0, float(means.min())), float(means.max())
        bottom, top = axes.get_ylim() if axes.has_data() and len(axes.lines) > 2 else (low, high)
        axes.set_ylim(min(bottom, low), max(top, high * 1.15))


def _enlarge(pixels: np.ndarray) -> np.ndarray:
    """Whole-number enlargement to some 500 pixels: small grids are hard to see."""
    factor = max(1, round(500 / max(pixels.shape[:2])))
    return pixels.repeat(factor, 0).repeat(factor, 1)


def _points_frame(samples: np.ndarray, real: np.ndarray | None, title: str) -> Any:
    from PIL import Image

    canvas = figure(4, 4)
    axes = canvas.subplots()
    show_samples(axes, samples, real)
    axes.set_title(title.replace("_", " "), fontsize=9)
    if real is not None:
        (left, bottom), (right, top) = real.min(0) - 0.5, real.max(0) + 0.5
        axes.set(xlim=(left, right), ylim=(bottom, top))
        axes.set_adjustable("box")
    canvas.canvas.draw()
    return Image.fromarray(np.asarray(canvas.canvas.buffer_rgba())[..., :3].copy())


def beside(path: Path, samples: np.ndarray, real: np.ndarray, title: str) -> None:
    """Generated samples beside real examples, on the same scale."""
    canvas = figure(10, 5.4)
    panels = canvas.subplots(1, 2, sharex=samples.ndim == 2, sharey=samples.ndim == 2)
    for axes, examples, name, colour in zip(
        panels, (samples, real), ("generated", "real"), (ORANGE, BLUE), strict=True
    ):
        if samples.ndim == 2:
            axes.scatter(*examples.T, s=6, color=colour, alpha=0.5, linewidths=0)
            axes.set(aspect="equal")
        else:
            axes.imshow(grid(examples), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.axis("off")
        axes.set_title(f"{title}, {name}")
    with disk_errors(path):
        canvas.savefig(path, dpi=100)


def comparison(path: Path, report: dict[str, Any]) -> None:
    """The loss curves of all backends over each other, and below them the largest difference of
    any kind for each pair, on a logarithmic scale with the losses' tolerance."""
    canvas = figure(7, 8.4)
    above, below = canvas.subplots(2, 1, sharex=True)
    widths = np.linspace(5, 1.2, len(report["backends"]))  # the thick ones show under the thin
    for colour, width, name in zip(COLOURS, widths, report["backends"], strict=False):
        for loss, style in (("loss_D", "-"), ("loss_G", "--")):
            values = report["losses"][name][loss]
            steps = np.arange(1, len(values) + 1)
            above.plot(steps, values, style, color=colour, lw=width, label=f"{name} {loss}")
    above.set(ylabel="loss", title=f"{report['recipe']}, {report['dtype']}")
    above.legend(ncols=2, fontsize=7)
    for colour, pair in zip(COLOURS * 3, report["pairs"], strict=False):
        for kind, style in (("losses", "-"), ("parameters", ":")):
            values = np.maximum(pair["worst"][kind], 1e-18)
            label = f"{' - '.join(pair['pair'])}, {kind}"
            below.semilogy(np.arange(1, len(values) + 1), values, style, color=colour, label=label)
    allowed = [np.nan if t is None else t for t in report["tolerances"]["losses"]]
    steps = np.arange(1, len(allowed) + 1)
    below.semilogy(steps, allowed, color="black", lw=2, label="tolerance of the losses")
    below.set(xlabel="step", ylabel="largest relative difference")
    below.legend(ncols=2, fontsize=7)
    with disk_errors(path):
        canvas.savefig(path, dpi=100)
