"""Adam, by the spec's formula."""

from __future__ import annotations

import numpy as np

from ganref.spec.optimiser import Adam as AdamSpec

from .framework import Gather, Gradients, Tensor
from .layers import Network


class Adam:
    """Adam on all trained numbers of a network (Kingma and Ba 2015, algorithm 1), and the
    exponential moving average of its weights where `ema` is not 0; each update ends in
    [-clip, clip] where `clip` is not 0. With `gather`, which makes
    gradients those of all workers, it is the update that they make together."""

    def __init__(
        self,
        network: Network,
        adam: AdamSpec,
        ema: float = 0.0,
        clip: float = 0.0,
        gather: Gather | None = None,
    ) -> None:
        self.network, self.spec, self.ema, self.steps = network, adam, ema, 0
        self.clip, self.gather = clip, gather
        self.m = np.zeros_like(network.flat)
        self.v = np.zeros_like(network.flat)
        self.average = network.flat.copy()

    def step(self, grads: Gradients, batch_size: int) -> None:
        """One update with these gradients."""
        adam, self.steps = self.spec, self.steps + 1
        if self.gather:
            grads = self.gather(grads)
        if adam.mean_gradients:
            grads = grads / batch_size
        self.m *= adam.beta1
        self.m += (1 - adam.beta1) * grads
        self.v *= adam.beta2
        self.v += (1 - adam.beta2) * (grads * grads)
        rate, scale, eps = adam.coefficients(self.steps)
        self.network.flat -= rate * self.m / (np.sqrt(self.v) * scale + eps)
        if self.clip:
            np.clip(self.network.flat, -self.clip, self.clip, out=self.network.flat)
        if self.ema:
            self.average += (1 - self.ema) * (self.network.flat - self.average)

    def set_steps(self, steps: int) -> None:
        """Go on as after that many updates."""
        self.steps = steps

    def tensors(self) -> dict[str, Tensor]:
        """The moments `<param>.m` and `.v`, and averages `<param>.ema` where they are kept."""
        lists = {"m": self.m, "v": self.v} | ({"ema": self.average} if self.ema else {})
        named = {suffix: self.network.named(own) for suffix, own in lists.items()}
        return {f"{name}.{s}": tensor for s, own in named.items() for name, tensor in own.items()}
