"""Samples as pictures: grids of images, points in the plane, an animation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ..spec.errors import UserError
from .canvas import BLUE, ORANGE, figure, plain
from .canvas import save as save_figure
from .files import disk_errors

BLOCK = 1024  # images that are float64 at a time


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Images of any layout in [-1, 1] as bytes: what `Dataset.batch` made of bytes, undone. What is
    beyond the range is cut off, what is not a number is grey."""
    out = np.empty(images.shape, np.uint8)
    for i in range(0, len(images), BLOCK):
        block = np.nan_to_num(np.clip(images[i : i + BLOCK].astype(np.float64), -1, 1))
        out[i : i + BLOCK] = np.rint((block + 1) * 127.5)
    return out


def grid(images: np.ndarray, gap: int = 2, columns: int | None = None) -> np.ndarray:
    """Images (n, C, H, W) in [-1, 1] as one picture of bytes (rows, columns[, 3]), nearly square
    unless it is to have so many `columns`."""
    pixels = to_uint8(images).transpose(0, 2, 3, 1)
    n, height, width, channels = pixels.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    shape = (rows * (height + gap) + gap, columns * (width + gap) + gap, channels)
    out = np.full(shape, 255, np.uint8)
    for i, image in enumerate(pixels):
        top = gap + i // columns * (height + gap)
        left = gap + i % columns * (width + gap)
        out[top : top + height, left : left + width] = image
    return out[..., 0] if channels == 1 else out


def save_samples(stem: Path, samples: np.ndarray, columns: int | None = None) -> Path:
    """`stem`.png for images, `stem`.npy for points."""
    path = stem.with_name(stem.name + (".npy" if samples.ndim == 2 else ".png"))
    with disk_errors(path):
        if samples.ndim == 2:
            np.save(path, samples)
        else:
            picture(path, samples, None, columns)
    return path


@plain()
def picture(
    path: Path, samples: np.ndarray, real: np.ndarray | None, columns: int | None = None
) -> None:
    """Samples alone: a grid of images as they are, or points over real ones."""
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if samples.ndim == 2:
            canvas = figure(5, 5)
            show_samples(canvas.subplots(), samples, real)
            save_figure(path, canvas)
        else:
            from PIL import Image

            Image.fromarray(_enlarge(grid(samples, columns=columns))).save(path)


def show_samples(
    axes: Any, samples: np.ndarray, real: np.ndarray | None, columns: int | None = None
) -> None:
    """Generated points over real ones, or a grid of images, whose rows are classes where it is to
    have so many `columns`."""
    if samples.ndim == 2:
        if real is not None:
            axes.scatter(*_plane(real), s=6, color=BLUE, alpha=0.35, label="real", linewidths=0)
        axes.scatter(
            *_plane(samples), s=10, color=ORANGE, alpha=0.8, label="generated", linewidths=0
        )
        if samples.shape[1] == 1:
            axes.set(xlabel="$x$", ylabel="share of points below")
        else:
            axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal", adjustable="datalim")
        axes.legend(loc="upper left", fontsize=8)
    else:
        pixels = grid(samples, columns=columns)
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        rows = ", a row for each class" if columns else ""
        axes.set_title(f"{len(samples)} samples from fixed noise{rows}", fontsize=9)
        axes.axis("off")


def _plane(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is drawn of points (n, d): the first two coordinates, or the distribution function of
    the only one."""
    if points.shape[1] > 1:
        return points[:, 0], points[:, 1]
    return np.sort(points[:, 0]), (np.arange(len(points)) + 0.5) / len(points)


@plain()
def beside(path: Path, samples: np.ndarray, real: np.ndarray, title: str) -> None:
    """Generated samples beside real examples, on the same scale."""
    canvas = figure(10, 5.4)
    panels = canvas.subplots(1, 2, sharex=samples.ndim == 2, sharey=samples.ndim == 2)
    for axes, examples, name, colour in zip(
        panels, (samples, real), ("generated", "real"), (ORANGE, BLUE), strict=True
    ):
        if samples.ndim == 2:
            axes.scatter(*_plane(examples), s=6, color=colour, alpha=0.5, linewidths=0)
            axes.set_aspect("auto" if samples.shape[1] == 1 else "equal")
        else:
            axes.imshow(grid(examples), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.axis("off")
        axes.set_title(f"{title}, {name}")
    save_figure(path, canvas)


def animate(samples: Path, path: Path, real: np.ndarray | None, frames: int = 100) -> None:
    """One GIF of the epochs' samples, at most `frames` of them, the last one held longest. Raises
    UserError if there are none."""
    from PIL import Image

    files = sorted(f for f in samples.iterdir() if f.suffix in (".png", ".npy"))
    if not files:
        raise UserError(f"{samples} holds no samples to animate")
    files = [files[i] for i in np.unique(np.linspace(0, len(files) - 1, frames).astype(int))]
    pictures = [points_frame(np.load(f), real, f.stem) if f.suffix == ".npy"
                else Image.open(f).convert("L" if Image.open(f).mode == "L" else "RGB")
                for f in files]  # fmt: skip
    durations = [100] * (len(pictures) - 1) + [2000]
    with disk_errors(path):
        pictures[0].save(
            path, save_all=True, append_images=pictures[1:], duration=durations, loop=0
        )


@plain()
def points_frame(samples: np.ndarray, real: np.ndarray | None, title: str) -> Any:
    """Points as a small Pillow picture, in the frame of the real ones."""
    from PIL import Image

    canvas = figure(4, 4)
    axes = canvas.subplots()
    show_samples(axes, samples, real)
    axes.set_title(title.replace("_", " "), fontsize=9)
    if real is not None:
        x, y = _plane(real)
        axes.set_xlim(x.min() - 0.5, x.max() + 0.5)
        if real.shape[1] > 1:
            axes.set_ylim(y.min() - 0.5, y.max() + 0.5)
        axes.set_adjustable("box")
    canvas.canvas.draw()
    return Image.fromarray(np.asarray(canvas.canvas.buffer_rgba())[..., :3].copy())


def _enlarge(pixels: np.ndarray) -> np.ndarray:
    """Whole-number enlargement to some 500 pixels: small grids are hard to see."""
    factor = max(1, round(500 / max(pixels.shape[:2])))
    return pixels.repeat(factor, 0).repeat(factor, 1)
