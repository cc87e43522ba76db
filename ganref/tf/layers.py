"""The layers, as Keras layers that take their numbers from the spec.

Images are NHWC in here: TensorFlow's convolutions on the processor want it. Whatever depends on
the order of the numbers (reshaping, flattening, dropout masks) goes through channels first, the
order of the border. A kernel is the border's transposed, for all three kinds of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ganref.spec import layers as spec
from ganref.spec.groups import group_size
from ganref.spec.networks import Network as NetworkSpec

from .framework import Gradients, Masks, Tensor


class Layer(keras.layers.Layer):
    """A layer that takes its numbers from the spec."""

    def __init__(self, layer: Any, dtype: tf.DType) -> None:
        super().__init__(dtype=dtype.name, autocast=False)
        self.spec = layer


class Dense(keras.layers.Dense):
    """y = x Wᵀ + b."""

    def __init__(self, layer: spec.Dense | spec.Projection, dtype: tf.DType) -> None:
        super().__init__(layer.out_features, **_options(layer, dtype))
        self.spec = layer
        _keep_u(self, layer)
        self.build((None, layer.in_features))

    def call(self, x: Tensor, update_stats: bool) -> Tensor:
        if not self.spec.spectral:
            return super().call(x)
        y = tf.matmul(x, _kernel(self, (1, 0), update_stats))
        return tf.nn.bias_add(y, self.bias) if self.use_bias else y


class Conv(keras.layers.Conv2D):
    """Cross-correlation, padded by the spec's explicit pair."""

    def __init__(self, layer: spec.Conv, dtype: tf.DType) -> None:
        super().__init__(layer.out_channels, layer.kernel, layer.stride, **_options(layer, dtype))
        self.spec = layer
        _keep_u(self, layer)
        self.build((None, None, None, layer.in_channels))

    def call(self, x: Tensor, update_stats: bool) -> Tensor:
        if not self.spec.spectral:
            return super().call(x)
        y = self.convolution_op(x, _kernel(self, (3, 2, 0, 1), update_stats))
        return tf.nn.bias_add(y, self.bias) if self.use_bias else y

    def convolution_op(self, inputs: Tensor, kernel: Tensor) -> Tensor:
        """Keras' hook for the convolution itself: its own knows no explicit padding."""
        padding = _padding(self.spec, inputs.shape[1:3])
        return tf.nn.conv2d(inputs, kernel, self.spec.stride, padding)


class ConvTranspose(keras.layers.Conv2DTranspose):
    """The transpose of a convolution: its forward pass is that one's gradient to the input."""

    def __init__(self, layer: spec.ConvTranspose, dtype: tf.DType) -> None:
        super().__init__(layer.out_channels, layer.kernel, layer.stride, **_options(layer, dtype))
        self.spec = layer
        _keep_u(self, layer)
        self.build((None, None, None, layer.in_channels))

    def call(self, x: Tensor, update_stats: bool) -> Tensor:
        kernel = self.kernel
        if self.spec.spectral:
            kernel = _kernel(self, (2, 3, 0, 1), update_stats)
        y = self._spread(x, kernel)
        return tf.nn.bias_add(y, self.bias) if self.use_bias else y

    def _spread(self, x: Tensor, kernel: Tensor) -> Tensor:
        batch, *size, channels = x.shape
        channels, *size = self.spec.out_shape((channels, *size))
        out_shape, padding = (batch, *size, channels), _padding(self.spec, size)
        return tf.nn.conv2d_transpose(x, kernel, out_shape, self.spec.stride, padding)


class BatchNorm(Layer):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, per channel (Ioffe and Szegedy 2015)."""

    def __init__(self, layer: spec.BatchNorm, dtype: tf.DType) -> None:
        super().__init__(layer, dtype)
        for p in layer.params():
            setattr(self, p.name, self.add_weight(p.shape, "zeros", trainable=p.trainable))
        self.built = True

    def call(self, x: Tensor, training: bool, update_stats: bool) -> Tensor:
        given, x = x.dtype, tf.cast(x, self.dtype)  # 8 bits are too few for a variance
        if not (training and self.spec.batch_stats):
            return tf.cast(self._normalise(x - self.running_mean, self.running_var), given)
        groups = self.spec.groups
        y, mean, var = self._batch(x) if groups == 1 else self._groups(x)
        if update_stats:
            self._update_stats(mean, var, int(np.prod(x.shape[:-1])) // groups)
        return tf.cast(y, given)

    def _batch(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(y, the batch's mean, its biased variance)."""
        axes = list(range(x.shape.rank - 1))
        mean = tf.reduce_mean(x, axes)
        # tf.nn.moments holds the mean constant here, which makes second derivatives (R1) wrong.
        centred = x - mean
        var = tf.reduce_mean(tf.square(centred), axes)
        return self._normalise(centred, var), mean, var

    def _groups(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same of each group, and the means of their statistics."""
        n = self.spec.groups
        group_size(x.shape[0], n)
        y, means, variances = zip(*(self._batch(group) for group in tf.split(x, n)), strict=True)
        return tf.concat(y, 0), tf.add_n(means) / n, tf.add_n(variances) / n

    def _normalise(self, centred: Tensor, var: Tensor) -> Tensor:
        return centred * (self.weight * tf.math.rsqrt(var + self.spec.eps)) + self.bias

    def _update_stats(self, mean: Tensor, var: Tensor, count: int) -> None:
        keep = self.spec.momentum
        if self.spec.unbiased:
            var = var * (count / (count - 1))
        self.running_mean.assign(keep * self.running_mean + (1 - keep) * mean)
        self.running_var.assign(keep * self.running_var + (1 - keep) * var)


class LeakyReLU(Layer):
    """x where x > 0, else slope * x; the derivative at 0 is the slope."""

    def call(self, x: Tensor) -> Tensor:
        if x.dtype != tf.float64:  # TensorFlow's own holds the slope as a float32
            return tf.nn.leaky_relu(x, self.spec.slope)
        return tf.where(x > 0, x, self.spec.slope * x)


class Tanh(Layer):
    """tanh(x)."""

    def call(self, x: Tensor) -> Tensor:
        return tf.tanh(x)


class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""

    def call(self, x: Tensor) -> Tensor:
        return tf.sigmoid(x)


class Dropout(Layer):
    """x * mask / (1 - rate) with the caller's mask; x where there is none (inference)."""

    # `mask` would be one of Keras' own masks.
    def call(self, x: Tensor, kept: Tensor | None = None) -> Tensor:
        if kept is None:
            return x
        return x * (tf.cast(_channels_last(kept), x.dtype) * (1 / (1 - self.spec.rate)))


class Concat(Layer):
    """The example's label behind its numbers, or as constant channels behind an image's."""

    def call(self, x: Tensor, label: Tensor) -> Tensor:
        batch, *size = x.shape[:-1]
        own = tf.reshape(tf.cast(label, x.dtype), (batch, *[1] * len(size), -1))
        return tf.concat([x, tf.broadcast_to(own, (batch, *size, own.shape[-1]))], -1)


class Projection(Dense):
    """y = x (w + E[label])ᵀ + b (Miyato and Koyama 2018)."""

    def build(self, input_shape: Any) -> None:
        """Keras' hook for weights, which come in the spec's order."""
        super().build(input_shape)
        layer: Any = self.spec
        self.embedding = self.add_weight((layer.in_features, layer.classes), "zeros")

    def call(self, x: Tensor, label: Tensor, update_stats: bool) -> Tensor:  # type: ignore[override]
        w, e = self.kernel, self.embedding
        if self.spec.spectral:
            w = _kernel(self, (1, 0), update_stats)
            e = _kernel(self, (1, 0), update_stats, "embedding", "u_embedding")
        own = tf.matmul(tf.cast(label, e.dtype), e, transpose_b=True)
        y = tf.reduce_sum(x * (tf.transpose(w) + own), 1, keepdims=True)
        return tf.nn.bias_add(y, self.bias) if self.use_bias else y


class Reshape(Layer):
    """The same numbers in the spec's shape."""

    def call(self, x: Tensor) -> Tensor:
        x = _channels_first(x)
        batch, *shape = x.shape
        return _channels_last(tf.reshape(x, (batch, *self.spec.out_shape(tuple(shape)))))


LAYERS = {
    spec.Dense: Dense,
    spec.Conv: Conv,
    spec.ConvTranspose: ConvTranspose,
    spec.BatchNorm: BatchNorm,
    spec.LeakyReLU: LeakyReLU,
    spec.Tanh: Tanh,
    spec.Sigmoid: Sigmoid,
    spec.Dropout: Dropout,
    spec.Concat: Concat,
    spec.Projection: Projection,
    spec.Reshape: Reshape,
    spec.Flatten: Reshape,
}


class Network(keras.Model):
    """A chain of layers: `trained` holds what Adam moves, `stats` the running statistics, both by
    the spec's names.

    With `mixed` it computes in bfloat16; weights, inputs and outputs are float32 all the same."""

    def __init__(
        self,
        network: NetworkSpec,
        weights: dict[str, np.ndarray],
        dtype: tf.DType,
        device: str,
        mixed: bool = False,
    ) -> None:
        super().__init__(name=network.name, autocast=False)
        self.spec, self.device = network, device
        with tf.device(device):
            self.chain = [LAYERS[type(layer)](layer, dtype) for layer in network.layers]
        for layer in self.chain:
            if mixed and isinstance(layer, (Dense, Conv, ConvTranspose)):
                layer.dtype_policy = keras.DTypePolicy("mixed_bfloat16")
        self.built = True
        # What a gradient tape takes derivatives to is the variable inside of Keras'.
        moved = [variable.value for variable in self.trainable_variables]
        fixed = [variable.value for variable in self.non_trainable_variables]
        self.trained = dict(zip(_names(network, True), moved, strict=True))
        self.stats = dict(zip(_names(network, False), fixed, strict=True))
        for name, tensor in (self.trained | self.stats).items():
            write(tensor, weights[name])

    def call(
        self,
        x: Tensor,
        training: bool = True,
        update_stats: bool = True,
        masks: Masks | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """(output, codes) for x (B, *input): samples (B, *output), or outputs (B,); and an
        autoencoder's codes (B, n)."""
        start, codes, own = x, None, masks or {}
        for i, layer in enumerate(self.chain):
            if isinstance(layer, BatchNorm):
                x = layer(x, training=training, update_stats=update_stats)
            elif isinstance(layer, Dropout):
                x = layer(x, kept=own.get(f"{self.spec.name}.{i}"))
            elif isinstance(layer, Concat):
                x = layer(x, label=own[f"{self.spec.name}.{i}"])
            elif isinstance(layer, Projection):
                label = own[f"{self.spec.name}.{i}"]
                x = layer(x, label=label, update_stats=training and update_stats)
            elif isinstance(layer, (Dense, Conv, ConvTranspose)):
                x = layer(x, update_stats=training and update_stats)
            else:
                x = layer(x)
            if i == self.spec.code:
                codes = tf.cast(tf.reshape(x, (x.shape[0], -1)), start.dtype)
        x = tf.cast(x, start.dtype)
        if self.spec.head == "samples":
            return x, codes
        if self.spec.head == "energy":
            return tf.reduce_mean(tf.square(x - start), list(range(1, x.shape.rank))), codes
        return tf.reshape(x, (x.shape[0],)), codes

    def run(
        self,
        x: Tensor,
        training: bool = True,
        update_stats: bool = True,
        masks: Masks | None = None,
    ) -> Tensor:
        """The output for x (B, *input) alone, with nothing recorded."""
        return self(x, training=training, update_stats=update_stats, masks=masks)[0]

    def record(
        self, x: Tensor, update_stats: bool = True, masks: Masks | None = None
    ) -> tuple[Tensor, Any]:
        """(output, tape) for x (B, *input): a pass in training that can be gone back through."""
        with tf.GradientTape() as tape:
            output, _ = self(x, update_stats=update_stats, masks=masks)
        return output, tape

    def named(self, tensors: Gradients) -> dict[str, Tensor]:
        """Gradients, moments or averages under the names of the parameters they belong to."""
        return dict(zip(self.trained, tensors, strict=True))

    def __repr__(self) -> str:
        return self.spec.summary()


def read(tensor: Tensor) -> np.ndarray:
    """A weight, or what belongs to one, as the spec has it: a copy in NumPy."""
    array = tensor.numpy()
    return array.transpose({2: (1, 0), 4: (3, 2, 0, 1)}.get(array.ndim)).copy()


def write(tensor: Tensor, array: np.ndarray) -> None:
    """Set a weight, or what belongs to one, from an array as the spec has it."""
    # Dense kernels lie (in, out), those of both convolutions (rows, columns, *swapped channels*).
    own = array.transpose({2: (1, 0), 4: (2, 3, 1, 0)}.get(array.ndim))
    tensor.assign(own.astype(tensor.dtype.as_numpy_dtype))


def _names(network: NetworkSpec, trainable: bool) -> list[str]:
    return [p.name for p in network.params if p.trainable == trainable]


def _channels_last(x: Tensor) -> Tensor:
    """NCHW to NHWC; vectors stay as they are."""
    return tf.transpose(x, (0, 2, 3, 1)) if x.shape.rank == 4 else x


def _channels_first(x: Tensor) -> Tensor:
    """NHWC to NCHW; vectors stay as they are."""
    return tf.transpose(x, (0, 3, 1, 2)) if x.shape.rank == 4 else x


def _options(layer: Any, dtype: tf.DType) -> dict[str, Any]:
    # The initialiser is only there so that Keras does not draw numbers to throw away.
    options = {"use_bias": layer.bias, "kernel_initializer": "zeros", "dtype": dtype.name}
    return options | ({"data_format": "channels_last"} if isinstance(layer, spec.Conv) else {})


def _keep_u(layer: Any, spec: Any) -> None:
    for p in spec.params():
        if not p.trainable:
            setattr(layer, p.name, layer.add_weight(p.shape, "zeros", trainable=False))


def _kernel(
    layer: Any,
    outputs_first: tuple[int, ...],
    update_stats: bool,
    name: str = "kernel",
    power: str = "u",
) -> Tensor:
    """The kernel over its spectral norm; the axes in that order have its outputs in front."""
    # The variable inside of Keras' has its full precision.
    kernel, u_before = getattr(layer, name).value, getattr(layer, power)
    matrix = tf.transpose(kernel, outputs_first)
    matrix = tf.reshape(matrix, (matrix.shape[0], -1))
    v = tf.linalg.matvec(tf.stop_gradient(matrix), u_before.value, transpose_a=True)
    v = v / tf.norm(v)
    u = tf.linalg.matvec(matrix, v)
    sigma = tf.norm(u)
    if update_stats:
        u_before.assign(tf.stop_gradient(u / sigma))
    return tf.cast(kernel / sigma, layer.compute_dtype)


def _padding(layer: spec.Conv, size: Iterable[int]) -> str | list[list[int]]:
    """The spec's pair in TensorFlow's terms, for images of that height and width: by name where
    one means the same, since explicit pairs take twice the time."""
    if layer.padding == (0, 0):
        return "VALID"
    totals = [(-(-n // layer.stride) - 1) * layer.stride + layer.kernel - n for n in size]
    if all(layer.padding == (total // 2, total - total // 2) for total in totals):
        return "SAME"
    return [[0, 0], list(layer.padding), list(layer.padding), [0, 0]]
