"""Convolutions as processors like them: of stride 1, on images whose channels hold the pixels of a
block.

A convolution of stride s sees an image of s × s blocks, each of them one pixel of s² times the
channels ("space to depth"): there its stride is 1 and its kernel s times as narrow. Its transpose
is the same in reverse. The sums are those of `layers` in another order; a kernel whose size is no
multiple of s gets a border of zeros. XLA's code for processors is several times slower where it
strides, or meets the zeros between a transposed convolution's pixels (measured).
"""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import jax.numpy as jnp
from jax import lax

from ..framework import Tensor
from ..layers import IMAGES, Conv, ConvTranspose, Network


class BlockConv(Conv):
    """`layers.Conv` of blocks."""

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """y (B, h, w, out) of x (B, h, w, in)."""
        weight, s, (before, _) = _widened(self, weight), self.spec.stride, self.spec.padding
        batch, *size, channels = x.shape
        _, *out = self.spec.out_shape((channels, *size))
        # What lies beyond the last block that is looked at is cut off, a padding below 0.
        seen = [(n - 1) * s + len(weight) for n in out]
        pads = [(before, n - before - m, 0) for n, m in zip(seen, size, strict=True)]
        x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *pads, (0, 0, 0)))
        if out == [1, 1]:  # a kernel as large as the image: one matrix product
            return (x.reshape(batch, -1) @ weight.reshape(-1, weight.shape[-1]))[:, None, None]
        laid = _blocked(weight, s)  # (K, K, s, s, in, out)
        laid = laid.reshape(*laid.shape[:2], -1, weight.shape[-1])
        return _slide(to_blocks(x, s), laid, 0)


class BlockConvTranspose(ConvTranspose):
    """`layers.ConvTranspose` to blocks."""

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """y (B, h, w, out) of x (B, h, w, in)."""
        weight, s, (before, _) = _widened(self, weight), self.spec.stride, self.spec.padding
        batch, *size, channels = x.shape
        _, *out = self.spec.out_shape((channels, *size))
        kernel, _, wide, _ = weight.shape
        if size == [1, 1]:  # the kernel itself, scaled: one matrix product
            y = x.reshape(batch, channels) @ weight.reshape(-1, channels).T
            y = y.reshape(batch, kernel, kernel, wide)
        else:
            laid = _blocked(weight, s)[::-1, ::-1]  # (K, K, s, s, out, in), as a convolution slides
            laid = laid.reshape(*laid.shape[:2], -1, channels).swapaxes(2, 3)
            y = from_blocks(_slide(x, laid, kernel // s - 1), s)
        return y[:, before : before + out[0], before : before + out[1]]


def rewritten(net: Network) -> Network:
    """The same network on the same cells, with its convolutions in blocks."""
    kinds: dict[Any, Any] = {Conv: BlockConv, ConvTranspose: BlockConvTranspose}
    layers = (kinds.get(type(own), type(own))(own.spec, own.dtype) for own in net.chain.layers)
    new = copy.copy(net)
    new.chain = dataclasses.replace(net.chain, layers=tuple(layers))
    return new


def to_blocks(x: Tensor, size: int) -> Tensor:
    """(B, size h, size w, c) as (B, h, w, size² c)."""
    batch, rows, columns, channels = x.shape
    x = x.reshape(batch, rows // size, size, columns // size, size, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, rows // size, columns // size, -1)


def from_blocks(x: Tensor, size: int) -> Tensor:
    """(B, h, w, size² c) as (B, size h, size w, c)."""
    batch, rows, columns, _ = x.shape
    x = x.reshape(batch, rows, columns, size, size, -1)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, rows * size, columns * size, -1)


def _widened(layer: Any, weight: Tensor) -> Tensor:
    """A kernel with zeros up to a multiple of the stride."""
    more = -layer.spec.kernel % layer.spec.stride
    return jnp.pad(weight, ((0, more), (0, more), (0, 0), (0, 0)))


def _blocked(weight: Tensor, size: int) -> Tensor:
    """A kernel (size K, size K, i, o) as (K, K, size, size, i, o)."""
    cells = len(weight) // size
    weight = weight.reshape(cells, size, cells, size, *weight.shape[2:])
    return weight.transpose(0, 2, 1, 3, 4, 5)


def _slide(x: Tensor, weight: Tensor, padding: int) -> Tensor:
    # Laid on before: XLA's gradient to the weights of a convolution that pads is 100 times slower.
    x = jnp.pad(x, ((0, 0), *[(padding, padding)] * 2, (0, 0)))
    return lax.conv_general_dilated(x, weight, (1, 1), "VALID", dimension_numbers=IMAGES)
