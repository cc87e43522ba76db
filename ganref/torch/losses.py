"""The losses on this framework's tensors: `ganref.spec.losses`, which explains the formulas."""

from __future__ import annotations

import torch.nn.functional as F

from ganref.spec.losses import Loss, pairs

from .framework import Tensor


def softplus(o: Tensor) -> Tensor:
    """log(1 + exp(o)), finite and accurate for every finite o."""
    # F.softplus turns linear at 20, which is 2e-9 away in float64.
    return -F.logsigmoid(-o)


def bce(o: Tensor, label: float) -> Tensor:
    """-label log D - (1 - label) log(1 - D) on logits."""
    if label == 1:
        return -F.logsigmoid(o)
    return softplus(o) if label == 0 else label * softplus(-o) + (1 - label) * softplus(o)


def pulling_away(codes: Tensor) -> Tensor:
    """PT: the mean squared cosine between the codes (B, n) of different examples.

    Raises UserError for a batch of one."""
    unit = codes / (codes * codes).sum(1, keepdim=True).sqrt()
    cosines = unit @ unit.T
    squares = cosines * cosines
    return (squares.sum() - squares.diagonal().sum()) / pairs(len(codes))


def loss_D(loss: Loss, real: Tensor, fake: Tensor) -> Tensor:
    """L_D of the outputs (B,) on real and fake examples, without the r1 term."""
    if loss.kind == "bce":
        terms = bce(real, loss.real_label) + bce(fake, 0)
    else:
        terms = real + F.relu(loss.margin - fake)
    return loss.scale_D * _reduce(loss, terms)


def loss_G(loss: Loss, fake: Tensor, codes: Tensor | None = None) -> Tensor:
    """L_G of D's outputs (B,) on generated examples, and of their codes (B, n) if it repels."""
    if loss.kind == "bce":
        return _reduce(loss, bce(fake, 1) if loss.generator == "non_saturating" else -bce(fake, 0))
    value = _reduce(loss, fake)
    if loss.repelling:
        assert codes is not None
        value = value + loss.repelling * pulling_away(codes)
    return value


def mean_score(loss: Loss, outputs: Tensor) -> Tensor:
    """The mean over the batch of what people read off D, without a gradient: a probability for
    logits, the energy itself for energies."""
    outputs = outputs.detach()
    return (outputs.sigmoid() if loss.kind == "bce" else outputs).mean()


def _reduce(loss: Loss, terms: Tensor) -> Tensor:
    return terms.sum() if loss.reduction == "sum" else terms.mean()
