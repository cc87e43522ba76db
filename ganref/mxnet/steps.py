"""The updates of D and G in the terms of d2l.ai's "Generative Adversarial Networks", and the step
that makes both.

Each returns the loss and the mean scores of D that the NYU Deep Learning course (week 9) logs.
"""

from __future__ import annotations

from typing import Any

from ganref.spec.layers import ConvTranspose
from ganref.spec.loss import Penalty
from ganref.spec.schema import Recipe
from ganref.spec.steps import in_one_pass, of_pass, of_update, of_updates, points

from . import losses
from .framework import Gradients, Masks, Tensor, autograd, detach, np, stack
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

    def forward(x: Tensor, i: int) -> Tensor:
        return net_D(x, update_stats=update_stats, masks=of_pass(masks, i))[0]

    X, fake_X = detach(X), detach(fake_X)  # the gradients end at D's inputs
    at = points(recipe, X, fake_X, masks)
    for x in at.values():
        x.attach_grad()
    with autograd.record():
        if in_one_pass(recipe):
            both = {name: mask[:2].reshape(-1, *mask.shape[2:]) for name, mask in masks.items()}
            real_Y, fake_Y = np.split(net_D(np.concatenate([X, fake_X]), masks=both)[0], 2)
        elif recipe.norm.fake_first:  # only the running statistics can tell
            fake_Y, real_Y = forward(fake_X, 1), forward(X, 0)
        else:
            real_Y, fake_Y = forward(X, 0), forward(fake_X, 1)
        # Power iterations have moved in both passes: penalties are of D as it is after them.
        outputs = {} if net_D.spec.spectral else {"real": real_Y, "fake": fake_Y}
        for penalty in recipe.loss.penalties:
            if penalty.at not in outputs:
                own = of_pass(masks, penalty.drawn)
                outputs[penalty.at], _ = net_D(at[penalty.at], update_stats=False, masks=own)
    real, fake = detach(real_Y), detach(fake_Y)
    real.attach_grad()
    fake.attach_grad()
    with autograd.record():
        loss_D = losses.loss_D(recipe.loss, real, fake)
    loss_D.backward()
    for tensor in net_D.trained.values():
        tensor.grad[()] = 0  # `backward` adds to it
    for penalty in recipe.loss.penalties:
        here, own = (at[penalty.at], outputs[penalty.at]), of_pass(masks, penalty.drawn)
        loss_D = loss_D + _gradient_penalty(*here, penalty, net_D, recipe, own)
    if any(isinstance(layer, ConvTranspose) for layer in net_D.spec.layers):
        # oneDNN crashes when it has to add two gradients to a transposed kernel outside the
        # parameter's own buffer. Running statistics belong to both tapes, hence `retain_graph`.
        real_Y.backward(real.grad, retain_graph=True)
        fake_Y.backward(fake.grad)
    else:
        autograd.backward([real_Y, fake_Y], [real.grad, fake.grad])
    grads = [tensor.grad for tensor in net_D.trained.values()]
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
    samples = detach(fake_X)
    samples.attach_grad()
    with autograd.record():
        fake_Y, codes = net_D(samples, update_stats=update_stats, masks=masks)
        loss_G = losses.loss_G(recipe.loss, fake_Y, codes, recipe.norm.groups)
    # Asking for one gradient spares those to D's weights, which nobody would use.
    (d_fake_X,) = autograd.grad(loss_G, [samples])
    fake_X.backward(d_fake_X)
    grads = [tensor.grad for tensor in net_G.trained.values()]
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


def _gradient_penalty(
    x: Tensor, y: Tensor, penalty: Penalty, net_D: Network, recipe: Recipe, masks: Masks
) -> Tensor:
    """A penalty, weight * R[(|g| - norm)²] with g the gradient of the summed outputs to x; its
    gradient is left with D's weights.

    MXNet's convolutions have no second derivative. But the penalty's gradient to the weights is
    2 weight times that of the outputs' differential in the direction v = (1 - norm / |g|) g, with v
    held still, which takes a first derivative only."""
    (g,) = autograd.grad(y, [x], retain_graph=True)
    factor = penalty.weight * recipe.loss.weight(x.shape[0])
    v = losses.pull(detach(g), penalty.norm)
    with autograd.record():
        slope = 2 * factor * net_D.tangent(detach(x), v, masks).sum()
    slope.backward(retain_graph=True)
    return factor * losses.excess(detach(g), penalty.norm).sum()
