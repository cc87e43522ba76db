"""The losses on this framework's arrays: `ganref.spec.losses`, which explains the formulas.

They reduce the last axis, so that the outputs (k, B) of k steps make k losses at once.
"""

from __future__ import annotations

from typing import Any

from ganref.spec.losses import Loss, pairs

from .framework import np, npx

Array = Any


def softplus(o: Array) -> Array:
    """log(1 + exp(o)), finite and accurate for every finite o."""
    # MXNet's own softplus turns linear at 20; the derivatives of `maximum` and `abs` are wrong at
    # 0, those of `where` with a number everywhere.
    positive = o >= 0
    return np.where(positive, o, np.zeros_like(o)) + np.log1p(np.exp(np.where(positive, -o, o)))


def bce(o: Array, label: float) -> Array:
    """-label log D - (1 - label) log(1 - D) on logits."""
    if label == 1:
        return softplus(-o)
    return softplus(o) if label == 0 else label * softplus(-o) + (1 - label) * softplus(o)


def pulling_away(codes: Array) -> Array:
    """PT: the mean squared cosine between the codes (B, n) of different examples.

    Raises UserError for a batch of one."""
    unit = codes / np.sqrt((codes * codes).sum(1, keepdims=True))
    cosines = np.dot(unit, unit.T)
    squares = cosines * cosines
    return (squares.sum() - np.diag(squares).sum()) / pairs(len(codes))


def loss_D(loss: Loss, real: Array, fake: Array) -> Array:
    """L_D of the outputs (B,) on real and fake examples, without the r1 term."""
    if loss.kind == "bce":
        terms = bce(real, loss.real_label) + bce(fake, 0)
    else:
        terms = real + npx.relu(loss.margin - fake)
    return loss.scale_D * _reduce(loss, terms)


def loss_G(loss: Loss, fake: Array, codes: Array | None = None) -> Array:
    """L_G of D's outputs (B,) on generated examples, and of their codes (B, n) if it repels."""
    if loss.kind == "bce":
        return _reduce(loss, bce(fake, 1) if loss.generator == "non_saturating" else -bce(fake, 0))
    value = _reduce(loss, fake)
    if loss.repelling:
        assert codes is not None
        value = value + loss.repelling * pulling_away(codes)
    return value


def score(loss: Loss, outputs: Array) -> Array:
    """What people read off D: a probability for logits, the energy itself for energies."""
    return npx.sigmoid(outputs) if loss.kind == "bce" else outputs


def _reduce(loss: Loss, terms: Array) -> Array:
    return terms.sum(-1) if loss.reduction == "sum" else terms.sum(-1) / terms.shape[-1]
