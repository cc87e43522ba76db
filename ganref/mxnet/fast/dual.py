"""Symbols with a derivative: what `symbols` is written in, for MXNet derives no symbol twice.

A `Dual` is x + t dx with t² = 0. Every function here takes symbols or duals and gives a dual where
one went in, so the same lines compute a network's gradient at X and, at X + t g, also how it
changes in the direction g. A symbol that is nobody's input is never computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ..framework import mx

Symbol = Any
S = mx.sym


class Dual(NamedTuple):
    """A symbol and its derivative, of the same shape."""

    value: Symbol
    tangent: Symbol


Either = Any  # a symbol, whose derivative is 0, or a Dual


def value(x: Either) -> Symbol:
    """x without its derivative."""
    return x.value if isinstance(x, Dual) else x


def tangent(x: Either) -> Symbol:
    """x's derivative."""
    return x.tangent if isinstance(x, Dual) else S.zeros_like(x)


def linear(op: Callable, x: Either, **how: Any) -> Either:
    """op(x) of an operator linear in x."""
    if not isinstance(x, Dual):
        return op(x, **how)
    return Dual(op(x.value, **how), op(x.tangent, **how))


def product(op: Callable, a: Either, b: Either, **how: Any) -> Either:
    """op(a, b) of an operator linear in each: the product rule."""
    terms = [op(a.tangent, value(b), **how)] if isinstance(a, Dual) else []
    terms += [op(value(a), b.tangent, **how)] if isinstance(b, Dual) else []
    y = op(value(a), value(b), **how)
    return Dual(y, S.add_n(*terms)) if terms else y


def minus(a: Either, b: Either) -> Either:
    """a - b, of one shape; both have a derivative, or neither."""
    y = S.elemwise_sub(value(a), value(b))
    return Dual(y, S.elemwise_sub(a.tangent, b.tangent)) if isinstance(a, Dual) else y


def shifted(x: Either, bias: Symbol) -> Either:
    """x + bias, which is the same for every row."""
    y = S.broadcast_add(value(x), bias)
    return Dual(y, x.tangent) if isinstance(x, Dual) else y


def tanh(x: Either) -> tuple[Either, Either]:
    """(tanh(x), its derivative 1 - tanh²(x))."""
    y = S.tanh(value(x))
    slope = 1 - S.square(y)
    if not isinstance(x, Dual):
        return y, slope
    d_y = S.elemwise_mul(slope, x.tangent)
    return Dual(y, d_y), Dual(slope, -2 * S.elemwise_mul(y, d_y))
