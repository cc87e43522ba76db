"""Convolutions whose gradients to the kernel are matrix products, where oneDNN's are slower.

Those fill their registers along an image's rows: on 4 × 4 numbers they reach a third of the rate of
a matrix product (measured). Here the patches under the kernel become the rows of a matrix, as the
NumPy backend's `layers` has it.
"""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from ganref.spec import layers as spec
from ganref.spec.schema import Recipe

from ..framework import Tensor
from ..layers import Conv, ConvTranspose, Network

# On more pixels of the small image, gathering the patches takes more than it gives back.
MOST_PIXELS = 16


def pays(recipe: Recipe, device: str) -> bool:
    """Whether the recipe's networks are to be `rewritten` there."""
    return "CPU" in device and recipe.convolves and not recipe.loss.penalties


def rewritten(net: Network) -> Network:
    """The same network, with products for its convolutions' gradients where they pay."""
    for layer, shape in zip(net.chain, net.spec.shapes, strict=False):
        own = layer.spec
        if not isinstance(own, spec.Conv) or layer.compute_dtype != layer.variable_dtype:
            continue
        small = shape if isinstance(own, spec.ConvTranspose) else own.out_shape(shape)
        if math.prod(small[1:]) <= MOST_PIXELS:
            layer.__class__ = PRODUCTS[type(layer)]
    return net


class ProductConv(Conv):
    """`layers.Conv` with a product for its kernel's gradient."""

    def convolution_op(self, inputs: Tensor, kernel: Any) -> Tensor:
        """y (B, h, w, small) of (B, H, W, large)."""
        convolve = super().convolution_op

        @tf.custom_gradient
        def convolved(x: Tensor, w: Tensor) -> tuple[Tensor, Any]:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = convolve(x, w)

            def back(dy: Tensor) -> tuple[Tensor, Tensor]:
                return tape.gradient(y, x, dy), correlate_kernel(x, dy, self.spec)

            return y, back

        return convolved(inputs, tf.convert_to_tensor(kernel))


class ProductConvTranspose(ConvTranspose):
    """`layers.ConvTranspose` with a product for its kernel's gradient."""

    def _spread(self, x: Tensor, kernel: Any) -> Tensor:
        spread = super()._spread

        @tf.custom_gradient
        def laid(x: Tensor, w: Tensor) -> tuple[Tensor, Any]:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = spread(x, w)

            def back(dy: Tensor) -> tuple[Tensor, Tensor]:
                return tape.gradient(y, x, dy), correlate_kernel(dy, x, self.spec)

            return y, back

        return laid(x, tf.convert_to_tensor(kernel))


PRODUCTS: dict[type, type] = {Conv: ProductConv, ConvTranspose: ProductConvTranspose}


def correlate_kernel(x: Tensor, y: Tensor, layer: spec.Conv) -> Tensor:
    """The gradient of a convolution of x (B, H, W, large) to its kernel (K, K, large, small), given
    that of its output, y (B, h, w, small)."""
    k, s, pads = layer.kernel, layer.stride, list(layer.padding)
    large, small = x.shape[-1], y.shape[-1]
    if any(pads):
        x = tf.pad(x, [[0, 0], pads, pads, [0, 0]])
    window = (1, k, k, 1), (1, s, s, 1), (1, 1, 1, 1), "VALID"
    patches = tf.reshape(tf.image.extract_patches(x, *window), (-1, k * k * large))
    product = tf.matmul(patches, tf.reshape(y, (-1, small)), transpose_a=True)
    return tf.reshape(product, (k, k, large, small))
