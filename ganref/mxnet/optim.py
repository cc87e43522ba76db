"""Adam, by the spec's formula."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy

from ganref.spec.optimiser import Adam as AdamSpec

from .framework import Gather, Gradients, Tensor, gluon, mx, np
from .layers import Network


class _Formula(mx.optimizer.Optimizer):
    """The update of one tensor: p <- p - rate * m / (sqrt(v) * scale + eps), in place.

    A trainer hands its optimiser arrays of MXNet's old semantics, which share the memory."""

    def __init__(self, adam: AdamSpec, moments: Sequence[Any]) -> None:
        super().__init__(learning_rate=adam.lr, wd=0.0)
        self.spec, self.moments = adam, moments
        self.coefficients = (0.0, 0.0, 0.0)
        # The library's kernel takes 1 - beta2 from beta2 as float32, which is off by 1e-5 (and is
        # 0 for a beta2 above 1 - 3e-8). Scaled gradients make up for it.
        theirs = float(1 - numpy.float32(adam.beta2))
        self.correction = math.sqrt((1 - adam.beta2) / theirs) if theirs else 0.0

    def create_state(self, index: int, weight: Any) -> Any:
        """The tensor's moments, which the trainer has made."""
        return [moment.as_nd_ndarray() for moment in self.moments[index]]

    def update(self, index: int, weight: Any, grad: Any, state: Any) -> None:
        """One update, by fused kernels where their numbers, all float32, are precise enough."""
        (m, v), adam = state, self.spec
        rate, scale, eps = self.coefficients
        if weight.dtype == numpy.float32 and self.correction:
            # m <- m - 1 * (-(1 - beta1) * grad + (1 - beta1) * m)
            own = {"rescale_grad": (adam.beta1 - 1) * self.rescale_grad, "wd": 1 - adam.beta1}
            mx.nd.sgd_update(m, grad, out=m, lr=1.0, **own)
            # With a beta1 of 1 it leaves m as it is.
            own = {"rescale_grad": self.rescale_grad * self.correction, "beta1": 1.0, "wd": 0.0}
            own |= {"lr": rate / scale, "beta2": adam.beta2, "epsilon": eps / scale}
            mx.nd.adam_update(weight, grad, m, v, out=weight, **own)
            return
        if self.rescale_grad != 1:
            grad = grad * self.rescale_grad
        m *= adam.beta1
        m += (1 - adam.beta1) * grad
        v *= adam.beta2
        v += (1 - adam.beta2) * mx.nd.square(grad)
        weight -= rate * m / (mx.nd.sqrt(v) * scale + eps)


class Adam(gluon.Trainer):
    """Adam on all trained numbers of a network (Kingma and Ba 2015, algorithm 1), and the
    exponential moving average of its weights where `ema` is not 0; each update ends in
    [-clip, clip] where `clip` is not 0. With `gather`, which makes
    gradients those of all workers, it is the update that they make together.

    `m`, `v` and `average` list a tensor for each parameter, in the network's order."""

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
        params = list(network.trained.values())
        self.m = [np.zeros_like(p) for p in params]
        self.v = [np.zeros_like(p) for p in params]
        self.average = [p.copy() for p in params] if ema else []
        formula = _Formula(adam, list(zip(self.m, self.v, strict=True)))
        super().__init__(network.parameters, formula, kvstore=None)

    # The base class takes the batch size alone: gradients lie where `backward` has left them.
    def step(self, grads: Gradients, batch_size: int) -> None:
        """One update with these gradients."""
        adam, self.steps = self.spec, self.steps + 1
        if self.gather:
            own = [p.grad for p in self.network.trained.values()]
            for grad, whole in zip(own, self.gather(own), strict=True):
                grad[...] = whole
        self.optimizer.coefficients = adam.coefficients(self.steps)
        super().step(batch_size if adam.mean_gradients else 1)
        if self.clip:  # MXNet's own `clip` holds its bounds as float32
            for tensor in self.network.trained.values():
                tensor[...] = np.minimum(np.maximum(tensor, -self.clip), self.clip)
        if self.ema:
            for average, tensor in zip(self.average, self.network.trained.values(), strict=True):
                average += (1 - self.ema) * (tensor - average)

    def set_steps(self, steps: int) -> None:
        """Go on as after that many updates."""
        self.steps = steps

    def tensors(self) -> dict[str, Tensor]:
        """The moments `<param>.m` and `.v`, and averages `<param>.ema` where they are kept."""
        lists = {"m": self.m, "v": self.v} | ({"ema": self.average} if self.ema else {})
        named = {suffix: self.network.named(own) for suffix, own in lists.items()}
        return {f"{name}.{s}": tensor for s, own in named.items() for name, tensor in own.items()}
