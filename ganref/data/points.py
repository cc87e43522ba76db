"""Data that are drawn, not loaded: points in the plane whose distribution is known exactly."""

from __future__ import annotations

import numpy as np

from ..draws.rng import DATA, Stream
from ..spec.errors import UserError

# The toy of d2l.ai, "Generative Adversarial Networks": rows X·A + b, X ~ N(0, I).
A = np.array([[1.0, 2.0], [-0.1, 0.5]])
B = np.array([1.0, 2.0])

_ANGLES = 2 * np.pi * np.arange(8) / 8
_AXIS = 2.0 * np.arange(-2, 3)
# The mixtures and their widths are those of Srivastava et al. 2017 (VEEGAN), section 4.
_MIXTURES: dict[str, tuple[np.ndarray, float]] = {
    "ring": (2 * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1), 0.02),
    "grid": (np.stack(np.meshgrid(_AXIS, _AXIS), axis=-1).reshape(-1, 2), 0.05),
}
MIXTURE_SIZE = 10_000


def gaussian(seed: int, n: int = 1000) -> np.ndarray:
    """Points (n, 2) of the toy, float64: N(b, AᵀA)."""
    return Stream(seed, DATA).at(0).standard_normal((n, 2)) @ A + B


def modes(name: str) -> tuple[np.ndarray, float]:
    """The modes of "ring" or "grid": centres (m, 2) and the standard deviation of each.

    Raises UserError for data that are no mixture.
    """
    if name not in _MIXTURES:
        raise UserError(f"data {name!r} have no known modes; {', '.join(_MIXTURES)} have")
    centres, std = _MIXTURES[name]
    return centres.copy(), std


def mixture(name: str, seed: int, n: int = MIXTURE_SIZE) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 2), float64, of a mixture with equal weights, and the mode (n,) of each."""
    centres, std = modes(name)
    generator = Stream(seed, DATA).at(0)
    labels = generator.integers(len(centres), size=n)
    return centres[labels] + std * generator.standard_normal((n, 2)), labels
