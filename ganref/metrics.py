"""How good samples are, in NumPy: the toy, mixtures, two-sample tests, memorisation.

Samples are (n, *shape) arrays; every metric flattens them to (n, d) float64. Each function names
its source. SciPy and scikit-learn are imported only where a metric needs them, so that the core
install has the others.
"""

from __future__ import annotations

import importlib
import math
import warnings
from types import ModuleType
from typing import NamedTuple

import numpy as np

from .spec.errors import UserError

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


class Comparison(NamedTuple):
    """A two-sample test: the statistic, its p-value, and a 95% interval where it has one."""

    value: float
    p: float
    interval: tuple[float, float] | None = None


def mmd_test(
    x: np.ndarray, y: np.ndarray, generator: np.random.Generator, permutations: int = 999
) -> Comparison:
    """The unbiased squared maximum mean discrepancy of x (n, *shape) and y (m, *shape).

    The kernel is exp(−|a − b|² / 2σ²) with σ the median distance of the pooled points (Gretton et
    al. 2012, equation 3 and section 8). The p-value is the share of random relabellings with at
    least this value, (1 + #) / (1 + permutations), which is valid for any n (Phipson and Smyth
    2010). Time and memory grow with (n + m)². Raises UserError for fewer than 2 of either.
    """
    x, y = _comparable(x, y, minimum=2)
    pooled = np.concatenate([x, y])
    kernel = squared_distances(pooled, pooled)
    others = kernel[np.triu_indices(len(pooled), 1)]
    # The mean serves where more than half of the points coincide, 1 where all of them do.
    scale = np.median(others) or others.mean() or 1.0
    kernel = np.exp(kernel / (-2 * scale))
    np.fill_diagonal(kernel, 0)
    in_x = np.zeros((permutations + 1, len(pooled)))
    in_x[:, : len(x)] = 1
    in_x[1:] = generator.permuted(in_x[1:], axis=1)
    values = _unbiased_mmd2(kernel, in_x.T)
    # Rounding must not tell a relabelling from its equals.
    extreme = (values[1:] >= values[0] - 1e-12).sum()
    return Comparison(float(values[0]), float((1 + extreme) / (1 + permutations)))


def _unbiased_mmd2(kernel: np.ndarray, in_x: np.ndarray) -> np.ndarray:
    """Gretton's equation 3 for each column of `in_x` (N, P), 1 where a point belongs to x; the
    kernel (N, N) has a diagonal of zeros."""
    n = in_x[:, 0].sum()
    m = len(in_x) - n
    x_x = (in_x * (kernel @ in_x)).sum(axis=0)
    x_all = kernel.sum(axis=0) @ in_x
    x_y, y_y = x_all - x_x, kernel.sum() - 2 * x_all + x_x
    return x_x / (n * (n - 1)) + y_y / (m * (m - 1)) - 2 * x_y / (n * m)


def classifier_test(x: np.ndarray, y: np.ndarray, generator: np.random.Generator) -> Comparison:
    """The classifier two-sample test: held-out accuracy of telling x (n, *shape) from y.

    0.5 means that it cannot tell, 1 that it always can. A network with one hidden layer of 20 ReLU
    is trained for at most 100 epochs on one half of equally many of both, and judged on the other
    (Lopez-Paz and Oquab 2017, sections 3 and 4). The interval is Clopper and Pearson's (1934) at
    95%, the p-value that of as many hits by tossing a coin. Raises UserError for fewer than 20 of
    either, or without scikit-learn.
    """
    network = need("sklearn.neural_network", "scikit-learn").MLPClassifier
    stats = need("scipy.stats", "scipy")
    x, y = _comparable(x, y, minimum=20)
    n = min(len(x), len(y))
    pooled = np.concatenate([generator.permutation(x)[:n], generator.permutation(y)[:n]])
    labels = np.repeat([0, 1], n)
    half = np.arange(2 * n) % n < n // 2
    mean, spread = pooled[half].mean(axis=0), pooled[half].std(axis=0)
    pooled = (pooled - mean) / np.where(spread > 0, spread, 1)
    model = network((20,), max_iter=100, random_state=int(generator.integers(2**31)))
    # One thread: the products are small, and the sums do not depend on the number of cores.
    limits = need("threadpoolctl", "threadpoolctl").threadpool_limits(1, "blas")
    with limits, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is meant to stop after 100 epochs
        model.fit(pooled[half], labels[half])
    hits = int((model.predict(pooled[~half]) == labels[~half]).sum())
    total = int((~half).sum())
    low = stats.beta.ppf(0.025, hits, total - hits + 1) if hits else 0.0
    high = stats.beta.ppf(0.975, hits + 1, total - hits) if hits < total else 1.0
    p = stats.binom.sf(hits - 1, total, 0.5)
    return Comparison(hits / total, float(p), (float(low), float(high)))


def _comparable(x: np.ndarray, y: np.ndarray, minimum: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = as_rows(x, minimum), as_rows(y, minimum, "real examples")
    if x.shape[1] != y.shape[1]:
        raise UserError(f"samples have {x.shape[1]} features, the real examples {y.shape[1]}")
    return x, y


def need(module: str, package: str, install: str = "", repair: str = "") -> ModuleType:
    """An optional module. Raises UserError, naming the cure (by default the pip command), if it
    cannot be imported."""
    try:
        return importlib.import_module(module)
    except ImportError:
        cure = install or f"run `pip install {package}`"
        raise UserError(f"{package} is not installed; {cure}") from None
    except Exception as error:  # PyTorch's companions raise RuntimeError beside another PyTorch
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        cure = (
            repair or f"run `pip install --force-reinstall {package}` or see its installation page"
        )
        raise UserError(f"{package} is installed but broken ({why}); {cure}") from error


def copying(
    samples: np.ndarray,
    train: np.ndarray,
    held_out: np.ndarray | None,
    generator: np.random.Generator,
    limit: int = 1000,
) -> Comparison:
    """Whether samples (n, *shape) lie nearer to training examples than held-out examples do.

    The value is the chance that a sample's distance to its nearest training example is below that
    of a held-out example (ties count half): 0.5 if the samples are as new as held-out data, 1 if
    they are copies, 0 if they are all far from the data. This is the Mann-Whitney statistic of
    Meehan, Chaudhuri and Dasgupta 2020; its interval (95%) and two-sided p-value are normal, with
    the variance of DeLong et al. 1988. Without held-out examples each training example is held
    out in turn, against all others. At most `limit` of each are drawn.
    """
    others = train if held_out is None else held_out
    rows = subset(len(others), limit, generator)
    samples = samples[subset(len(samples), limit, generator)]
    samples, unseen = _comparable(samples, others[rows], minimum=2)
    _comparable(unseen, train[:2], minimum=2)
    near = nearest_distances(samples, train)
    exclude = rows if held_out is None else None
    far = nearest_distances(unseen, train, exclude=exclude)
    by_sample, by_held_out = _share_above(near, far), 1 - _share_above(far, near)
    value = float(by_sample.mean())
    error = math.sqrt(sum(part.var(ddof=1) / len(part) for part in (by_sample, by_held_out)))
    # Where one set of distances lies wholly below the other, there is no variance left to judge by.
    z = abs(value - 0.5) / max(error, 1e-12)
    interval = (max(value - 1.96 * error, 0.0), min(value + 1.96 * error, 1.0))
    return Comparison(value, math.erfc(z / math.sqrt(2)), interval)


def _share_above(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """For each value, the share of the others above it; equals count half."""
    others = np.sort(others)
    below, upto = (np.searchsorted(others, values, side) for side in ("left", "right"))
    return 1 - (below + upto) / (2 * len(others))


def subset(n: int, limit: int, generator: np.random.Generator) -> np.ndarray:
    """Which rows to take: all n in order, or `limit` of them, sorted, without replacement."""
    return np.arange(n) if n <= limit else np.sort(generator.choice(n, limit, replace=False))
