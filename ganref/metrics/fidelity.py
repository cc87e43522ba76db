"""Distances between two sets of features, whichever network they come from."""

from __future__ import annotations

import numpy as np

from ..spec.errors import UserError
from .distances import frechet_gaussian, gaussian_fit, nearest_distances, squared_distances

BLOCK = 1024  # rows whose distances are held at a time


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """The Fréchet distance of features (n, d) and (m, d) (Heusel et al. 2017, equation 6).

    It is biased upwards for few samples. Raises UserError for fewer than d + 1 of either, whose
    covariance would be singular.
    """
    for rows, what in ((real, "real examples"), (fake, "samples")):
        if len(rows) <= rows.shape[1]:
            d = rows.shape[1]
            raise UserError(f"{d} features need at least {d + 1} {what}, not {len(rows)}")
    return frechet_gaussian(*gaussian_fit(real), *gaussian_fit(fake))


def kernel_distance(
    real: np.ndarray,
    fake: np.ndarray,
    generator: np.random.Generator,
    subsets: int = 100,
    size: int = 1000,
) -> tuple[float, tuple[float, float]]:
    """The kernel distance of features (n, d) and (m, d), and the middle 95% of its subsets.

    The mean over random subsets of the unbiased squared MMD with kernel (a·b / d + 1)³ (Bińkowski
    et al. 2018, section 4). Raises UserError for fewer than 2 of either.
    """
    size = min(size, len(real), len(fake))
    if size < 2:
        raise UserError("the kernel distance needs at least 2 samples and 2 real examples")
    values = np.empty(subsets)
    for i in range(subsets):
        x = real[generator.choice(len(real), size, replace=False)]
        y = fake[generator.choice(len(fake), size, replace=False)]
        xx, yy, xy = (_cubic(a, b) for a, b in ((x, x), (y, y), (x, y)))
        within = (xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)) / (size * (size - 1))
        values[i] = within - 2 * xy.mean()
    low, high = np.percentile(values, [2.5, 97.5])
    return float(values.mean()), (float(low), float(high))


def _cubic(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(a·b / d + 1)³ of the rows (n, d) and (m, d)."""
    k = a @ b.T / a.shape[1] + 1
    return k * k * k  # a power would take ten times as long


def precision_recall(real: np.ndarray, fake: np.ndarray, k: int = 3) -> tuple[float, float]:
    """The improved precision and recall of features (n, d) and (m, d).

    Precision is the share of samples within the k-th neighbour's distance of some real example,
    recall the share of real examples within that of some sample (Kynkäänniemi et al. 2019,
    equations 1 and 2). Raises UserError for k or fewer of either.
    """
    return _covered(fake, real, k), _covered(real, fake, k)


def _covered(points: np.ndarray, manifold: np.ndarray, k: int) -> float:
    radii = nearest_distances(manifold, manifold, k, exclude=np.arange(len(manifold)))
    inside = 0
    for start in range(0, len(points), BLOCK):
        squared = squared_distances(points[start : start + BLOCK], manifold)
        inside += int((squared <= radii**2).any(axis=1).sum())
    return inside / len(points)
