"""Convolutions as matrix products, where a processor is slower by oneDNN's kernels.

These fill their registers along an image's rows: on 4 × 4 or 8 × 8 numbers their gradients reach a
third of the rate of a matrix product (measured), and they know no uneven padding, which would have
to be laid on and cut off again in copies. Here the patches under the kernel become the rows of a
matrix, as the NumPy backend's `layers` has it, and in channels-last order, where a patch is a few
contiguous runs.

A convolution and its transpose are the same three sums: `correlate` from a large image to a small
one, `spread` back, and `correlate_kernel` of both. The kernel is (small, large, rows, columns).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ganref.spec import layers as spec
from ganref.spec.schema import Recipe

from ..layers import Conv, ConvTranspose, Dense, Network
from .multiply import ProductDense, applied, multiply, remade, wanted

# Where padding is even, oneDNN is slower only on small images of at most so many pixels, in the
# gradient to the kernel and in the sum back to the large image.
MOST_PIXELS = 16
# The rows are made a part of the batch at a time: more would leave the caches.
MOST_BYTES = 2**24
# Of a dense step; in a smaller one a call of a function in Python takes more than it saves.
LEAST_FLOPS = 2e8


def pays(recipe: Recipe, mixed: bool, compile: str) -> bool:
    """Whether the recipe's networks are to be `rewritten` on a processor."""
    # No sum here has a second derivative, and none is made for 8 bits.
    plain = mixed or recipe.loss.penalties or any(net.spectral for net in recipe.networks)
    large = recipe.convolves or recipe.flops_per_example * recipe.batch_size > LEAST_FLOPS
    return compile != "off" and large and not plain


def rewritten(net: Network) -> Network:
    """The same network on the same tensors, with products for convolutions where they pay."""
    new = copy.copy(net)
    new._modules = dict(net._modules)
    layers = zip(net._modules.items(), net.spec.layers, net.spec.shapes, strict=False)
    for (name, module), layer, shape in layers:
        if type(module) is Dense:
            new._modules[name] = remade(module, ProductDense)
        elif isinstance(layer, spec.Conv) and (shapes := Shapes(layer, shape)).by_product:
            new._modules[name] = _with_products(module, shapes)
    return new


class ProductConv(Conv):
    """`layers.Conv` by products."""

    shapes: Shapes

    def forward(self, x: Tensor, update_stats: bool) -> Tensor:  # type: ignore[override]
        """y (B, out, h, w) of x (B, in, H, W)."""
        return applied(_Convolution, x, self.weight, self.bias, self.shapes)


class ProductConvTranspose(ConvTranspose):
    """`layers.ConvTranspose` by products."""

    shapes: Shapes

    def forward(self, x: Tensor, update_stats: bool) -> Tensor:  # type: ignore[override]
        """y (B, out, H, W) of x (B, in, h, w)."""
        return applied(_Transposed, x, self.weight, self.bias, self.shapes)


class Shapes:
    """What a convolution's three sums have in common: its window, and both images' shapes as
    (rows, columns, channels)."""

    def __init__(self, layer: spec.Conv, shape: tuple[int, ...]) -> None:
        out = layer.out_shape(shape)
        large, small = (out, shape) if isinstance(layer, spec.ConvTranspose) else (shape, out)
        self.kernel, self.stride, self.padding = layer.kernel, layer.stride, layer.padding
        pad, ones = [layer.padding[0]] * 2, [1, 1]
        self.window: Any = [layer.stride] * 2, pad, ones, False, [0, 0], 1
        self.large, self.small = ((*size, channels) for channels, *size in (large, small))
        even, pixels = layer.padding[0] == layer.padding[1], math.prod(self.small[:2])
        sums = {"correlate": 0, "spread": MOST_PIXELS, "correlate_kernel": MOST_PIXELS}
        self.by_product = {name for name, most in sums.items() if not even or pixels <= most}

    def parts(self, batch: int, item: int) -> Iterator[slice]:
        """The batch in parts."""
        row = item * self.kernel**2 * self.large[2]
        size = max(1, MOST_BYTES // (row * math.prod(self.small[:2])))
        return (slice(i, i + size) for i in range(0, batch, size))

    def patches(self, x: Tensor) -> Tensor:
        """The matrix (b h w, K K large) of the patches of x (b, H, W, large)."""
        (rows, columns, _), k, s = self.small, self.kernel, self.stride
        x = F.pad(x, (0, 0, *self.padding, *self.padding)) if any(self.padding) else x
        batch, high, wide, channels = x.shape
        strides = high * wide * channels, s * wide * channels, s * channels, wide * channels, 1
        view = x.as_strided((batch, rows, columns, k, k * channels), strides)
        return view.reshape(-1, k * k * channels)

    def lay(self, patches: Tensor) -> Tensor:
        """The sum (b, H, W, large) of patches (b h w, K K large) laid where they were taken."""
        (rows, columns, _), (high, wide, channels) = self.small, self.large
        k, s, (before, after) = self.kernel, self.stride, self.padding
        cells = patches.view(-1, rows, columns, k, k, channels)
        if rows == columns == 1:
            return cells[:, 0, 0, before : before + high, before : before + wide]
        x = cells.new_zeros(len(cells), high + before + after, wide + before + after, channels)
        for i in range(k):
            for j in range(k):
                x[:, i : i + s * rows : s, j : j + s * columns : s] += cells[:, :, :, i, j]
        return x[:, before : before + high, before : before + wide]


def correlate(x: Tensor, w: Tensor, shapes: Shapes) -> Tensor:
    """y (B, small, h, w) of x (B, large, H, W)."""
    if "correlate" not in shapes.by_product:
        return torch.ops.aten.convolution(x, w, None, *shapes.window)
    x = _rows(x)
    y, matrix = x.new_empty(len(x), *shapes.small), _matrix(w)
    for part in shapes.parts(len(x), x.element_size()):
        y[part].view(-1, len(w)).copy_(multiply(shapes.patches(x[part]), matrix))
    return _image(y)


def spread(y: Tensor, w: Tensor, shapes: Shapes) -> Tensor:
    """x (B, large, H, W) of y (B, small, h, w): the gradient of `correlate` to its input."""
    if "spread" not in shapes.by_product:
        like = y.new_empty(1).expand(len(y), w.shape[1], *shapes.large[:2])
        return _backward(y, like, w, shapes, 0)
    y = _rows(y)
    x, matrix = y.new_empty(len(y), *shapes.large), _matrix(w).T
    for part in shapes.parts(len(y), y.element_size()):
        x[part] = shapes.lay(multiply(y[part].view(-1, len(w)), matrix))
    return _image(x)


def correlate_kernel(x: Tensor, y: Tensor, w: Tensor, shapes: Shapes) -> Tensor:
    """The gradient of `correlate` to its kernel, which lies in memory as w does."""
    if "correlate_kernel" not in shapes.by_product:
        return _backward(y, x, w, shapes, 1)
    x, y = _rows(x), _rows(y)
    total: Any = None
    for part in shapes.parts(len(x), x.element_size()):
        rows, patches = y[part].view(-1, len(w)).T, shapes.patches(x[part])
        product = multiply(rows, patches.T)
        total = product if total is None else total.add_(product)
    return _image(total.view(len(w), shapes.kernel, shapes.kernel, -1))


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None, shapes: Shapes) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.shapes = shapes
        return _shifted(correlate(x, w, shapes), bias)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        (x, w), shapes, (to_x, to_w, to_bias) = ctx.saved_tensors, ctx.shapes, wanted(ctx)
        dx = spread(dy, w, shapes) if to_x else None
        dw = correlate_kernel(x, dy, w, shapes) if to_w else None
        return dx, dw, dy.sum((0, 2, 3)) if to_bias else None, None


class _Transposed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None, shapes: Shapes) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.shapes = shapes
        return _shifted(spread(x, w, shapes), bias)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        (x, w), shapes, (to_x, to_w, to_bias) = ctx.saved_tensors, ctx.shapes, wanted(ctx)
        dx = correlate(dy, w, shapes) if to_x else None
        dw = correlate_kernel(dy, x, w, shapes) if to_w else None
        return dx, dw, dy.sum((0, 2, 3)) if to_bias else None, None


def _backward(y: Tensor, x: Tensor, w: Tensor, shapes: Shapes, which: int) -> Tensor:
    asked = [which == 0, which == 1, False]
    found = torch.ops.aten.convolution_backward(y, x, w, [0], *shapes.window, asked)
    return found[which]


def _with_products(layer: Any, shapes: Shapes) -> Any:
    new = remade(layer, ProductConv if isinstance(layer, Conv) else ProductConvTranspose)
    new.shapes = shapes
    return new


def _shifted(y: Tensor, bias: Tensor | None) -> Tensor:
    return y if bias is None else y.add_(bias[:, None, None])


def _rows(x: Tensor) -> Tensor:
    """(B, c, h, w) as (B, h, w, c), and so in memory."""
    return x.permute(0, 2, 3, 1).contiguous()


def _image(x: Tensor) -> Tensor:
    """(B, h, w, c) as (B, c, h, w), without a copy."""
    return x.permute(0, 3, 1, 2)


def _matrix(w: Tensor) -> Tensor:
    return w.permute(0, 2, 3, 1).reshape(len(w), -1)
