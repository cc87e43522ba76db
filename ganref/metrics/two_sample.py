"""Whether two sets of examples come from one distribution, and whether samples are copies.

Samples are (n, *shape) arrays; every test flattens them to (n, d) float64. Each function names its
source. SciPy and scikit-learn are imported only where a test needs them.
"""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import numpy as np

from ..backend import need
from ..spec.errors import UserError
from .distances import as_rows, nearest_distances, squared_distances, subset


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
