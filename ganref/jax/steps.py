"""The updates of D and G in the terms of d2l.ai's "Generative Adversarial Networks", and the step
that makes both.

Each returns the loss and the mean scores of D that the NYU Deep Learning course (week 9) logs.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from ganref.spec.schema import Recipe
from ganref.spec.steps import of_pass

from . import losses
from .framework import Gradients, Masks, Tensor, detach, stack
from .layers import Network
from .optim import Adam


def gradient_D(
    X: Tensor,
    fake_X: Tensor,
    net_D: Network,
    recipe: Recipe,
    masks: Masks,
    update_stats: bool = True,
) -> tuple[Any, Any, Any, Gradients]:
    """(loss_D, D_x, D_G_z, gradients to D's weights) on real and fake examples (B, *data)."""

    fake_X = detach(fake_X)  # the gradient ends at D's input

    def loss(trained: Gradients, stats: list[Tensor]) -> tuple[Tensor, Any]:
        def forward(x: Tensor, i: int, stats: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
            how: Any = {"update_stats": update_stats, "masks": of_pass(masks, i)}
            output, (_, stats) = net_D.apply(trained, stats, x, **how)
            return output, stats

        # Only the running statistics can tell which came first.
        if recipe.norm.fake_first:
            fake_Y, stats = forward(fake_X, 1, stats)
        real_Y, tape_X, stats = jax.vjp(lambda x: forward(x, 0, stats), X, has_aux=True)
        if not recipe.norm.fake_first:
            fake_Y, stats = forward(fake_X, 1, stats)
        value = losses.loss_D(recipe.loss, real_Y, fake_Y)
        if recipe.loss.r1:
            value = value + _gradient_penalty(real_Y, tape_X, recipe)
        return value, (real_Y, fake_Y, stats)

    (loss_D, kept), grads = jax.value_and_grad(loss, has_aux=True)(*net_D.tensors())
    real_Y, fake_Y, stats = kept
    net_D.put(stats)
    D_x, D_G_z = (losses.mean_score(recipe.loss, Y) for Y in (real_Y, fake_Y))
    return detach(loss_D), D_x, D_G_z, grads


def gradient_G(
    fake_X: Tensor,
    tape_G: Any,
    net_D: Network,
    net_G: Network,
    recipe: Recipe,
    masks: Masks,
    update_stats: bool = True,
) -> tuple[Any, Any, Gradients]:
    """(loss_G, D_G_z, gradients to G's weights) for samples and the tape that led to them."""
    trained, stats = net_D.tensors()

    def loss(x: Tensor) -> tuple[Tensor, Any]:
        fake_Y, (codes, new) = net_D.apply(trained, stats, x, True, update_stats, masks)
        return losses.loss_G(recipe.loss, fake_Y, codes), (fake_Y, new)

    # A derivative to the samples alone: nothing here needs those to D's weights.
    (loss_G, (fake_Y, new)), d_fake_X = jax.value_and_grad(loss, has_aux=True)(fake_X)
    net_D.put(new)
    (grads,) = tape_G(d_fake_X)
    return detach(loss_G), losses.mean_score(recipe.loss, fake_Y), grads


def update_D(
    X: Tensor,
    Z: Tensor,
    net_D: Network,
    net_G: Network,
    recipe: Recipe,
    trainer_D: Adam,
    masks: Masks,
    fake_X: Tensor | None = None,
) -> tuple[Any, Any, Any]:
    """Update the discriminator: (loss_D, D_x, D_G_z). `fake_X` spares G's forward pass."""
    if fake_X is None:
        fake_X = net_G.run(Z, update_stats=recipe.norm.G_in_update_D)
    loss_D, D_x, D_G_z, grads = gradient_D(X, fake_X, net_D, recipe, masks)
    trainer_D.step(grads, X.shape[0])
    return loss_D, D_x, D_G_z


def update_G(
    Z: Tensor,
    net_D: Network,
    net_G: Network,
    recipe: Recipe,
    trainer_G: Adam,
    masks: Masks,
    samples: tuple[Tensor, Any] | None = None,
) -> tuple[Any, Any]:
    """Update the generator: (loss_G, D_G_z). `samples` (and their tape) spare a forward pass."""
    fake_X, tape_G = samples or net_G.record(Z)
    # D is run again on the same samples, since update_D has changed it.
    loss_G, D_G_z, grads = gradient_G(fake_X, tape_G, net_D, net_G, recipe, masks)
    trainer_G.step(grads, Z.shape[0])
    return loss_G, D_G_z


def step(
    X: Tensor,
    Z: Tensor,
    Z_G: Tensor | None,
    masks: Masks,
    net_D: Network,
    net_G: Network,
    recipe: Recipe,
    trainer_D: Adam,
    trainer_G: Adam,
) -> tuple[Any, Any, Any, Any, Any]:
    """One step: a row of `Trace`, with the last update of G where there are more.

    G's forward pass is shared where D and G see the same Z: its weights have not changed."""
    samples = None
    if not recipe.fresh_Z and not recipe.norm.G_in_update_D:
        samples = net_G.record(Z)
    fake_X = samples[0] if samples else None
    loss_D, D_x, D_G_z = update_D(X, Z, net_D, net_G, recipe, trainer_D, masks, fake_X)
    for i in range(recipe.G_updates):
        latent = Z if Z_G is None else Z_G[i]
        own = of_pass(masks, 2 + i)
        loss_G, D_G_z_after = update_G(latent, net_D, net_G, recipe, trainer_G, own, samples)
        samples = None  # G has moved
    return loss_D, loss_G, D_x, D_G_z, D_G_z_after


class PlainSteps:
    """k steps, one by one, with `why` there is nothing faster; "" if this is the fastest way."""

    def __init__(self, step: Any, why: str = "") -> None:
        self.step, self.why = step, why

    def __call__(self, X: Tensor, Z: Tensor, Z_G: Tensor | None, masks: Masks) -> Tensor:
        """k steps on X (k, B, *data) and so on: their rows (k, 5), as `Trace` has them."""
        rows = []
        for i in range(X.shape[0]):
            latents = None if Z_G is None else Z_G[i]
            rows.append(self.step(X[i], Z[i], latents, of_pass(masks, i)))
        return stack(rows, X)


def _gradient_penalty(real_Y: Tensor, tape_X: Any, recipe: Recipe) -> Tensor:
    """R1, r1 / 2 * R[|g|²] with g the gradient of the summed outputs to X; it has a gradient to
    D's weights in its turn."""
    (g,) = tape_X(jnp.ones_like(real_Y))
    factor = recipe.loss.r1 * recipe.loss.weight(len(real_Y))
    return factor / 2 * (g * g).sum()
