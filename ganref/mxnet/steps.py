"""The updates of D and G in d2l's terms (001), and the step that makes both.

Each returns the loss and the mean scores of D that 000 and 004 log.
"""

from __future__ import annotations

from typing import Any

from ganref.spec import losses as spec
from ganref.spec.layers import ConvTranspose
from ganref.spec.schema import Recipe

from . import losses
from .framework import autograd, detach
from .layers import Array, Network
from .optim import Adam

Masks = dict[str, Array]


def gradient_D(
    X: Array,
    fake_X: Array,
    net_D: Network,
    recipe: Recipe,
    masks: Masks,
    update_stats: bool = True,
) -> tuple[Any, Any, Any, list[Array]]:
    """(loss_D, D_x, D_G_z, gradients to D's weights) on real and fake examples (B, *data)."""

    def forward(x: Array, i: int) -> Array:
        return net_D.forward(x, update_stats=update_stats, masks=_pass(masks, i))[0]

    X, fake_X = detach(X), detach(fake_X)  # the gradients end at D's inputs
    if recipe.loss.r1:
        X.attach_grad()
    with autograd.record():
        # Only the running statistics can tell which came first.
        if recipe.norm.fake_first:
            fake_Y, real_Y = forward(fake_X, 1), forward(X, 0)
        else:
            real_Y, fake_Y = forward(X, 0), forward(fake_X, 1)
    real, fake = detach(real_Y), detach(fake_Y)
    real.attach_grad()
    fake.attach_grad()
    with autograd.record():
        loss_D = losses.loss_D(recipe.loss, real, fake)
    loss_D.backward()
    net_D.zero_grad()
    if recipe.loss.r1:
        loss_D = loss_D + _gradient_penalty(X, real_Y, net_D, recipe, _pass(masks, 0))
    if any(isinstance(layer, ConvTranspose) for layer in net_D.spec.layers):
        # oneDNN crashes when it has to add two gradients to a transposed kernel outside the
        # parameter's own buffer. Running statistics belong to both tapes, hence `retain_graph`.
        real_Y.backward(real.grad, retain_graph=True)
        fake_Y.backward(fake.grad)
    else:
        autograd.backward([real_Y, fake_Y], [real.grad, fake.grad])
    return detach(loss_D), *_scores(recipe, real_Y, fake_Y), net_D.grad()


def gradient_G(
    fake_X: Array,
    tape_G: Any,
    net_D: Network,
    net_G: Network,
    recipe: Recipe,
    masks: Masks,
    update_stats: bool = True,
) -> tuple[Any, Any, list[Array]]:
    """(loss_G, D_G_z, gradients to G's weights) for samples with the graph that led to them."""
    samples = detach(fake_X)
    samples.attach_grad()
    with autograd.record():
        fake_Y, tape_D = net_D.forward(samples, update_stats=update_stats, masks=masks)
        codes = net_D.codes(tape_D) if recipe.loss.repelling else None
        loss_G = losses.loss_G(recipe.loss, fake_Y, codes)
    # Asking for one gradient spares those to D's weights, which nobody would use.
    (d_fake_X,) = autograd.grad(loss_G, [samples])
    fake_X.backward(d_fake_X)
    return detach(loss_G), *_scores(recipe, fake_Y), net_G.grad()


def update_D(
    X: Array,
    Z: Array,
    net_D: Network,
    net_G: Network,
    recipe: Recipe,
    trainer_D: Adam,
    masks: Masks,
    fake_X: Array | None = None,
) -> tuple[Any, Any, Any]:
    """Update the discriminator: (loss_D, D_x, D_G_z1). `fake_X` spares G's forward pass."""
    if fake_X is None:
        fake_X, _ = net_G.forward(Z, update_stats=recipe.norm.G_in_update_D)
    loss_D, D_x, D_G_z, grad = gradient_D(X, fake_X, net_D, recipe, masks)
    trainer_D.step(grad, len(X))
    return loss_D, D_x, D_G_z


def update_G(
    Z: Array,
    net_D: Network,
    net_G: Network,
    recipe: Recipe,
    trainer_G: Adam,
    masks: Masks,
    samples: tuple[Array, Any] | None = None,
) -> tuple[Any, Any]:
    """Update the generator: (loss_G, D_G_z2). `samples` (and their graph) spare a forward pass."""
    with autograd.record():
        fake_X, tape_G = samples or net_G.forward(Z)
    # D is run again on the same samples, since update_D has changed it.
    loss_G, D_G_z, grad = gradient_G(fake_X, tape_G, net_D, net_G, recipe, masks)
    trainer_G.step(grad, len(Z))
    return loss_G, D_G_z


def step(
    X: Array,
    Z: Array,
    Z_G: Array | None,
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
        with autograd.record():
            samples = net_G.forward(Z)
    fake_X = samples[0] if samples else None
    loss_D, D_x, D_G_z1 = update_D(X, Z, net_D, net_G, recipe, trainer_D, masks, fake_X)
    for i in range(recipe.G_updates):
        latent = Z if Z_G is None else Z_G[i]
        own = _pass(masks, 2 + i)
        loss_G, D_G_z2 = update_G(latent, net_D, net_G, recipe, trainer_G, own, samples)
        samples = None  # G has moved
    return loss_D, loss_G, D_x, D_G_z1, D_G_z2


def _gradient_penalty(
    X: Array, real_Y: Array, net_D: Network, recipe: Recipe, masks: Masks
) -> Array:
    """R1, r1 / 2 * R[|g|²] with g the gradient of the summed outputs to X; its gradient is left
    with D's weights.

    MXNet's convolutions have no second derivative. But |g|² is the differential of the outputs in
    the direction v = g, and half its gradient to the weights is that differential's with v held
    still, which takes a first derivative only."""
    (g,) = autograd.grad(real_Y, [X], retain_graph=True)
    weight = recipe.loss.r1 * spec.weight(recipe.loss, len(X))
    with autograd.record():
        penalty = weight * net_D.tangent(detach(X), detach(g), masks).sum()
    penalty.backward(retain_graph=True)
    return penalty / 2


def _scores(recipe: Recipe, *outputs: Array) -> tuple[Any, ...]:
    return tuple(losses.score(recipe.loss, detach(y)).mean() for y in outputs)


def _pass(masks: Masks, i: int) -> Masks:
    return {name: mask[i] for name, mask in masks.items()}
