"""The workers of a run, each a process of its own, and what they compute together."""

from __future__ import annotations

import numpy as np

from ganref.spec.errors import UserError

from .framework import Gradients


class Peers:
    """See `ganref.spec.engines.Peers` for the contract."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size, self.calls = rank, size, 0
        self.told, self.heard = np.zeros((2, 1 + size))

    def sum(self, grads: Gradients, weight: float) -> Gradients:
        """`weight` times the sums of all workers' gradients, the same bits for each of them; they
        go as one vector."""
        return weight * grads

    def total(self, array: np.ndarray) -> np.ndarray:
        """The sum of all workers' arrays, in float64."""
        return np.array(array, np.float64)

    def close(self) -> None:
        """Leave the others."""


def join(rank: int, size: int, address: str, seconds: float) -> Peers:
    """Meet the others at an address "host:port" within so many seconds; a sum may take longer.
    Raises UserError where they do not meet."""
    if size > 1:
        raise UserError("NumPy has no engine for more than one worker")
    return Peers(rank, size)
