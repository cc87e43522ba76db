"""Adam, by the spec's formula."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from ganref.spec.optimiser import Adam as AdamSpec

from .framework import Gradients, Tensor, wide
from .layers import Network, Variable


class Adam:
    """Adam on all trained numbers of a network (Kingma and Ba 2015, algorithm 1), and the
    exponential moving average of its weights where `ema` is not 0.

    Its coefficients are computed on the device: a compiled function holds what Python says still.
    `m`, `v` and `average` list a cell for each parameter, in the network's order."""

    # optax.adam computes them in float32, where 1 - beta2^t loses five of seven digits at first.

    def __init__(self, network: Network, adam: AdamSpec, ema: float = 0.0) -> None:
        self.network, self.spec, self.ema = network, adam, ema
        with wide(network.device):
            self.count = Variable(jnp.zeros((), jnp.int64))
            tensors = [variable.value for variable in network.trained.values()]
            self.m, self.v = ([Variable(jnp.zeros_like(t)) for t in tensors] for _ in "mv")
            self.average = [Variable(t.copy()) for t in tensors] if ema else []

    @property
    def steps(self) -> int:
        """How many updates were made."""
        return int(np.asarray(self.count))

    def step(self, grads: Gradients, batch_size: int) -> None:
        """One update with these gradients."""
        adam, self.count.value = self.spec, self.count.value + 1
        if adam.mean_gradients:
            grads = [grad / batch_size for grad in grads]
        numbers = adam.coefficients(self.count.value.astype(jnp.float64))
        parts = zip(self.network.trained.values(), grads, self.m, self.v, strict=True)
        for variable, grad, m, v in parts:
            rate, scale, eps = (jnp.asarray(number).astype(grad.dtype) for number in numbers)
            m.value = adam.beta1 * m.value + (1 - adam.beta1) * grad
            v.value = adam.beta2 * v.value + (1 - adam.beta2) * (grad * grad)
            variable.value = variable.value - rate * m.value / (jnp.sqrt(v.value) * scale + eps)
        if self.ema:
            for average, variable in zip(self.average, self.network.trained.values(), strict=True):
                moved = (1 - self.ema) * (variable.value - average.value)
                average.value = average.value + moved

    def set_steps(self, steps: int) -> None:
        """Go on as after that many updates."""
        with wide(self.network.device):
            self.count.value = jnp.asarray(steps, jnp.int64)

    def tensors(self) -> dict[str, Tensor]:
        """The moments `<param>.m` and `.v`, and averages `<param>.ema` where they are kept."""
        lists = {"m": self.m, "v": self.v} | ({"ema": self.average} if self.ema else {})
        named = {suffix: self.network.named(own) for suffix, own in lists.items()}
        return {f"{name}.{s}": tensor for s, own in named.items() for name, tensor in own.items()}
