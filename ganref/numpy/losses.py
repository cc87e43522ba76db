"""The losses on this framework's arrays: here the spec's own formulas, which are the oracle."""

from __future__ import annotations

from ganref.spec.formulas import (
    bce,
    excess,
    grad_codes,
    grad_D,
    grad_G,
    loss_D,
    loss_G,
    pull,
    pulling_away,
    softplus,
)
from ganref.spec.losses import Loss

from .framework import Tensor

__all__ = [
    "softplus",
    "bce",
    "pulling_away",
    "excess",
    "loss_D",
    "loss_G",
    "mean_score",
    "grad_D",
    "grad_G",
    "grad_codes",
    "pull",
]


def mean_score(loss: Loss, outputs: Tensor) -> Tensor:
    """The mean over the batch of what people read off D, without a gradient: a probability for
    logits, the output itself for others."""
    return loss.score(outputs).sum() / len(outputs)
