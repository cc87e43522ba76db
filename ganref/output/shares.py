"""Classes as a picture: how much of the samples each is, beside the data, and how sure it looks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .canvas import GREY, ORANGE, figure, plain, save


@plain()
def classes(path: Path, rows: Sequence[Any], title: str) -> None:
    """Above, each class's share of the samples over its share of the data; below, a classifier's
    mean confidence in it. `rows` have what `ganref.metrics.classes.ClassRow` has."""
    places = np.arange(len(rows))
    canvas = figure(max(7.0, 0.45 * len(rows)), 6.4)
    above, below = canvas.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    share, real = (
        np.array([getattr(row, name) for row in rows]) for name in ("share", "data_share")
    )
    apart = np.abs(np.array([row.interval for row in rows]).T - share)
    above.bar(places, real, 0.86, color=GREY, alpha=0.35, label="the data")
    above.bar(places, share, 0.5, color=ORANGE, label="the samples (at 95%)", yerr=apart, capsize=3)
    above.set(ylabel="share", title=title)
    above.set_ylim(top=1.3 * float(max(share.max(), real.max())))
    above.legend(loc="upper right", ncols=2, fontsize=9, frameon=False)
    sure = [0.0 if row.confidence is None else row.confidence for row in rows]
    below.bar(places, sure, 0.5, color=ORANGE)
    below.set(ylabel="confidence", ylim=(0, 1))
    upright = len(rows) > 12 or max(len(row.name) for row in rows) > 4
    below.set_xticks(places, [row.name for row in rows], rotation=90 if upright else 0)
    save(path, canvas)
