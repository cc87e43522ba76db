"""How far apart numbers are: of two backends' tensors, and how large gradients are."""

from __future__ import annotations

import math

import numpy as np

# A tensor that is all rounding (a bias before a batch normalisation has no gradient) is measured
# on this share of the largest number of its kind in its network instead of on itself.
FLOOR = 1e-2


def differences(
    found: dict[str, np.ndarray], expected: dict[str, np.ndarray], together: bool = False
) -> dict[str, float]:
    """The largest relative difference of each tensor. `together` takes all of them for one
    network's."""
    largest: dict[str, float] = {}
    for name, array in expected.items():
        net = "" if together else name.split(".")[0]
        largest[net] = max(largest.get(net, 0.0), _magnitude(array))
    out = {}
    for name, array in expected.items():
        worst = _magnitude(np.subtract(found[name], array, dtype=np.float64))
        scale = max(_magnitude(array), FLOOR * largest["" if together else name.split(".")[0]])
        out[name] = 0.0 if worst == 0 else worst / scale if scale else float("inf")
        if not np.isfinite(out[name]):
            out[name] = float("inf")
    return out


def relative_difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference of two arrays, each number relative to the expected one; infinity
    where one is not finite or differs from 0."""
    with np.errstate(all="ignore"):
        worst = np.abs(np.asarray(found, np.float64) / expected - 1)
    worst = np.where(np.equal(found, expected), 0, worst)
    return float(np.nan_to_num(worst, nan=np.inf).max(initial=0))


def gradient_norm(gradients: dict[str, np.ndarray], network: str) -> float:
    """The Euclidean norm of all gradients to one network."""
    own = [g for name, g in gradients.items() if name.startswith(f"{network}.")]
    return math.sqrt(sum(float((g.astype(np.float64) ** 2).sum()) for g in own))


def _magnitude(array: np.ndarray) -> float:
    return float(np.abs(array).max()) if array.size else 0.0
