"""The updates of D and G in the terms of d2l.ai's "Generative Adversarial Networks", and the step
that makes both.

Each returns the loss and the mean scores of D that the NYU Deep Learning course (week 9) logs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ganref.spec.loss import Penalty
from ganref.spec.schema import Recipe
from ganref.spec.steps import in_one_pass, of_pass, of_update, of_updates, points

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
    real_Y, fake_Y, tapes = _forward_D(X, fake_X, net_D, recipe, masks, update_stats)
    loss_D = losses.loss_D(recipe.loss, real_Y, fake_Y)
    grads = _backward_D(*losses.grad_D(recipe.loss, real_Y, fake_Y), net_D, tapes)
    at = points(recipe, X, fake_X, masks)
    for penalty in recipe.loss.penalties:
        own = of_pass(masks, penalty.drawn)
        value, d_value = _gradient_penalty(at[penalty.at], penalty, net_D, recipe, own)
        loss_D, grads = loss_D + value, grads + d_value
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
    fake_Y, tape_D = net_D.record(fake_X, update_stats=update_stats, masks=masks)
    codes = net_D.codes(tape_D)
    loss, groups = recipe.loss, recipe.norm.groups
    loss_G = losses.loss_G(loss, fake_Y, codes, groups)
    d_fake_Y, d_codes = losses.grad_G(loss, fake_Y), losses.grad_codes(loss, codes, groups)
    d_fake_X, _ = net_D.backward(d_fake_Y, tape_D, d_codes, weights=False)
    _, grads = net_G.backward(d_fake_X, tape_G, inputs=False)
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
    """One step: a row of `Trace`, with the last updates of D and G where there are more.

    G's forward pass is shared where D and G see the same Z: its weights have not changed."""
    updates, samples = recipe.D_updates, None
    for i in range(updates):
        own_X, own_Z = of_update(X, i, updates), of_update(Z, i, updates)
        if i == updates - 1 and not recipe.fresh_Z and not recipe.norm.G_in_update_D:
            samples = net_G.record(own_Z)
        fake_X, own = samples[0] if samples else None, of_updates(masks, i)
        loss_D, D_x, D_G_z = update_D(own_X, own_Z, net_D, net_G, recipe, trainer_D, own, fake_X)
    for i in range(recipe.G_updates):
        latent = own_Z if Z_G is None else Z_G[i]
        own = of_pass(masks, 2 * updates + i)
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


def _forward_D(
    X: Tensor, fake_X: Tensor, net_D: Network, recipe: Recipe, masks: Masks, update_stats: bool
) -> tuple[Tensor, Tensor, list[Any]]:
    """(D's outputs on real and on fake examples, the tapes of its passes)."""
    if in_one_pass(recipe):
        both = {name: np.concatenate(mask[:2]) for name, mask in masks.items()}
        Y, tape = net_D.record(np.concatenate([X, fake_X]), masks=both)
        return Y[: len(X)], Y[len(X) :], [tape]
    passes = [(X, of_pass(masks, 0)), (fake_X, of_pass(masks, 1))]
    # Only the running statistics can tell which came first.
    order = -1 if recipe.norm.fake_first else 1
    done = [net_D.record(x, update_stats, own) for x, own in passes[::order]]
    (real_Y, real_tape), (fake_Y, fake_tape) = done[::order]
    return real_Y, fake_Y, [real_tape, fake_tape]


def _backward_D(d_real: Tensor, d_fake: Tensor, net_D: Network, tapes: list[Any]) -> Gradients:
    """The gradients to D's weights, given those to the outputs of `_forward_D`."""
    parts = [d_real, d_fake] if len(tapes) == 2 else [np.concatenate([d_real, d_fake])]
    grads = [net_D.backward(dy, t, inputs=False)[1] for dy, t in zip(parts, tapes, strict=True)]
    return grads[0] + grads[1] if len(grads) == 2 else grads[0]


def _gradient_penalty(
    x: Tensor, penalty: Penalty, net_D: Network, recipe: Recipe, masks: Masks
) -> tuple[Any, Gradients]:
    """A penalty, weight * R[(|g| - norm)²] with g the gradient of the summed outputs to x, and its
    gradients.

    Those to the weights are 2 weight * R[d/dt (the weights' gradients at x + t v)] at t = 0, where
    v = (1 - norm / |g|) g. A complex step takes that derivative exactly: there is no difference to
    cancel, so t can be tiny."""
    ones = np.ones(len(x), x.dtype)
    _, tape = net_D.record(x, update_stats=False, masks=masks)
    g, _ = net_D.backward(ones, tape, weights=False)
    factor = penalty.weight * recipe.loss.weight(len(x))
    tiny = 1e-20 if x.dtype == np.float64 else 1e-10
    v = losses.pull(g, penalty.norm)
    moved = (x + 1j * tiny * v).astype(np.result_type(x.dtype, np.complex64))
    _, moved_tape = net_D.record(moved, update_stats=False, masks=masks)
    _, grads = net_D.backward(ones, moved_tape, inputs=False)
    value = factor * losses.excess(g, penalty.norm).sum()
    return value, (2 * factor / tiny * grads.imag).astype(x.dtype)
