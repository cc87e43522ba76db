"""The losses on this framework's tensors; `ganref.spec.losses` has the formulas and sources.

They reduce the last axis, so that the outputs (k, B) of k steps make k losses at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

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

from .framework import Tensor, detach, mx, np, npx

S = mx.sym
Symbol = Any


def softplus(o: Tensor) -> Tensor:
    """log(1 + exp(o)), finite and accurate for every finite o."""
    # MXNet's own softplus turns linear at 20; the derivatives of `maximum` and `abs` are wrong at
    # 0, those of `where` with a number everywhere.
    positive = o >= 0
    return np.where(positive, o, np.zeros_like(o)) + np.log1p(np.exp(np.where(positive, -o, o)))


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
        group_size(len(codes), groups)
        return sum(pulling_away(part) for part in np.split(codes, groups)) / groups
    unit = codes / np.sqrt((codes * codes).sum(1, keepdims=True))
    cosines = np.dot(unit, unit.T)
    squares = cosines * cosines
    return (squares.sum() - np.diag(squares).sum()) / pairs(len(codes))


def excess(g: Tensor, norm: float) -> Tensor:
    """What the penalty R[(|g| - norm)²] sums, of gradients g (B, *data): (|g| - norm)² (B,), or the
    squares themselves where norm is 0."""
    return (_lengths(g) - norm) ** 2 if norm else g * g


CRITIC = Terms(
    D=lambda loss, real, fake: fake - real,
    G=lambda loss, fake: -fake,
)
LOSSES: dict[type[Loss], Terms] = {
    BinaryCrossEntropy: Terms(
        D=lambda loss, real, fake: bce(real, loss.real_label) + bce(fake, 0),
        G=lambda loss, fake: -bce(fake, 0) if loss.minimax else bce(fake, 1),
        score=npx.sigmoid,
    ),
    Margin: Terms(
        D=lambda loss, real, fake: real + npx.relu(loss.margin - fake),
        G=lambda loss, fake: fake,
    ),
    LeastSquares: Terms(
        D=lambda loss, real, fake: 0.5 * (real - 1) ** 2 + 0.5 * fake**2,
        G=lambda loss, fake: 0.5 * (fake - 1) ** 2,
    ),
    Hinge: Terms(
        D=lambda loss, real, fake: npx.relu(1 - real) + npx.relu(1 + fake),
        G=lambda loss, fake: -fake,
    ),
    Wasserstein: CRITIC,
    WassersteinGP: CRITIC,
}


class Slopes(NamedTuple):
    """A kind's derivatives as symbols, which `fast.unrolled` needs: of D's outputs (2 B, 1) on real
    and fake examples, for which `is_real` is 1 and 0, and of those (B, 1) on G's."""

    D: Callable[[Any, Symbol, Symbol], Symbol]
    G: Callable[[Any, Symbol], Symbol]


CRITIC_SLOPES = Slopes(
    D=lambda loss, out, is_real: 1 - 2 * is_real,
    G=lambda loss, out: -S.ones_like(out),
)
SLOPES: dict[type[Loss], Slopes] = {
    BinaryCrossEntropy: Slopes(
        D=lambda loss, out, is_real: S.sigmoid(out) - loss.real_label * is_real,
        G=lambda loss, out: -S.sigmoid(out if loss.minimax else -out),
    ),
    Margin: Slopes(
        D=lambda loss, out, is_real: is_real - (1 - is_real) * (out < loss.margin),
        G=lambda loss, out: S.ones_like(out),
    ),
    LeastSquares: Slopes(
        D=lambda loss, out, is_real: out - is_real,
        G=lambda loss, out: out - 1,
    ),
    Hinge: Slopes(
        D=lambda loss, out, is_real: (1 - is_real) * (out > -1) - is_real * (out < 1),
        G=lambda loss, out: -S.ones_like(out),
    ),
    Wasserstein: CRITIC_SLOPES,
    WassersteinGP: CRITIC_SLOPES,
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
    return LOSSES[type(loss)].score(detach(outputs)).mean(-1)


def pull(g: Tensor, norm: float) -> Tensor:
    """Half the derivative of (|g| - norm)² to g (B, *data): (1 - norm / |g|) g; 0 where g is 0,
    where it has none."""
    if not norm:
        return g
    lengths = _lengths(g)
    share = 1 - norm / np.where(lengths > 0, lengths, np.full_like(lengths, norm))
    return g * share.reshape(-1, *(1,) * (g.ndim - 1))


def _lengths(g: Tensor) -> Tensor:
    return np.sqrt((g * g).reshape(len(g), -1).sum(1))


def _reduce(loss: Loss, terms: Tensor) -> Tensor:
    return terms.sum(-1) if loss.reduction == "sum" else terms.sum(-1) / terms.shape[-1]
