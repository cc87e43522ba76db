"""Distances: of examples to each other, and of points to a Gaussian or a mixture that is known.

Samples are (n, *shape) arrays; every metric flattens them to (n, d) float64. Each function names
its source.
"""

from __future__ import annotations

import numpy as np

from ..spec.errors import UserError

FAR = 1e70  # its fourth power is still a double: beyond it there is nothing to measure
_BLOCK = 2**24  # numbers in one block of distances: 128 MB


def as_rows(samples: np.ndarray, minimum: int = 1, what: str = "samples") -> np.ndarray:
    """The samples as (n, d) float64 rows.

    Raises UserError for fewer than `minimum` of them, for no features or for values that are not
    finite.
    """
    samples = np.asarray(samples)
    if samples.ndim < 2 or samples[:1].size == 0 and len(samples):
        raise UserError(f"{what} must be an array (n, *shape), not one of shape {samples.shape}")
    if len(samples) < minimum:
        raise UserError(f"at least {minimum} {what} are needed, not {len(samples)}")
    rows = samples.reshape(len(samples), -1).astype(np.float64)
    bad = int((~np.isfinite(rows).all(axis=1)).sum())
    if bad:
        raise UserError(f"{bad} of {len(rows)} {what} are not finite; the generator has diverged")
    return rows


def gaussian_fit(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean (d,), unbiased covariance (d, d)) of samples (n, *shape). Raises UserError if n < 2."""
    rows = as_rows(samples, minimum=2)
    return rows.mean(axis=0), np.atleast_2d(np.cov(rows, rowvar=False))


def _root(cov: np.ndarray) -> np.ndarray:
    """The symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(cov)
    # Rounding leaves a singular covariance with eigenvalues just below 0.
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T


def frechet_gaussian(
    mean1: np.ndarray, cov1: np.ndarray, mean2: np.ndarray, cov2: np.ndarray
) -> float:
    """The squared Fréchet (Wasserstein-2) distance of N(mean1, cov1) and N(mean2, cov2).

    |m1 − m2|² + tr(C1 + C2 − 2 (C1^½ C2 C1^½)^½), in the units of the data squared (Dowson and
    Landau 1982; as FID: Heusel et al. 2017). Raises UserError for shapes that do not fit.
    """
    mean1, mean2 = np.asarray(mean1, dtype=np.float64), np.asarray(mean2, dtype=np.float64)
    cov1, cov2 = np.asarray(cov1, dtype=np.float64), np.asarray(cov2, dtype=np.float64)
    square = (*mean1.shape, *mean1.shape)
    if mean1.ndim != 1 or mean2.shape != mean1.shape or not cov1.shape == cov2.shape == square:
        shapes = f"{mean1.shape}, {cov1.shape}, {mean2.shape}, {cov2.shape}"
        raise UserError(f"two Gaussians have shapes (d,), (d, d), (d,), (d, d), not {shapes}")
    # The trace of (C1^½ C2 C1^½)^½ is the sum of the singular values of C1^½ C2^½, which spares the
    # square roots of rounding errors.
    cross_trace = np.linalg.norm(_root(cov1) @ _root(cov2), ord="nuc")
    distance = np.sum((mean1 - mean2) ** 2) + np.trace(cov1 + cov2) - 2 * cross_trace
    return float(max(distance, 0.0))


def toy_metrics(samples: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> dict[str, float]:
    """How far the samples (n, d) are from the Gaussian N(mean (d,), cov (d, d)).

    `mean_error` is |m̂ − m|, `cov_error` the Frobenius norm |Ĉ − C|, `frechet` the squared
    distance of `frechet_gaussian` between the samples' fit and N(mean, cov).
    """
    fit_mean, fit_cov = gaussian_fit(samples)
    frechet = frechet_gaussian(fit_mean, fit_cov, mean, cov)
    return {
        "mean_error": float(np.linalg.norm(fit_mean - mean)),
        "cov_error": float(np.linalg.norm(fit_cov - cov)),
        "frechet": frechet,
    }


def mixture_metrics(samples: np.ndarray, centres: np.ndarray, std: float) -> dict[str, float]:
    """How a mixture's modes (m, d), each N(centre, std² I), are met by samples (n, d).

    A sample is of high quality if it is within 3 std of its nearest centre, and a mode is covered
    if it is nearest to at least one such sample (Srivastava et al. 2017, VEEGAN, section 4; Lin et
    al. 2018, PacGAN, section 4). `mode_kl` is KL(histogram of the nearest modes || uniform)
    in nats (PacGAN's "reverse KL"): 0 to log m. The data themselves have 1 − exp(−4.5) = 0.989
    high-quality samples in two dimensions. Raises UserError for other shapes.
    """
    rows = as_rows(samples)
    if rows.shape[1:] != centres.shape[1:]:
        raise UserError(f"samples have {rows.shape[1]} features, the modes {centres.shape[1]}")
    squared = squared_distances(rows, centres)
    nearest = squared.argmin(axis=1)
    good = squared.min(axis=1) <= (3 * std) ** 2
    share = np.bincount(nearest, minlength=len(centres)) / len(rows)
    met = share[share > 0]
    return {
        "modes_covered": float(len(np.unique(nearest[good]))),
        "high_quality": float(good.mean()),
        "mode_kl": float(max((met * np.log(met * len(centres))).sum(), 0.0)),
    }


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The squared Euclidean distances (n, m) of the rows a (n, d) and b (m, d)."""
    origin = b.mean(axis=0)  # far from the origin, the differences below would cancel
    a, b = a - origin, b - origin
    squared = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * (a @ b.T)
    return np.maximum(squared, 0, out=squared)


def nearest_distances(
    queries: np.ndarray, rows: np.ndarray, k: int = 1, exclude: np.ndarray | None = None
) -> np.ndarray:
    """The distance (n,) of each query (n, *shape) to its k-th nearest of the rows (m, *shape).

    `exclude` (n,) names for each query the one row that does not count: itself. Raises UserError
    if fewer than k rows are left. Memory is bounded whatever n and m, so that `rows` can be
    mapped from a file.
    """
    left = len(rows) - (exclude is not None)
    if left < k:
        raise UserError(f"the {k}. nearest neighbour needs at least {k} others, not {left}")
    best = np.full((len(queries), k), np.inf)
    step = max(1, _BLOCK // max(rows[0].size, 4096))
    for first in range(0, len(rows), step):
        block = _flat(rows[first : first + step])
        for start in range(0, len(queries), 1024):
            part = slice(start, start + 1024)
            squared = squared_distances(_flat(queries[part]), block)
            if exclude is not None:
                own = exclude[part] - first
                there = np.flatnonzero((own >= 0) & (own < len(block)))
                squared[there, own[there]] = np.inf
            nearest = np.concatenate([best[part], squared], axis=1)
            best[part] = np.partition(nearest, k - 1, axis=1)[:, :k]
    return np.sqrt(best.max(axis=1))


def _flat(examples: np.ndarray) -> np.ndarray:
    return examples.reshape(len(examples), -1).astype(np.float64)


def subset(n: int, limit: int, generator: np.random.Generator) -> np.ndarray:
    """Which rows to take: all n in order, or `limit` of them, sorted, without replacement."""
    return np.arange(n) if n <= limit else np.sort(generator.choice(n, limit, replace=False))
