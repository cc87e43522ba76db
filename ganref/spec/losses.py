"""The losses: data, and the formulas with their derivatives in NumPy. This is the oracle.

D is a discriminator's sigmoid, o its logit, C an energy. Sources: equations of documents 000 and
001 (Goodfellow et al. 2014), document 003 (label smoothing), Zhao, Mathieu and LeCun 2016 (margin
and repelling term), Mescheder, Geiger and Nowozin 2018 (R1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .errors import UserError

CHOICES = {
    "kind": ("bce", "margin"),
    "reduction": ("sum", "mean"),
    "generator": ("non_saturating", "minimax"),
}


@dataclass(frozen=True)
class Loss:
    """What D and G minimise.

    kind "bce":     L_D = scale_D * R[bce(o_real, real_label) + bce(o_fake, 0)]
                    L_G = R[-log D(G(z))] (non_saturating) or R[log(1 - D(G(z)))] (minimax)
    kind "margin":  L_D = scale_D * R[C(x) + max(0, margin - C(G(z)))],
                    L_G = R[C(G(z))] + repelling * PT(codes)
    R is the sum or the mean over the batch. `r1` adds r1 / 2 * R[|grad_x o(x)|^2] on real data.
    """

    kind: str = "bce"
    reduction: str = "mean"
    scale_D: float = 1.0
    generator: str = "non_saturating"
    real_label: float = 1.0
    margin: float = 1.0
    repelling: float = 0.0
    r1: float = 0.0

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise UserError(
                    f"unknown {name} {getattr(self, name)!r}; there are {', '.join(choices)}"
                )
        if not 0 < self.real_label <= 1:
            raise UserError(f"real_label must be in (0, 1], not {self.real_label}")
        if not self.scale_D > 0 or not self.margin > 0:
            raise UserError("scale_D and margin must be positive")
        if self.repelling < 0 or self.r1 < 0:
            raise UserError("repelling and r1 must not be negative")
        if self.kind == "bce" and self.repelling:
            raise UserError("the repelling term needs the codes of an energy (kind margin)")


def softplus(o: np.ndarray) -> np.ndarray:
    """log(1 + exp(o)), finite and accurate for every finite o."""
    return np.logaddexp(0, o)


def sigmoid(o: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-o)), as the exponential of its logarithm, which cannot overflow."""
    return np.exp(-softplus(-o))


def bce(o: np.ndarray, label: float) -> np.ndarray:
    """-label log D - (1 - label) log(1 - D) on logits (001, first equation).

    The two softplus terms are kept apart: softplus(o) - label * o would cancel for large o.
    """
    if label == 1:
        return softplus(-o)
    return softplus(o) if label == 0 else label * softplus(-o) + (1 - label) * softplus(o)


def pulling_away(codes: np.ndarray) -> np.ndarray:
    """PT: the mean squared cosine between the codes (B, n) of different examples
    (Zhao et al. 2016, section 2.4). Raises UserError for a batch of one."""
    count = pairs(len(codes))
    unit = codes / np.sqrt((codes * codes).sum(1, keepdims=True))
    cosines = unit @ unit.T
    return ((cosines * cosines).sum() - (np.diag(cosines) ** 2).sum()) / count


def pairs(batch: int) -> int:
    """How many ordered pairs of different examples `pulling_away` averages over. Raises UserError
    if there are none."""
    if batch < 2:
        raise UserError("the repelling term compares examples; it needs a batch of at least 2")
    return batch * (batch - 1)


def loss_D(loss: Loss, real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """L_D of the outputs (B,) on real and fake examples, without the r1 term."""
    if loss.kind == "bce":
        terms = bce(real, loss.real_label) + bce(fake, 0)
    else:
        terms = real + np.maximum(loss.margin - fake, 0)
    return loss.scale_D * _reduce(loss, terms)


def loss_G(loss: Loss, fake: np.ndarray, codes: np.ndarray | None = None) -> np.ndarray:
    """L_G of D's outputs (B,) on generated examples, and of their codes (B, n) if it repels."""
    if loss.kind == "bce":
        return _reduce(loss, bce(fake, 1) if loss.generator == "non_saturating" else -bce(fake, 0))
    value = _reduce(loss, fake)
    if loss.repelling:
        assert codes is not None
        value = value + loss.repelling * pulling_away(codes)
    return value


def grad_D(loss: Loss, real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The derivatives of `loss_D` with respect to both outputs."""
    each = loss.scale_D * weight(loss, len(real))
    if loss.kind == "bce":
        # Split like the loss itself: sigmoid(o) - label would cancel where D is confident.
        label = loss.real_label
        d_real = -label * sigmoid(-real)
        if label != 1:
            d_real = d_real + (1 - label) * sigmoid(real)
        return each * d_real, each * sigmoid(fake)
    return each * np.ones_like(real), -each * (fake < loss.margin).astype(fake.dtype)


def grad_G(loss: Loss, fake: np.ndarray) -> np.ndarray:
    """The derivative of `loss_G` with respect to D's outputs (the repelling term apart)."""
    each = weight(loss, len(fake))
    if loss.kind == "margin":
        return each * np.ones_like(fake)
    # -sigmoid(-o), not sigmoid(o) - 1, which would cancel where D is confident.
    return -each * (sigmoid(-fake) if loss.generator == "non_saturating" else sigmoid(fake))


def grad_pulling_away(codes: np.ndarray) -> np.ndarray:
    """The derivative of `pulling_away` with respect to the codes."""
    norm = np.sqrt((codes * codes).sum(1, keepdims=True))
    unit = codes / norm
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, 0)
    grad = 4 / pairs(len(codes)) * cosines @ unit
    return (grad - unit * (grad * unit).sum(1, keepdims=True)) / norm


def score(loss: Loss, outputs: np.ndarray) -> np.ndarray:
    """What people read off D: a probability for logits, the energy itself for energies."""
    return sigmoid(outputs) if loss.kind == "bce" else outputs


def _reduce(loss: Loss, terms: np.ndarray) -> np.ndarray:
    return terms.sum() if loss.reduction == "sum" else terms.sum() / len(terms)


def weight(loss: Loss, batch: int) -> float:
    """What an example of so many counts in the reduction R."""
    return 1.0 if loss.reduction == "sum" else 1 / batch
