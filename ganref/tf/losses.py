"""The losses on this framework's tensors; `ganref.spec.losses` has the formulas and sources."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ganref.spec.formulas import Terms, pairs
from ganref.spec.groups import group_size
from ganref.spec.loss import Loss
from ganref.spec.losses import (
    BinaryCrossEntropy,
    Hinge,
    LeastSquares,
    Margin,
    Wasserstein,
    WassersteinGP,
)

from .framework import Tensor


def softplus(o: Tensor) -> Tensor:
    """log(1 + exp(o)), finite and accurate for every finite o."""
    return tf.nn.softplus(o)


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
        group_size(codes.shape[0], groups)
        return tf.reduce_mean([pulling_away(part) for part in tf.split(codes, groups)])
    batch = codes.shape[0]
    unit = codes / tf.norm(codes, axis=1, keepdims=True)
    cosines = tf.matmul(unit, unit, transpose_b=True)
    others = tf.linalg.set_diag(cosines, tf.zeros(batch, codes.dtype))
    return tf.reduce_sum(others * others) / pairs(batch)


def excess(g: Tensor, norm: float) -> Tensor:
    """What the penalty R[(|g| - norm)²] sums, of gradients g (B, *data): (|g| - norm)² (B,), or the
    squares themselves where norm is 0."""
    squares = g * g
    if not norm:
        return squares
    squares = tf.reduce_sum(squares, list(range(1, g.shape.rank)))
    none = tf.cast(squares == 0, g.dtype)  # where the root has no derivative, and |g| is given 0
    return (tf.sqrt(squares + none) * (1 - none) - norm) ** 2


CRITIC = Terms(
    D=lambda loss, real, fake: fake - real,
    G=lambda loss, fake: -fake,
)
LOSSES: dict[type[Loss], Terms] = {
    BinaryCrossEntropy: Terms(
        D=lambda loss, real, fake: bce(real, loss.real_label) + bce(fake, 0),
        G=lambda loss, fake: -bce(fake, 0) if loss.minimax else bce(fake, 1),
        score=tf.sigmoid,
    ),
    Margin: Terms(
        # Unlike that of tf.maximum, relu's derivative at the margin itself is 0.
        D=lambda loss, real, fake: real + tf.nn.relu(loss.margin - fake),
        G=lambda loss, fake: fake,
    ),
    LeastSquares: Terms(
        D=lambda loss, real, fake: 0.5 * (real - 1) ** 2 + 0.5 * fake**2,
        G=lambda loss, fake: 0.5 * (fake - 1) ** 2,
    ),
    Hinge: Terms(
        D=lambda loss, real, fake: tf.nn.relu(1 - real) + tf.nn.relu(1 + fake),
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
    return tf.reduce_mean(LOSSES[type(loss)].score(outputs))


def _reduce(loss: Loss, terms: Tensor) -> Tensor:
    return tf.reduce_sum(terms) if loss.reduction == "sum" else tf.reduce_mean(terms)
