"""The losses on this framework's tensors; `ganref.spec.losses` has the formulas and sources."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F

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
    # F.softplus turns linear at 20, which is 2e-9 away in float64.
    return -F.logsigmoid(-o)


def bce(o: Tensor, label: float) -> Tensor:
    """-label log D - (1 - label) log(1 - D) on logits (d2l.ai, "Generative Adversarial Networks",
    first equation).

    The two softplus terms are kept apart: softplus(o) - label * o would cancel for large o."""
    if label == 1:
        return -F.logsigmoid(o)
    return softplus(o) if label == 0 else label * softplus(-o) + (1 - label) * softplus(o)


def pulling_away(codes: Tensor, groups: int = 1) -> Tensor:
    """PT: the mean squared cosine between the codes (B, n) of different examples
    (Zhao et al. 2016, section 2.4); the mean over `groups` where the batch is cut. Raises UserError
    for a batch of one."""
    if groups > 1:
        parts = codes.split(group_size(len(codes), groups))
        return sum(pulling_away(part) for part in parts) / groups  # type: ignore[return-value]
    unit = codes / (codes * codes).sum(1, keepdim=True).sqrt()
    cosines = unit @ unit.T
    squares = cosines * cosines
    return (squares.sum() - squares.diagonal().sum()) / pairs(len(codes))


def excess(g: Tensor, norm: float) -> Tensor:
    """What the penalty R[(|g| - norm)²] sums, of gradients g (B, *data): (|g| - norm)² (B,), or the
    squares themselves where norm is 0."""
    squares = g * g
    if not norm:
        return squares
    squares = squares.flatten(1).sum(1)
    none = squares == 0  # where the root has no derivative, and |g| is given 0
    return ((squares + none).sqrt() * ~none - norm) ** 2


CRITIC = Terms(
    D=lambda loss, real, fake: fake - real,
    G=lambda loss, fake: -fake,
)
LOSSES: dict[type[Loss], Terms] = {
    BinaryCrossEntropy: Terms(
        D=lambda loss, real, fake: bce(real, loss.real_label) + bce(fake, 0),
        G=lambda loss, fake: -bce(fake, 0) if loss.minimax else bce(fake, 1),
        score=F.sigmoid,
    ),
    Margin: Terms(
        D=lambda loss, real, fake: real + F.relu(loss.margin - fake),
        G=lambda loss, fake: fake,
    ),
    LeastSquares: Terms(
        D=lambda loss, real, fake: 0.5 * (real - 1) ** 2 + 0.5 * fake**2,
        G=lambda loss, fake: 0.5 * (fake - 1) ** 2,
    ),
    Hinge: Terms(
        D=lambda loss, real, fake: F.relu(1 - real) + F.relu(1 + fake),
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
    return LOSSES[type(loss)].score(outputs.detach()).mean()


def _reduce(loss: Loss, terms: Tensor) -> Tensor:
    return terms.sum() if loss.reduction == "sum" else terms.mean()
