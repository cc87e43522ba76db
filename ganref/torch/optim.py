"""Adam, by the spec's formula."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.adam import adam as functional_adam

from ganref.spec.optimiser import Adam as AdamSpec

from .framework import Gather, Gradients, Tensor
from .layers import Network


class Adam(torch.optim.Adam):
    """Adam on all trained numbers of a network (Kingma and Ba 2015, algorithm 1), and the
    exponential moving average of its weights where `ema` is not 0; each update ends in
    [-clip, clip] where `clip` is not 0. With `gather`, which makes
    gradients those of all workers, it is the update that they make together.

    `m`, `v` and `average` list a tensor for each parameter, in the network's order."""

    # PyTorch's own formula is the spec's "corrected" form.

    def __init__(
        self,
        network: Network,
        adam: AdamSpec,
        ema: float = 0.0,
        clip: float = 0.0,
        gather: Gather | None = None,
    ) -> None:
        params = list(network.trained.values())
        betas = adam.beta1, adam.beta2
        super().__init__(params, adam.lr, betas, adam.eps, weight_decay=0.0, fused=True)
        self.network, self.spec, self.ema, self.steps = network, adam, ema, 0
        self.clip, self.gather = clip, gather
        self.m = [torch.zeros_like(p) for p in params]
        self.v = [torch.zeros_like(p) for p in params]
        self.counts = [torch.zeros((), device=p.device) for p in params]
        self.average = [p.detach().clone() for p in params] if ema else []
        for p, m, v, count in zip(params, self.m, self.v, self.counts, strict=True):
            self.state[p] = {"step": count, "exp_avg": m, "exp_avg_sq": v}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """As in the base class, whose decorator would import PyTorch's compiler: a second."""
        plain = torch.optim.Optimizer.add_param_group.__wrapped__  # type: ignore[attr-defined]
        plain(self, param_group)

    # The base class would take a closure: a GAN's loss is not evaluated twice.
    @torch.no_grad()
    def step(self, grads: Gradients, batch_size: int) -> None:  # type: ignore[override]
        """One update with these gradients."""
        adam, self.steps = self.spec, self.steps + 1
        if self.gather:
            grads = self.gather(grads)
        if adam.mean_gradients:
            grads = [grad / batch_size for grad in grads]
        # The fused kernel reads memory in order: a gradient has to lie as its parameter does.
        params = list(self.network.trained.values())
        lying = zip(grads, params, strict=True)
        grads = [g if g.stride() == p.stride() else torch.empty_like(p).copy_(g) for g, p in lying]
        # The functional form of the base class's step, which does the same with twice the overhead.
        functional_adam(
            params,
            grads,
            self.m,
            self.v,
            [],
            self.counts,
            fused=True,
            amsgrad=False,
            beta1=adam.beta1,
            beta2=adam.beta2,
            lr=adam.lr,
            weight_decay=0.0,
            # The plain form is PyTorch's with an eps that changes with every update.
            eps=adam.coefficients(self.steps)[2],
            maximize=False,
        )
        if self.clip:
            torch._foreach_clamp_min_(params, -self.clip)
            torch._foreach_clamp_max_(params, self.clip)
        if self.ema:
            torch._foreach_lerp_(self.average, params, 1 - self.ema)

    def set_steps(self, steps: int) -> None:
        """Go on as after that many updates."""
        self.steps = steps
        for count in self.counts:
            count.fill_(steps)

    def tensors(self) -> dict[str, Tensor]:
        """The moments `<param>.m` and `.v`, and averages `<param>.ema` where they are kept."""
        lists = {"m": self.m, "v": self.v} | ({"ema": self.average} if self.ema else {})
        named = {suffix: self.network.named(own) for suffix, own in lists.items()}
        return {f"{name}.{s}": tensor for s, own in named.items() for name, tensor in own.items()}
