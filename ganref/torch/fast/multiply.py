"""Matrix products by oneDNN.

PyTorch's own go to MKL, which has kernels of AVX-512 for Intel's processors alone: on another that
has it, oneDNN takes half the time (measured). The operation is the one that PyTorch's compiler
calls for linear layers.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..layers import Dense


def multiply(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a bᵀ + bias (m, n) of a (m, k), b (n, k) and (n,), each in any order in memory. It has no
    derivative."""
    if a.dtype != torch.float32 or not torch.backends.mkldnn.is_available():
        return F.linear(a, b, bias)
    return torch.ops.mkldnn._linear_pointwise(a, b, bias, "none", [], "")


class ProductDense(Dense):
    """`layers.Dense` by these products."""

    def forward(self, x: Tensor, update_stats: bool) -> Tensor:  # type: ignore[override]
        """y (B, out) of x (B, in)."""
        return applied(_Dense, x, self.weight, self.bias)


def remade(layer: Any, kind: type) -> Any:
    """A layer of another kind on the same tensors."""
    new = copy.copy(layer)
    new.__class__ = kind
    return new


class _Dense(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, w)
        return multiply(x, w, bias)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        (x, w), (to_x, to_w, to_bias) = ctx.saved_tensors, wanted(ctx)
        dx = multiply(dy, w.T) if to_x else None
        dw = multiply(dy.T, x.T) if to_w else None
        return dx, dw, dy.sum(0) if to_bias else None


def applied(kind: Any, x: Tensor, w: Tensor, bias: Tensor | None, *more: Any) -> Tensor:
    """What a function makes of x and a layer's own tensors."""
    # Views, since the engine does not say of a leaf whether anybody wants its gradient.
    own = (None if own is None else own.view_as(own) for own in (w, bias))
    return kind.apply(x, *own, *more)


def wanted(ctx: Any) -> list[bool]:
    """Whether the gradients to x, w and bias are asked for: `needs_input_grad` only says that they
    could be."""
    executed = torch._C._will_engine_execute_node  # type: ignore[attr-defined]
    own = [node is not None and executed(node) for node, _ in ctx.next_functions[1:]]
    return [ctx.needs_input_grad[0], *own, False][:3]  # a bias that is not there has no entry
