"""What losses add to D's outputs, as symbols: gradient penalties and the repelling term."""

from __future__ import annotations

from ganref.spec.formulas import pairs
from ganref.spec.groups import group_size
from ganref.spec.loss import Loss, Penalty
from ganref.spec.networks import Network as NetworkSpec
from ganref.spec.schema import MIX

from .dual import Dual, S, Symbol, tangent
from .symbols import backward, forward


def point(penalty: Penalty, X: Symbol, fake_X: Symbol, masks: dict[str, Symbol]) -> Symbol:
    """`ganref.spec.steps.points`, for one penalty."""
    if penalty.at != "mixed":
        return {"real": X, "fake": fake_X}[penalty.at]
    share = masks[MIX]
    return S.broadcast_add(S.broadcast_mul(share, X), S.broadcast_mul(1 - share, fake_X))


def gradient_penalty(
    network: NetworkSpec,
    loss: Loss,
    penalty: Penalty,
    x: Symbol,
    flat: Symbol,
    batch: int,
    masks: dict[str, Symbol],
) -> tuple[Symbol, list[Symbol]]:
    """A penalty (1,), and its gradients to the weights: with g the gradient of the summed outputs
    to x, how the weights' gradients change in the direction (1 - norm / |g|) g."""
    made = forward(network, x, flat, batch, masks)
    ones = S.ones_like(made.y)
    g, _ = backward(network, ones, made)
    excess, v = S.square(g), g
    if penalty.norm:
        lengths = S.sqrt(S.sum(S.reshape(excess, shape=(batch, -1)), axis=1))
        share = 1 - penalty.norm / (lengths + penalty.norm * (lengths == 0))  # 0 where g is
        v = S.broadcast_mul(g, S.reshape(share, shape=(batch, *[1] * len(network.input_shape))))
        excess = S.square(lengths - penalty.norm)
    moved = forward(network, Dual(x, v), flat, batch, masks)
    _, grads = backward(network, ones, moved)
    factor = penalty.weight * loss.weight(batch)
    value = S.reshape(S.sum(excess), shape=(1,)) * factor
    return value, [tangent(grad) * (2 * factor) for grad in grads]


def pulling_away(codes: Symbol, batch: int, groups: int = 1) -> tuple[Symbol, Symbol]:
    """`ganref.spec.formulas.pulling_away` (1,) and its derivative, of codes (B, n)."""
    if groups > 1:
        size = group_size(batch, groups)
        cuts = [S.slice_axis(codes, axis=0, begin=i, end=i + size) for i in range(0, batch, size)]
        values, grads = zip(*(pulling_away(part, size) for part in cuts), strict=True)
        return S.add_n(*values) / groups, S.concat(*grads, dim=0) / groups
    norm = S.sqrt(S.sum(S.square(codes), axis=1, keepdims=True))
    unit = S.broadcast_div(codes, norm)
    cosines = S.dot(unit, unit, transpose_b=True)
    cosines = S.elemwise_sub(cosines, S.diag(S.diag(cosines)))  # an example with itself
    count = pairs(batch)
    penalty = S.reshape(S.sum(S.square(cosines)), shape=(1,)) * (1 / count)
    grad = S.dot(cosines, unit) * (4 / count)
    along = S.sum(S.elemwise_mul(grad, unit), axis=1, keepdims=True)
    return penalty, S.broadcast_div(S.elemwise_sub(grad, S.broadcast_mul(unit, along)), norm)
