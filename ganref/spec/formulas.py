"""The formulas that losses are made of, and L_D and L_G of every kind of loss, with their
derivatives, in NumPy. This is the oracle.

o is a logit, of which D is the sigmoid. Sources: Goodfellow et al. 2014, as in "Generative
Adversarial Networks" of d2l.ai; Zhao, Mathieu and LeCun 2016 (the repelling term).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .errors import UserError
from .groups import group_size

if TYPE_CHECKING:
    from .losses import Loss


class Terms(NamedTuple):
    """A kind of loss in a framework's own arrays, which derives the slopes itself."""

    D: Callable[[Any, Any, Any], Any]  # terms_D of (loss, real, fake)
    G: Callable[[Any, Any], Any]  # terms_G of (loss, fake)
    score: Callable[[Any], Any] = lambda outputs: outputs


def softplus(o: np.ndarray) -> np.ndarray:
    """log(1 + exp(o)), finite and accurate for every finite o."""
    return np.logaddexp(0, o)


def sigmoid(o: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-o)), as the exponential of its logarithm, which cannot overflow."""
    return np.exp(-softplus(-o))


def entropy(p: float) -> float:
    """-p log p - (1 - p) log(1 - p) of a probability in (0, 1)."""
    return float(-p * np.log(p) - (1 - p) * np.log1p(-p))


def bce(o: np.ndarray, label: float) -> np.ndarray:
    """-label log D - (1 - label) log(1 - D) on logits (d2l.ai, "Generative Adversarial Networks",
    first equation).

    The two softplus terms are kept apart: softplus(o) - label * o would cancel for large o."""
    if label == 1:
        return softplus(-o)
    return softplus(o) if label == 0 else label * softplus(-o) + (1 - label) * softplus(o)


def pulling_away(codes: np.ndarray, groups: int = 1) -> np.ndarray:
    """PT: the mean squared cosine between the codes (B, n) of different examples
    (Zhao et al. 2016, section 2.4); the mean over `groups` where the batch is cut. Raises UserError
    for a batch of one."""
    if groups > 1:
        group_size(len(codes), groups)
        return np.mean([pulling_away(group) for group in np.split(codes, groups)])
    count = pairs(len(codes))
    unit = codes / np.sqrt((codes * codes).sum(1, keepdims=True))
    cosines = unit @ unit.T
    return ((cosines * cosines).sum() - (np.diag(cosines) ** 2).sum()) / count


def pairs(batch: int) -> int:
    """How many ordered pairs of different examples `pulling_away` averages over. Raises UserError
    if there are none."""
    if batch < 2:
        raise UserError("the repelling term compares examples; it needs at least 2 in a group")
    return batch * (batch - 1)


def grad_pulling_away(codes: np.ndarray, groups: int = 1) -> np.ndarray:
    """The derivative of `pulling_away` with respect to the codes."""
    if groups > 1:
        parts = [grad_pulling_away(group) for group in np.split(codes, groups)]
        return np.concatenate(parts) / groups
    norm = np.sqrt((codes * codes).sum(1, keepdims=True))
    unit = codes / norm
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, 0)
    grad = 4 / pairs(len(codes)) * cosines @ unit
    return (grad - unit * (grad * unit).sum(1, keepdims=True)) / norm


def excess(g: np.ndarray, norm: float) -> np.ndarray:
    """What the penalty R[(|g| - norm)²] sums, of gradients g (B, *data): (|g| - norm)² (B,), or the
    squares themselves where norm is 0."""
    return (_lengths(g) - norm) ** 2 if norm else g * g


def pull(g: np.ndarray, norm: float) -> np.ndarray:
    """Half the derivative of (|g| - norm)² to g (B, *data): (1 - norm / |g|) g; 0 where g is 0,
    where it has none."""
    if not norm:
        return g
    lengths = _lengths(g)
    share = 1 - norm / np.where(lengths > 0, lengths, norm)
    return g * share.reshape(-1, *(1,) * (g.ndim - 1))


def _lengths(g: np.ndarray) -> np.ndarray:
    return np.sqrt((g * g).reshape(len(g), -1).sum(1))


def loss_D(loss: Loss, real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """L_D of the outputs (B,) on real and fake examples, without its penalties."""
    return loss.scale_D * _reduce(loss, loss.terms_D(real, fake))


def loss_G(
    loss: Any, fake: np.ndarray, codes: np.ndarray | None = None, groups: int = 1
) -> np.ndarray:
    """L_G of D's outputs (B,) on generated examples, and of their codes (B, n) if it repels within
    each of the groups."""
    value = _reduce(loss, loss.terms_G(fake))
    if codes is not None and loss.needs_codes:
        value = value + loss.repelling * pulling_away(codes, groups)
    return value


def grad_D(loss: Loss, real: np.ndarray, fake: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The derivatives of `loss_D` with respect to both outputs."""
    each = loss.scale_D * loss.weight(len(real))
    d_real, d_fake = loss.slopes_D(real, fake)
    return each * d_real, each * d_fake


def grad_G(loss: Loss, fake: np.ndarray) -> np.ndarray:
    """The derivative of `loss_G` with respect to D's outputs (the repelling term apart)."""
    return loss.weight(len(fake)) * loss.slopes_G(fake)


def grad_codes(loss: Any, codes: np.ndarray | None, groups: int = 1) -> np.ndarray | None:
    """The derivative of `loss_G` with respect to the codes; None if it has no term of them."""
    if codes is None or not loss.needs_codes:
        return None
    return loss.repelling * grad_pulling_away(codes, groups)


def _reduce(loss: Loss, terms: np.ndarray) -> np.ndarray:
    return terms.sum() if loss.reduction == "sum" else terms.sum() / len(terms)
