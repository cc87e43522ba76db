"""Adam, by the spec's formula."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ganref.spec.optimiser import Adam as AdamSpec

from .framework import Gather, Gradients, wide
from .layers import Network, Variable


class Adam:
    """Adam on all trained numbers of a network (Kingma and Ba 2015, algorithm 1), and the
    exponential moving average of its weights where `ema` is not 0; each update ends in
    [-clip, clip] where `clip` is not 0. With `gather`, which makes
    gradients those of all workers, it is the update that they make together.

    Its coefficients are computed on the device: a compiled function holds what Python says still.
    `m`, `v` and `average` list a tensor for each parameter, in the network's order."""

    # optax.adam computes them in float32, where 1 - beta2^t loses five of seven digits at first.

    def __init__(
        self,
        network: Network,
        adam: AdamSpec,
        ema: float = 0.0,
        clip: float = 0.0,
        gather: Gather | None = None,
    ) -> None:
        self.network, self.spec, self.ema = network, adam, ema
        self.clip, self.gather = clip, gather
        params = list(network.trained.values())
        with wide(network.device):
            put = partial(jax.device_put, device=network.device)
            self.count = Variable(put(np.int64(0)))
            self.m, self.v = ([Variable(put(np.zeros_like(p))) for p in params] for _ in "mv")
        self.average = [p.copy() for p in params] if ema else []

    @property
    def steps(self) -> int:
        """How many updates were made."""
        return int(np.asarray(self.count))

    def step(self, grads: Gradients, batch_size: int) -> None:
        """One update with these gradients."""
        adam = self.spec
        if self.gather:
            grads = self.gather(grads)
        if adam.mean_gradients:
            grads = [grad / batch_size for grad in grads]
        cells = self.network.trained.values(), self.m, self.v, self.average
        state = self.count.value, *([cell.value for cell in own] for own in cells)
        self.count.value, *new = _updated(state, grads, adam, self.ema, self.clip)
        for own, tensors in zip(cells, new, strict=True):
            for cell, tensor in zip(own, tensors, strict=True):
                cell.value = tensor

    def set_steps(self, steps: int) -> None:
        """Go on as after that many updates."""
        with wide(self.network.device):
            self.count.value = jax.device_put(np.int64(steps), self.network.device)

    def tensors(self) -> dict[str, Any]:
        """The moments `<param>.m` and `.v`, and averages `<param>.ema` where they are kept."""
        lists = {"m": self.m, "v": self.v} | ({"ema": self.average} if self.ema else {})
        named = {suffix: self.network.named(own) for suffix, own in lists.items()}
        return {f"{name}.{s}": tensor for s, own in named.items() for name, tensor in own.items()}


@partial(jax.jit, donate_argnames="state", static_argnames=("adam", "ema", "clip"))
def _updated(state: Any, grads: Gradients, adam: AdamSpec, ema: float, clip: float) -> Any:
    """The state (count, weights, m, v, averages) after one update."""
    count, weights, ms, vs, averages = state
    count = count + 1
    numbers = adam.coefficients(count.astype(jnp.float64))
    ms = [adam.beta1 * m + (1 - adam.beta1) * grad for m, grad in zip(ms, grads, strict=True)]
    vs = [adam.beta2 * v + (1 - adam.beta2) * (g * g) for v, g in zip(vs, grads, strict=True)]
    moved = []
    for w, m, v in zip(weights, ms, vs, strict=True):
        rate, scale, eps = (jnp.asarray(number).astype(w.dtype) for number in numbers)
        w = w - rate * m / (jnp.sqrt(v) * scale + eps)
        moved.append(w.clip(-clip, clip) if clip else w)
    averages = [a + (1 - ema) * (w - a) for a, w in zip(averages, moved, strict=bool(ema))]
    return count, moved, ms, vs, averages
