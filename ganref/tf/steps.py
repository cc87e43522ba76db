"""The updates of D and G in d2l's terms (001), and the step that makes both.

Each returns the loss and the mean scores of D that 000 and 004 log.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ganref.spec import losses as spec
from ganref.spec.schema import Recipe

from . import losses
from .layers import Network
from .optim import Adam

Masks = dict[str, tf.Tensor]


def gradient_D(
    X: tf.Tensor,
    fake_X: tf.Tensor,
    net_D: Network,
    recipe: Recipe,
    masks: Masks,
    update_stats: bool = True,
) -> tuple[Any, Any, Any, list[tf.Tensor]]:
    """(loss_D, D_x, D_G_z, gradient to D's weights) on real and fake examples (B, *data)."""

    def forward(x: tf.Tensor, i: int) -> tf.Tensor:
        return net_D(x, update_stats=update_stats, masks=_pass(masks, i))[0]

    with tf.GradientTape() as tape:
        with tf.GradientTape(watch_accessed_variables=False) as tape_X:
            if recipe.loss.r1:
                tape_X.watch(X)
            # Only the running statistics can tell which came first.
            if recipe.norm.fake_first:
                fake_Y, real_Y = forward(fake_X, 1), forward(X, 0)
            else:
                real_Y, fake_Y = forward(X, 0), forward(fake_X, 1)
        loss_D = losses.loss_D(recipe.loss, real_Y, fake_Y)
        if recipe.loss.r1:
            loss_D += _gradient_penalty(X, real_Y, tape_X, recipe)
    grads = tape.gradient(loss_D, net_D.trained)
    return loss_D, *_scores(recipe, real_Y, fake_Y), grads


def gradient_G(
    fake_X: tf.Tensor,
    tape_G: tf.GradientTape,
    net_D: Network,
    net_G: Network,
    recipe: Recipe,
    masks: Masks,
    update_stats: bool = True,
) -> tuple[Any, Any, list[tf.Tensor]]:
    """(loss_G, D_G_z, gradient to G's weights) for samples and the tape they left."""
    # D's weights are left out of this tape: nothing here needs their gradients.
    with tf.GradientTape(watch_accessed_variables=False) as tape_D:
        tape_D.watch(fake_X)
        fake_Y, codes = net_D(fake_X, update_stats=update_stats, masks=masks)
        loss_G = losses.loss_G(recipe.loss, fake_Y, codes)
    d_fake_X = tape_D.gradient(loss_G, fake_X)
    grads = tape_G.gradient(fake_X, net_G.trained, output_gradients=d_fake_X)
    return loss_G, *_scores(recipe, fake_Y), grads


def update_D(
    X: tf.Tensor,
    Z: tf.Tensor,
    net_D: Network,
    net_G: Network,
    recipe: Recipe,
    trainer_D: Adam,
    masks: Masks,
    fake_X: tf.Tensor | None = None,
) -> tuple[Any, Any, Any]:
    """Update the discriminator: (loss_D, D_x, D_G_z1). `fake_X` spares G's forward pass."""
    if fake_X is None:
        fake_X, _ = net_G(Z, update_stats=recipe.norm.G_in_update_D)
    loss_D, D_x, D_G_z, grads = gradient_D(X, fake_X, net_D, recipe, masks)
    trainer_D.step(grads, X.shape[0])
    return loss_D, D_x, D_G_z


def update_G(
    Z: tf.Tensor,
    net_D: Network,
    net_G: Network,
    recipe: Recipe,
    trainer_G: Adam,
    masks: Masks,
    samples: tuple[tf.Tensor, tf.GradientTape] | None = None,
) -> tuple[Any, Any]:
    """Update the generator: (loss_G, D_G_z2). `samples` (and their tape) spare a forward pass."""
    fake_X, tape_G = samples or net_G.record(Z)
    # D is run again on the same samples, since update_D has changed it.
    loss_G, D_G_z, grads = gradient_G(fake_X, tape_G, net_D, net_G, recipe, masks)
    trainer_G.step(grads, Z.shape[0])
    return loss_G, D_G_z


def step(
    X: tf.Tensor,
    Z: tf.Tensor,
    Z_G: tf.Tensor | None,
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
        samples = net_G.record(Z)
    fake_X = samples[0] if samples else None
    loss_D, D_x, D_G_z1 = update_D(X, Z, net_D, net_G, recipe, trainer_D, masks, fake_X)
    for i in range(recipe.G_updates):
        latent = Z if Z_G is None else Z_G[i]
        own = _pass(masks, 2 + i)
        loss_G, D_G_z2 = update_G(latent, net_D, net_G, recipe, trainer_G, own, samples)
        samples = None  # G has moved
    return loss_D, loss_G, D_x, D_G_z1, D_G_z2


def _gradient_penalty(
    X: tf.Tensor, real_Y: tf.Tensor, tape_X: tf.GradientTape, recipe: Recipe
) -> tf.Tensor:
    """R1, r1 / 2 * R[|g|²] with g the gradient of the summed outputs to X. The caller's outer tape
    records this gradient's own computation, and differentiates it once more."""
    g = tape_X.gradient(real_Y, X)
    weight = recipe.loss.r1 * spec.weight(recipe.loss, X.shape[0])
    return weight / 2 * tf.reduce_sum(g * g)


def _scores(recipe: Recipe, *outputs: tf.Tensor) -> tuple[Any, ...]:
    return tuple(tf.reduce_mean(losses.score(recipe.loss, y)) for y in outputs)


def _pass(masks: Masks, i: int) -> Masks:
    return {name: mask[i] for name, mask in masks.items()}
