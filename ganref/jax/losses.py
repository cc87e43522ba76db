"""The losses on this framework's tensors; `ganref.spec.losses` has the formulas and sources."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from ganref.spec.formulas import Terms, pairs
from ganref.spec.groups import group_size
from ganref.spec.loss import Loss, Penalty
from ganref.spec.losses import (
    BinaryCrossEntropy,
    Hinge,
    LeastSquares,
    Margin,
    Wasserstein,
    WassersteinGP,
)
from ganref.spec.schema import Recipe
from ganref.spec.steps import in_one_pass, of_pass, points

from .framework import Gradients, Masks, Tensor, detach
from .layers import Chain


def softplus(o: Tensor) -> Tensor:
    """log(1 + exp(o)), finite and accurate for every finite o."""
    return jax.nn.softplus(o)


def bce(o: Tensor, label: float) -> Tensor:
    """-label log D - (1 - label) log(1 - D) on logits (d2l.ai, "Generative Adversarial Networks",
    first equation).

    The two softplus terms are kept apart: softplus(o) - label * o would cancel for large o."""
    if label == 1:
        return softplus(-o)
    return softplus(o) if label == 0 else label * softplus(-o) + (1 - label) * softplus(o)


def pulling_away(codes: Tensor, groups: int = 1) -> Tensor:
    """PT: the mean squared cosine between the codes (B, n) of different examples
    (Zhao et al. 2016, section 2.4); the mean over `groups` where the batch is cut. Raises UserError
    for a batch of one."""
    if groups > 1:
        group_size(len(codes), groups)
        return jnp.mean(jnp.stack([pulling_away(part) for part in jnp.split(codes, groups)]))
    unit = codes / jnp.linalg.norm(codes, axis=1, keepdims=True)
    cosines = unit @ unit.T
    squares = cosines * cosines
    return (squares.sum() - squares.diagonal().sum()) / pairs(len(codes))


def excess(g: Tensor, norm: float) -> Tensor:
    """What the penalty R[(|g| - norm)²] sums, of gradients g (B, *data): (|g| - norm)² (B,), or the
    squares themselves where norm is 0."""
    squares = g * g
    if not norm:
        return squares
    squares = squares.reshape(len(g), -1).sum(1)
    none = squares == 0  # where the root has no derivative, and |g| is given 0
    return (jnp.sqrt(squares + none) * ~none - norm) ** 2


CRITIC = Terms(
    D=lambda loss, real, fake: fake - real,
    G=lambda loss, fake: -fake,
)
LOSSES: dict[type[Loss], Terms] = {
    BinaryCrossEntropy: Terms(
        D=lambda loss, real, fake: bce(real, loss.real_label) + bce(fake, 0),
        G=lambda loss, fake: -bce(fake, 0) if loss.minimax else bce(fake, 1),
        score=jax.nn.sigmoid,
    ),
    Margin: Terms(
        # Unlike that of jnp.maximum, relu's derivative at the margin itself is 0.
        D=lambda loss, real, fake: real + jax.nn.relu(loss.margin - fake),
        G=lambda loss, fake: fake,
    ),
    LeastSquares: Terms(
        D=lambda loss, real, fake: 0.5 * (real - 1) ** 2 + 0.5 * fake**2,
        G=lambda loss, fake: 0.5 * (fake - 1) ** 2,
    ),
    Hinge: Terms(
        D=lambda loss, real, fake: jax.nn.relu(1 - real) + jax.nn.relu(1 + fake),
        G=lambda loss, fake: -fake,
    ),
    Wasserstein: CRITIC,
    WassersteinGP: CRITIC,
}


def loss_D(loss: Loss, real: Tensor, fake: Tensor) -> Tensor:
    """L_D of the outputs (B,) on real and fake examples, without its penalties."""
    return loss.scale_D * _reduce(loss, LOSSES[type(loss)].D(loss, real, fake))


def loss_G(loss: Any, fake: Tensor, codes: Tensor | None = None, groups: int = 1) -> Tensor:
    """L_G of D's outputs (B,) on generated examples, and of their codes (B, n) if it repels within
    each of the groups."""
    value = _reduce(loss, LOSSES[type(loss)].G(loss, fake))
    if codes is not None and loss.needs_codes:
        value = value + loss.repelling * pulling_away(codes, groups)
    return value


def mean_score(loss: Loss, outputs: Tensor) -> Tensor:
    """The mean over the batch of what people read off D, without a gradient: a probability for
    logits, the output itself for others."""
    return LOSSES[type(loss)].score(detach(outputs)).mean()


def _reduce(loss: Loss, terms: Tensor) -> Tensor:
    return terms.sum() if loss.reduction == "sum" else terms.mean()


# Functions of all that they see: equal networks and recipes are compiled once for all.
@partial(jax.jit, static_argnames=("net_D", "recipe", "update_stats"))
def gradients_D(
    numbers: Any,
    X: Tensor,
    fake_X: Tensor,
    masks: Masks,
    net_D: Chain,
    recipe: Recipe,
    update_stats: bool,
) -> tuple[Any, Gradients]:
    """((loss_D, (real_Y, fake_Y, new stats)), gradients) for D's `numbers`, (trained, stats)."""
    at = points(recipe, X, fake_X, masks)

    def loss(trained: Gradients, stats: list[Tensor]) -> tuple[Tensor, Any]:
        outputs: dict[str, Tensor] = {}
        tapes: dict[str, Any] = {}

        def forward(name: str, x: Tensor, i: int, stats: Any, update_stats: bool) -> Any:
            own = of_pass(masks, i)

            def run(x: Tensor) -> Any:
                return net_D.apply(trained, stats, x, update_stats=update_stats, masks=own)

            if name in at:
                outputs[name], tapes[name], (_, new) = jax.vjp(run, x, has_aux=True)
            else:
                outputs[name], (_, new) = run(x)
            return new

        if in_one_pass(recipe):
            both = {name: mask[:2].reshape(-1, *mask.shape[2:]) for name, mask in masks.items()}
            rows = jnp.concatenate([X, fake_X])
            Y, (_, stats) = net_D.apply(trained, stats, rows, masks=both)
            outputs["real"], outputs["fake"] = jnp.split(Y, 2)
        else:
            passes = [("real", X, 0), ("fake", fake_X, 1)]
            # Only the running statistics can tell which came first.
            for name, x, i in passes[::-1] if recipe.norm.fake_first else passes:
                stats = forward(name, x, i, stats, update_stats)
        real_Y, fake_Y = outputs["real"], outputs["fake"]
        value = loss_D(recipe.loss, real_Y, fake_Y)
        # Power iterations have moved in both passes: penalties are of D as it is after them.
        known = set() if net_D.spec.spectral else {"real", "fake"}
        for penalty in recipe.loss.penalties:
            if penalty.at not in known:
                forward(penalty.at, at[penalty.at], penalty.drawn, stats, False)
            value = value + _penalty(real_Y, tapes[penalty.at], penalty, recipe)
        return value, (real_Y, fake_Y, stats)

    return jax.value_and_grad(loss, has_aux=True)(*numbers)


@partial(jax.jit, static_argnames=("net_D", "recipe"))
def gradients_G(
    numbers: Any,
    fake_X: Tensor,
    tape_G: Any,
    masks: Masks,
    net_D: Chain,
    recipe: Recipe,
) -> tuple[Any, Gradients]:
    """((loss_G, (fake_Y, new stats)), gradients to G's weights) for D's `numbers`."""
    trained, stats = numbers

    def loss(x: Tensor) -> tuple[Tensor, Any]:
        fake_Y, (codes, new) = net_D.apply(trained, stats, x, masks=masks)
        return loss_G(recipe.loss, fake_Y, codes, recipe.norm.groups), (fake_Y, new)

    # A derivative to the samples alone: nothing here needs those to D's weights.
    value, d_fake_X = jax.value_and_grad(loss, has_aux=True)(fake_X)
    return value, *tape_G(d_fake_X)


def _penalty(y: Tensor, tape_X: Any, penalty: Penalty, recipe: Recipe) -> Tensor:
    """A penalty, weight * R[(|g| - norm)²] with g the gradient of the summed outputs to x; it has a
    gradient to D's weights in its turn."""
    (g,) = tape_X(jnp.ones_like(y))
    factor = penalty.weight * recipe.loss.weight(len(y))
    return factor * excess(g, penalty.norm).sum()
