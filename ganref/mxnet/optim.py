"""Adam, by the spec's formula."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy

from ganref.spec.optimiser import Adam as AdamSpec

from .framework import gluon, mx, np
from .layers import Network


class Formula(mx.optimizer.Optimizer):
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
    exponential moving average of its weights where `ema` is not 0.

    `m`, `v` and `average` list a tensor for each parameter, in the network's order."""

    def __init__(self, network: Network, adam: AdamSpec, ema: float = 0.0) -> None:
        self.params = [p.data() for p in network.trained.values()]
        self.m = [np.zeros_like(p) for p in self.params]
        self.v = [np.zeros_like(p) for p in self.params]
        self.average = [p.copy() for p in self.params] if ema else []
        self.network, self.spec, self.ema, self.steps = network, adam, ema, 0
        formula = Formula(adam, list(zip(self.m, self.v, strict=True)))
        super().__init__(list(network.trained.values()), formula, kvstore=None)

    # The base class takes the batch size alone: gradients lie where `backward` has left them.
    def step(self, grad: Sequence[Any], batch_size: int) -> None:
        """One update with these gradients, which are those of the parameters themselves."""
        self.steps += 1
        self.optimizer.coefficients = self.spec.coefficients(self.steps)
        super().step(batch_size if self.spec.mean_gradients else 1)
        for p, average in zip(self.params, self.average, strict=False):
            average += (1 - self.ema) * (p - average)

    def named(self, arrays: Sequence[Any]) -> dict[str, Any]:
        """`m`, `v` or `average` under the names of the parameters they belong to."""
        return dict(zip(self.network.trained, arrays, strict=True))
