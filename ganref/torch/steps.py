"""The updates of D and G in d2l's terms (001), and the step that makes both.

Each returns the loss and the mean scores of D that 000 and 004 log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ganref.spec import losses as spec
from ganref.spec.schema import Recipe

from . import losses
from .layers import Network
from .optim import Adam

Masks = dict[str, Tensor]


def gradient_D(
    X: Tensor,
    fake_X: Tensor,
    net_D: Network,
    recipe: Recipe,
    masks: Masks,
    update_stats: bool = True,
) -> tuple[Any, Any, Any, Sequence[Tensor]]:
    """(loss_D, D_x, D_G_z, gradients to D's weights) on real and fake examples (B, *data)."""

    def forward(x: Tensor, i: int) -> Tensor:
        return net_D(x, update_stats=update_stats, masks=_pass(masks, i))[0]

    if recipe.loss.r1:
        X = X.detach().requires_grad_()
    fake_X = fake_X.detach()  # the gradient ends at D's input
    # Only the running statistics can tell which came first.
    if recipe.norm.fake_first:
        fake_Y, real_Y = forward(fake_X, 1), forward(X, 0)
    else:
        real_Y, fake_Y = forward(X, 0), forward(fake_X, 1)
    loss_D = losses.loss_D(recipe.loss, real_Y, fake_Y)
    if recipe.loss.r1:
        loss_D = loss_D + _gradient_penalty(X, real_Y, recipe)
    grad = torch.autograd.grad(loss_D, net_D.trained)
    return loss_D.detach(), *_scores(recipe, real_Y, fake_Y), grad


def gradient_G(
    fake_X: Tensor,
    tape_G: Any,
    net_D: Network,
    net_G: Network,
    recipe: Recipe,
    masks: Masks,
    update_stats: bool = True,
) -> tuple[Any, Any, Sequence[Tensor]]:
    """(loss_G, D_G_z, gradients to G's weights) for samples with the graph that led to them."""
    fake_Y, tape_D = net_D(fake_X, update_stats=update_stats, masks=masks)
    codes = net_D.codes(tape_D) if recipe.loss.repelling else None
    loss_G = losses.loss_G(recipe.loss, fake_Y, codes)
    # Naming G's weights spares the gradients to D's, which nobody would use.
    grad = torch.autograd.grad(loss_G, net_G.trained)
    return loss_G.detach(), *_scores(recipe, fake_Y), grad


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
    """Update the discriminator: (loss_D, D_x, D_G_z1). `fake_X` spares G's forward pass."""
    if fake_X is None:
        with torch.no_grad():
            fake_X, _ = net_G(Z, update_stats=recipe.norm.G_in_update_D)
    loss_D, D_x, D_G_z, grad = gradient_D(X, fake_X, net_D, recipe, masks)
    trainer_D.step(grad, len(X))
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
    """Update the generator: (loss_G, D_G_z2). `samples` (and their graph) spare a forward pass."""
    fake_X, tape_G = samples or net_G(Z)
    # D is run again on the same samples, since update_D has changed it.
    loss_G, D_G_z, grad = gradient_G(fake_X, tape_G, net_D, net_G, recipe, masks)
    trainer_G.step(grad, len(Z))
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
    """One step: (loss_D, loss_G, D_x, D_G_z1, D_G_z2), the last G update's where there are more.

    G's forward pass is shared where D and G see the same Z: its weights have not changed."""
    samples = None
    if not recipe.fresh_Z and not recipe.norm.G_in_update_D:
        samples = net_G(Z)
    fake_X = samples[0] if samples else None
    loss_D, D_x, D_G_z1 = update_D(X, Z, net_D, net_G, recipe, trainer_D, masks, fake_X)
    for i in range(recipe.G_updates):
        latent = Z if Z_G is None else Z_G[i]
        own = _pass(masks, 2 + i)
        loss_G, D_G_z2 = update_G(latent, net_D, net_G, recipe, trainer_G, own, samples)
        samples = None  # G has moved
    return loss_D, loss_G, D_x, D_G_z1, D_G_z2


def _gradient_penalty(X: Tensor, real_Y: Tensor, recipe: Recipe) -> Tensor:
    """R1, r1 / 2 * R[|g|²] with g the gradient of the summed outputs to X; it has a gradient to
    D's weights in its turn."""
    (g,) = torch.autograd.grad(real_Y.sum(), X, create_graph=True)
    weight = recipe.loss.r1 * spec.weight(recipe.loss, len(X))
    return weight / 2 * (g * g).sum()


def _scores(recipe: Recipe, *outputs: Tensor) -> tuple[Any, ...]:
    return tuple(losses.score(recipe.loss, y.detach()).mean() for y in outputs)


def _pass(masks: Masks, i: int) -> Masks:
    return {name: mask[i] for name, mask in masks.items()}
