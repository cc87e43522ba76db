"""Convolutions as processors like them: of stride 1, on images whose channels hold the pixels of a
block; or as matrix products of patches.

A convolution of stride s sees an image of s × s blocks, each of them one pixel of s² times the
channels ("space to depth"): there its stride is 1 and its kernel s times as narrow. Its transpose
is the same in reverse. The sums are those of `layers` in another order. A kernel whose size is no
multiple of s would get a border of zeros, so many channels go by patches instead. XLA's code for
processors is several times slower where it strides, or meets the zeros between a transposed
convolution's pixels (measured).

Patches are taken and laid one place of the kernel at a time, in a loop. Without it XLA would fuse
their sum into each of its readers and compute it there again: a generator's pass took three times
as long as its layers alone.
"""

from __future__ import annotations

import copy
import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ganref.spec import layers as spec

from ..framework import Tensor
from ..layers import IMAGES, BatchNorm, Conv, ConvTranspose, Network
from .norm import ProductBatchNorm

# With fewer channels a patch has no runs of numbers that are worth a copy of their own.
FEW_CHANNELS = 8


class BlockConv(Conv):
    """`layers.Conv` of blocks."""

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """y (B, h, w, out) of x (B, h, w, in)."""
        return _convolved(self.spec, x, weight)


class BlockConvTranspose(ConvTranspose):
    """`layers.ConvTranspose` to blocks."""

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """y (B, h, w, out) of x (B, h, w, in)."""
        _, *size = self.spec.out_shape((x.shape[-1], *x.shape[1:3]))
        return _transposed(self.spec, tuple(size), x, weight)


def correlate(window: spec.Conv, x: Tensor, weight: Tensor) -> Tensor:
    """y (B, h, w, small) of x (B, H, W, large)."""
    return (_by_patches if _widens(window, weight) else _by_blocks)(window, x, weight)


def _by_blocks(window: spec.Conv, x: Tensor, weight: Tensor) -> Tensor:
    weight, s = _widened(window, weight), window.stride
    x, out = _padded(window, x)
    if out == [1, 1]:  # a kernel as large as the image: one matrix product
        return (x.reshape(len(x), -1) @ weight.reshape(-1, weight.shape[-1]))[:, None, None]
    laid = _blocked(weight, s)  # (K, K, s, s, in, out)
    laid = laid.reshape(*laid.shape[:2], -1, weight.shape[-1])
    x = to_blocks(x, s)
    return lax.conv_general_dilated(x, laid, (1, 1), "VALID", dimension_numbers=IMAGES)


def _by_patches(window: spec.Conv, x: Tensor, weight: Tensor) -> Tensor:
    k, s = window.kernel, window.stride
    x, out = _padded(window, x)
    batch, rows, columns, large = x.shape
    x = x.reshape(batch, rows // s, s, columns // s, s, large)

    def take(n: Any, patches: Tensor) -> Tensor:
        (i, j), at = _place(window, n)
        patch = lax.dynamic_slice(x, at, (batch, out[0], 1, out[1], 1, large))
        patch = patch.reshape(batch, *out, 1, 1, large)
        return lax.dynamic_update_slice(patches, patch, (0, 0, 0, i, j, 0))

    patches = jnp.empty((batch, *out, k, k, large), x.dtype)
    patches = lax.fori_loop(0, k * k, take, patches).reshape(-1, k * k * large)
    return (patches @ weight.reshape(-1, weight.shape[-1])).reshape(batch, *out, -1)


def spread(window: spec.Conv, size: tuple[int, ...], y: Tensor, weight: Tensor) -> Tensor:
    """x (B, *size, large) of y (B, h, w, small): the gradient of `correlate` to its input.

    One product makes a patch of x of every number of y; patches are laid over one another. Where
    blocks have no zeros to multiply by, XLA's way back through them is quicker."""
    k, _, large, small = weight.shape
    batch, *here, _ = y.shape
    s, before = window.stride, window.padding[0]
    ends, cells = [before + n for n in size], _cells(window)
    unseen = any(end > (n + cells - 1) * s for n, end in zip(here, ends, strict=True))
    if unseen or here != [1, 1] and large >= FEW_CHANNELS and not _widens(window, weight):
        like = jax.ShapeDtypeStruct((batch, *size, large), y.dtype)
        return jax.linear_transpose(lambda x: _by_blocks(window, x, weight), like)(y)[0]
    patches = y.reshape(-1, small) @ weight.reshape(-1, small).T
    patches = patches.reshape(batch, *here, k, k, large)
    if here == [1, 1]:
        return patches[:, 0, 0, before : ends[0], before : ends[1]]

    def lay(n: Any, x: Tensor) -> Tensor:
        (i, j), at = _place(window, n)
        patch = lax.dynamic_slice(patches, (0, 0, 0, i, j, 0), (batch, *here, 1, 1, large))
        patch = patch.reshape(batch, here[0], 1, here[1], 1, large)
        return lax.dynamic_update_slice(x, lax.dynamic_slice(x, at, patch.shape) + patch, at)

    rows, columns = (n + cells - 1 for n in here)
    x = jnp.zeros((batch, rows, s, columns, s, large), y.dtype)
    x = lax.fori_loop(0, k * k, lay, x).reshape(batch, rows * s, columns * s, large)
    return x[:, before : ends[0], before : ends[1]]


def correlate_kernel(window: spec.Conv, x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    """The gradient of `correlate` to its kernel."""
    return jax.linear_transpose(lambda w: correlate(window, x, w), weight)(y)[0]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _convolved(window: Any, x: Tensor, weight: Tensor) -> Tensor:
    return correlate(window, x, weight)


def _back(window: Any, seen: Any, dy: Tensor) -> tuple[Tensor, Tensor]:
    x, weight = seen
    dx = spread(window, x.shape[1:3], dy, weight)
    return dx, correlate_kernel(window, x, dy, weight)


_convolved.defvjp(lambda window, x, weight: (correlate(window, x, weight), (x, weight)), _back)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _transposed(window: Any, size: Any, x: Tensor, weight: Tensor) -> Tensor:
    return spread(window, size, x, weight)


def _back_transposed(window: Any, size: Any, seen: Any, dy: Tensor) -> tuple[Tensor, Tensor]:
    x, weight = seen
    return correlate(window, dy, weight), correlate_kernel(window, dy, x, weight)


_transposed.defvjp(
    lambda window, size, x, weight: (spread(window, size, x, weight), (x, weight)),
    _back_transposed,
)


def rewritten(net: Network) -> Network:
    """The same network on the same cells, with layers that processors like."""
    kinds: dict[Any, Any] = {
        Conv: BlockConv,
        ConvTranspose: BlockConvTranspose,
        BatchNorm: ProductBatchNorm,
    }
    layers = (kinds.get(type(own), type(own))(own.spec, own.dtype) for own in net.chain.layers)
    new = copy.copy(net)
    new.chain = dataclasses.replace(net.chain, layers=tuple(layers))
    return new


def to_blocks(x: Tensor, size: int) -> Tensor:
    """(B, size h, size w, c) as (B, h, w, size² c)."""
    batch, rows, columns, channels = x.shape
    x = x.reshape(batch, rows // size, size, columns // size, size, channels)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, rows // size, columns // size, -1)


def _padded(window: spec.Conv, x: Tensor) -> tuple[Tensor, list[int]]:
    """(x up to the last block that is looked at, the rows and columns of its small image)."""
    s, (before, after), size = window.stride, window.padding, x.shape[1:3]
    out = [(n + before + after - window.kernel) // s + 1 for n in size]
    seen = [(n + _cells(window) - 1) * s for n in out]
    # What lies beyond is cut off, a padding below 0.
    pads = [(before, n - before - m, 0) for n, m in zip(seen, size, strict=True)]
    return lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *pads, (0, 0, 0))), out


def _place(window: spec.Conv, n: Any) -> tuple[tuple[Any, Any], tuple[Any, ...]]:
    """(row and column of the kernel's n-th number, where a patch that it sees begins in an image
    (B, h, s, w, s, large))."""
    (i, j), s = (n // window.kernel, n % window.kernel), window.stride
    return (i, j), (0, i // s, i % s, j // s, j % s, 0)


def _cells(window: spec.Conv) -> int:
    """The blocks in a row of the kernel."""
    return -(-window.kernel // window.stride)


def _widens(window: spec.Conv, weight: Tensor) -> bool:
    """Whether blocks would multiply by zeros, so much that patches are quicker."""
    return bool(window.kernel % window.stride) and weight.shape[2] >= FEW_CHANNELS


def _widened(window: spec.Conv, weight: Tensor) -> Tensor:
    """A kernel with zeros up to a multiple of the stride."""
    more = -window.kernel % window.stride
    return jnp.pad(weight, ((0, more), (0, more), (0, 0), (0, 0)))


def _blocked(weight: Tensor, size: int) -> Tensor:
    """A kernel (size K, size K, i, o) as (K, K, size, size, i, o)."""
    cells = len(weight) // size
    weight = weight.reshape(cells, size, cells, size, *weight.shape[2:])
    return weight.transpose(0, 2, 1, 3, 4, 5)
