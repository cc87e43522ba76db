"""TensorBoard's event files, where they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..backend import need
from .pictures import grid, points_frame


def check() -> None:
    """Raises UserError if tensorboardX is not installed."""
    need("tensorboardX", "tensorboardX", "--tensorboard", "tensorboard")


def board(run: Path) -> Any:
    """A TensorBoard writer into the run. Raises UserError if tensorboardX is not installed."""
    writer = need("tensorboardX", "tensorboardX", "--tensorboard", "tensorboard").SummaryWriter
    return writer(str(run / "tensorboard"))


def log_to_board(
    writer: Any, row: dict[str, Any], samples: np.ndarray, columns: int | None = None
) -> None:
    """An epoch's numbers and samples as TensorBoard events."""
    for name, value in row.items():
        if name not in ("epoch", "step") and isinstance(value, float):
            writer.add_scalar(name, value, row["step"])
    if samples.ndim == 2:
        picture = np.asarray(points_frame(samples, None, f"epoch {row['epoch']}"))
        writer.add_image("samples", picture, row["step"], dataformats="HWC")
    else:
        pixels = grid(samples, columns=columns)
        form = "HW" if pixels.ndim == 2 else "HWC"
        writer.add_image("samples", pixels, row["step"], dataformats=form)
