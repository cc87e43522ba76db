"""Adam, by the spec's formula."""

from __future__ import annotations

import numpy as np

from ganref.spec.optimiser import Adam as AdamSpec

from .layers import Network


class Adam:
    """Adam on all trained numbers of a network (Kingma and Ba 2015, algorithm 1), and the
    exponential moving average of its weights where `ema` is not 0."""

    def __init__(self, network: Network, adam: AdamSpec, ema: float = 0.0) -> None:
        self.network, self.spec, self.ema = network, adam, ema
        self.m = np.zeros_like(network.flat)
        self.v = np.zeros_like(network.flat)
        self.average = network.flat.copy()
        self.steps = 0

    def step(self, grad: np.ndarray, batch_size: int) -> None:
        """One update with this gradient."""
        adam, self.steps = self.spec, self.steps + 1
        if adam.mean_gradients:
            grad = grad / batch_size
        self.m *= adam.beta1
        self.m += (1 - adam.beta1) * grad
        self.v *= adam.beta2
        self.v += (1 - adam.beta2) * (grad * grad)
        rate, scale, eps = adam.coefficients(self.steps)
        self.network.flat -= rate * self.m / (np.sqrt(self.v) * scale + eps)
        if self.ema:
            self.average += (1 - self.ema) * (self.network.flat - self.average)
