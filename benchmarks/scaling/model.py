"""What a step of W workers takes, by the model of the ring: a vector of S bytes goes round twice,
in 2 (W - 1) turns, of which each sends S / W bytes from every worker to the next.

    t(S, W) = 2 (W - 1) a + 2 (W - 1) / W S / b          a seconds a turn, b bytes a second
    step    = what a worker computes on its rows + Σ t(S, W) over the sums of a step

Nothing is computed while a sum is under way, as in ganref's workers. "Bandwidth optimal all-reduce
algorithms for clusters of workstations", equation for the ring.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Link:
    """The way from each worker to the next."""

    latency_s: float
    bytes_per_s: float

    def sum_s(self, size: int, workers: int) -> float:
        """Seconds of the sum of vectors of so many bytes."""
        turns = 2 * (workers - 1)
        return turns * self.latency_s + turns / workers * size / self.bytes_per_s

    def step_s(self, compute_s: float, sizes: list[int], workers: int) -> float:
        """Seconds of a step that sums vectors of these bytes."""
        return compute_s + sum(self.sum_s(size, workers) for size in sizes)


def fitted(points: list[tuple[int, int, float]]) -> Link:
    """The link that explains sums of (bytes, workers, seconds) best, relatively."""
    from scipy.optimize import nnls

    turns = np.array([2.0 * (workers - 1) for _, workers, _ in points])
    share = np.array([size / workers for size, workers, _ in points])
    took = np.array([seconds for *_, seconds in points])
    rows = np.stack([turns, turns * share], 1) / took[:, None]
    (latency, per_byte), _ = nnls(rows, np.ones(len(points)))
    return Link(float(latency), float(1 / per_byte) if per_byte else float("inf"))
