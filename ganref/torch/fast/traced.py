"""What is traced for the compiler: a step's networks, and Adam as operations on one state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganref.spec.optimiser import Adam as AdamSpec
from ganref.spec.schema import MIX, Recipe

from ..layers import Network

# Matrix products up to this many multiply-accumulates become loops in the compiled function.
SMALL_PRODUCT = 2048


class Update:
    """Adam on a state (3 or 4, n) of weights, m, v and averages, as operations to be traced: it
    takes the place of `optim.Adam` in `steps.step`."""

    def __init__(
        self, network: Network, adam: AdamSpec, ema: float = 0.0, clip: float = 0.0
    ) -> None:
        self.network, self.spec, self.ema, self.clip = network, adam, ema, clip
        self.slots = [(module, name) for module in network.modules() for name in module._parameters]
        self.like = list(network.trained.values())

    def start(self, state: Tensor, coefficients: Sequence[Tensor]) -> None:
        """Go on from a state; `coefficients` has a row for each update to come."""
        self.rows, self.coefficients = list(state.unbind()), list(coefficients)
        self._put()

    @torch.no_grad()
    def step(self, grads: Sequence[Tensor], batch_size: int) -> None:
        """One update with these gradients."""
        adam, (w, m, v, *average) = self.spec, self.rows
        rate, scale, eps = self.coefficients.pop(0).unbind()
        g = joined(grads) / batch_size if adam.mean_gradients else joined(grads)
        m = adam.beta1 * m + (1 - adam.beta1) * g
        v = adam.beta2 * v + (1 - adam.beta2) * (g * g)
        w = w - rate * m / (v.sqrt() * scale + eps)
        w = w.clamp(-self.clip, self.clip) if self.clip else w
        self.rows = [w, m, v, *(a + (1 - self.ema) * (w - a) for a in average)]
        self._put()

    def _put(self) -> None:
        parts = [part.detach().requires_grad_() for part in cut(self.rows[0], self.like)]
        self.network.trained = dict(zip(self.network.trained, parts, strict=True))
        for (module, name), part in zip(self.slots, parts, strict=True):
            module._parameters[name] = part  # type: ignore[assignment]


def networks(recipe: Recipe, dtype: torch.dtype) -> list[tuple[Network, Any]]:
    """D and G with what will stand in for their trainers; the weights are put in while tracing."""
    pairs = []
    for network, adam, ema, clip in (
        (recipe.discriminator, recipe.adam_D, 0.0, recipe.loss.clip),
        (recipe.generator, recipe.adam_G, recipe.ema, 0.0),
    ):
        zeros = {p.name: np.zeros(p.shape) for p in network.params}
        net = Network(network, zeros, dtype, "cpu")
        pairs.append((net, Update(net, adam, ema, clip)))
    return pairs


def joined(tensors: Iterable[Tensor]) -> Tensor:
    """Tensors as one vector; the inverse of `cut`."""
    return torch.cat([t.detach().reshape(-1) for t in tensors])


def cut(vector: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """A vector as tensors of the shapes of those that it is `like`."""
    parts = vector.split([t.numel() for t in like])
    return [part.view(t.shape) for part, t in zip(parts, like, strict=True)]


def example_inputs(recipe: Recipe, dtype: torch.dtype, batch_size: int) -> list[Tensor]:
    """Tensors like those that the compiled step will take."""
    n_G, n_D = (network.num_parameters for network in recipe.networks)
    shapes: list[tuple[int, ...]] = [
        (3, n_D),
        (4 if recipe.ema else 3, n_G),
        (recipe.D_updates + recipe.G_updates, 3),
    ]
    examples = recipe.D_updates * batch_size
    shapes += [(examples, *recipe.data_shape), (examples, *recipe.latent_shape)]
    if recipe.fresh_Z:
        shapes.append((recipe.G_updates, batch_size, *recipe.latent_shape))
    drawn = recipe.masks(batch_size).items()
    masks = [torch.ones(s, dtype=dtype if name == MIX else torch.bool) for name, s in drawn]
    return [*(torch.zeros(shape, dtype=dtype) for shape in shapes), *masks]


def products_as_loops() -> dict[Any, Callable]:
    """How operations come apart: as the compiler likes them, and small matrix products as sums of
    products, which it can merge with their neighbours where a call to BLAS could not be."""
    from torch._inductor.decomposition import select_decomp_table

    def mm(a: Tensor, b: Tensor) -> Tensor:
        if a.numel() * b.shape[1] > SMALL_PRODUCT:
            return NotImplemented
        return (a[:, :, None] * b).sum(1)

    def addmm(c: Tensor, a: Tensor, b: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
        return c + torch.mm(a, b) if beta == alpha == 1 else NotImplemented

    aten = torch.ops.aten
    return {**select_decomp_table(), aten.mm.default: mm, aten.addmm.default: addmm}
