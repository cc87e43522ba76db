"""The updates of D and G in d2l's terms (001), and the step that makes both.

Each returns the loss and the mean scores of D that 000 and 004 log.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ganref.spec import losses as spec
from ganref.spec.schema import Recipe

from . import losses
from .layers import Network
from .optim import Adam

Masks = dict[str, np.ndarray]


def gradient_D(
    X: np.ndarray,
    fake_X: np.ndarray,
    net_D: Network,
    recipe: Recipe,
    masks: Masks,
    update_stats: bool = True,
) -> tuple[Any, Any, Any, np.ndarray]:
    """(loss_D, D_x, D_G_z, gradient to D's weights) on real and fake examples (B, *data)."""

    real_Y, fake_Y, tapes = _forward_D(X, fake_X, net_D, recipe, masks, update_stats)
    loss_D = losses.loss_D(recipe.loss, real_Y, fake_Y)
    grad = _backward_D(*spec.grad_D(recipe.loss, real_Y, fake_Y), net_D, tapes)
    if recipe.loss.r1:
        penalty, d_penalty = _gradient_penalty(X, net_D, recipe, _pass(masks, 0))
        loss_D, grad = loss_D + penalty, grad + d_penalty
    return loss_D, *_scores(recipe, real_Y, fake_Y), grad


def gradient_G(
    fake_X: np.ndarray,
    tape_G: Any,
    net_D: Network,
    net_G: Network,
    recipe: Recipe,
    masks: Masks,
    update_stats: bool = True,
) -> tuple[Any, Any, np.ndarray]:
    """(loss_G, D_G_z, gradient to G's weights) for samples and the tape they left."""
    fake_Y, tape_D = net_D.forward(fake_X, update_stats=update_stats, masks=masks)
    codes, d_codes = None, None
    if recipe.loss.repelling:
        codes = net_D.codes(tape_D)
        assert codes is not None
        d_codes = recipe.loss.repelling * spec.grad_pulling_away(codes)
    loss_G = losses.loss_G(recipe.loss, fake_Y, codes)
    dy = spec.grad_G(recipe.loss, fake_Y)
    d_fake_X, _ = net_D.backward(dy, tape_D, d_codes, weights=False)
    _, grad = net_G.backward(d_fake_X, tape_G, inputs=False)
    return loss_G, *_scores(recipe, fake_Y), grad


def update_D(
    X: np.ndarray,
    Z: np.ndarray,
    net_D: Network,
    net_G: Network,
    recipe: Recipe,
    trainer_D: Adam,
    masks: Masks,
    fake_X: np.ndarray | None = None,
) -> tuple[Any, Any, Any]:
    """Update the discriminator: (loss_D, D_x, D_G_z1). `fake_X` spares G's forward pass."""
    if fake_X is None:
        fake_X, _ = net_G.forward(Z, update_stats=recipe.norm.G_in_update_D)
    loss_D, D_x, D_G_z, grad = gradient_D(X, fake_X, net_D, recipe, masks)
    trainer_D.step(grad, len(X))
    return loss_D, D_x, D_G_z


def update_G(
    Z: np.ndarray,
    net_D: Network,
    net_G: Network,
    recipe: Recipe,
    trainer_G: Adam,
    masks: Masks,
    samples: tuple[np.ndarray, Any] | None = None,
) -> tuple[Any, Any]:
    """Update the generator: (loss_G, D_G_z2). `samples` (and their tape) spare a forward pass."""
    fake_X, tape_G = samples or net_G.forward(Z)
    # D is run again on the same samples, since update_D has changed it.
    loss_G, D_G_z, grad = gradient_G(fake_X, tape_G, net_D, net_G, recipe, masks)
    trainer_G.step(grad, len(Z))
    return loss_G, D_G_z


def step(
    X: np.ndarray,
    Z: np.ndarray,
    Z_G: np.ndarray | None,
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
        samples = net_G.forward(Z)
    fake_X = samples[0] if samples else None
    loss_D, D_x, D_G_z1 = update_D(X, Z, net_D, net_G, recipe, trainer_D, masks, fake_X)
    for i in range(recipe.G_updates):
        latent = Z if Z_G is None else Z_G[i]
        own = _pass(masks, 2 + i)
        loss_G, D_G_z2 = update_G(latent, net_D, net_G, recipe, trainer_G, own, samples)
        samples = None  # G has moved
    return loss_D, loss_G, D_x, D_G_z1, D_G_z2


def _forward_D(
    X: np.ndarray,
    fake_X: np.ndarray,
    net_D: Network,
    recipe: Recipe,
    masks: Masks,
    update_stats: bool,
) -> tuple[np.ndarray, np.ndarray, list[Any]]:
    """(D's outputs on real and on fake examples, the tapes of its passes)."""
    if not net_D.spec.couples_examples:  # one pass for both does the same in half the time
        both = {name: np.concatenate(mask[:2]) for name, mask in masks.items()}
        Y, tape = net_D.forward(np.concatenate([X, fake_X]), masks=both)
        return Y[: len(X)], Y[len(X) :], [tape]
    passes = [(X, _pass(masks, 0)), (fake_X, _pass(masks, 1))]
    # Only the running statistics can tell which came first.
    order = -1 if recipe.norm.fake_first else 1
    done = [net_D.forward(x, update_stats=update_stats, masks=m) for x, m in passes[::order]]
    (real_Y, real_tape), (fake_Y, fake_tape) = done[::order]
    return real_Y, fake_Y, [real_tape, fake_tape]


def _backward_D(
    d_real: np.ndarray, d_fake: np.ndarray, net_D: Network, tapes: list[Any]
) -> np.ndarray:
    """The gradient to D's weights, given those to the outputs of `_forward_D`."""
    parts = [d_real, d_fake] if len(tapes) == 2 else [np.concatenate([d_real, d_fake])]
    grads = [net_D.backward(dy, t, inputs=False)[1] for dy, t in zip(parts, tapes, strict=True)]
    return grads[0] + grads[1] if len(grads) == 2 else grads[0]


def _gradient_penalty(
    X: np.ndarray, net_D: Network, recipe: Recipe, masks: Masks
) -> tuple[Any, np.ndarray]:
    """R1, r1 / 2 * R[|g|²] with g the gradient of the summed outputs to X, and its gradient.

    The gradient to the weights is r1 * R[d/dt (weights' gradient at X + t g)] at t = 0. A complex
    step takes that derivative exactly: there is no difference to cancel, so t can be tiny."""
    ones = np.ones(len(X), X.dtype)
    _, tape = net_D.forward(X, update_stats=False, masks=masks)
    g, _ = net_D.backward(ones, tape, weights=False)
    weight = recipe.loss.r1 * spec.weight(recipe.loss, len(X))
    tiny = 1e-20 if X.dtype == np.float64 else 1e-10
    moved = (X + 1j * tiny * g).astype(np.result_type(X.dtype, np.complex64))
    _, moved_tape = net_D.forward(moved, update_stats=False, masks=masks)
    _, grad = net_D.backward(ones, moved_tape, inputs=False)
    return weight / 2 * (g * g).sum(), (weight / tiny * grad.imag).astype(X.dtype)


def _scores(recipe: Recipe, *outputs: np.ndarray) -> tuple[Any, ...]:
    return tuple(losses.score(recipe.loss, y).sum() / len(y) for y in outputs)


def _pass(masks: Masks, i: int) -> Masks:
    return {name: mask[i] for name, mask in masks.items()}
