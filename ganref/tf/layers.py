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
from ganref.spec.networks import Network as NetworkSpec


class Layer(keras.layers.Layer):
    """A layer without parameters that keeps its input's shape."""

    def __init__(self, layer: Any, params: dict[str, np.ndarray]) -> None:
        super().__init__(autocast=False)
        self.spec = layer


class Dense(keras.layers.Dense):
    """y = x Wᵀ + b."""

    def __init__(self, layer: spec.Dense, params: dict[str, np.ndarray]) -> None:
        super().__init__(layer.out_features, **_options(layer, params))
        _build(self, (None, layer.in_features), params)


class Conv(keras.layers.Conv2D):
    """Cross-correlation, padded by the spec's explicit pair."""

    def __init__(self, layer: spec.Conv, params: dict[str, np.ndarray]) -> None:
        super().__init__(layer.out_channels, layer.kernel, layer.stride, **_options(layer, params))
        self.spec = layer
        _build(self, (None, None, None, layer.in_channels), params)

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Keras' hook for the convolution itself: its own knows no explicit padding."""
        padding = _padding(self.spec, inputs.shape[1:3])
        return tf.nn.conv2d(inputs, kernel, self.spec.stride, padding)


class ConvTranspose(keras.layers.Conv2DTranspose):
    """The transpose of a convolution: its forward pass is that one's gradient to the input."""

    def __init__(self, layer: spec.ConvTranspose, params: dict[str, np.ndarray]) -> None:
        super().__init__(layer.out_channels, layer.kernel, layer.stride, **_options(layer, params))
        self.spec = layer
        _build(self, (None, None, None, layer.in_channels), params)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        batch, *size, channels = x.shape
        channels, *size = self.spec.out_shape((channels, *size))
        out_shape, padding = (batch, *size, channels), _padding(self.spec, size)
        y = tf.nn.conv2d_transpose(x, self.kernel, out_shape, self.spec.stride, padding)
        return tf.nn.bias_add(y, self.bias) if self.use_bias else y


class BatchNorm(keras.layers.Layer):
    """y = gamma (x - mean) / sqrt(var + eps) + beta, per channel (Ioffe and Szegedy 2015)."""

    def __init__(self, layer: spec.BatchNorm, params: dict[str, np.ndarray]) -> None:
        super().__init__(dtype=params["weight"].dtype.name, autocast=False)
        self.spec = layer
        for p in layer.params():
            setattr(self, p.name, self.add_weight(p.shape, "zeros", trainable=p.trainable))
        _build(self, None, params)

    def call(self, x: tf.Tensor, training: bool, update_stats: bool) -> tf.Tensor:
        given, x = x.dtype, tf.cast(x, self.dtype)  # 8 bits are too few for a variance
        if not (training and self.spec.batch_stats):
            return tf.cast(self._normalise(x - self.running_mean, self.running_var), given)
        axes = list(range(x.shape.rank - 1))
        mean = tf.reduce_mean(x, axes)
        # tf.nn.moments holds the mean constant here, which makes second derivatives (R1) wrong.
        centred = x - mean
        var = tf.reduce_mean(tf.square(centred), axes)
        if update_stats:
            self._update_stats(mean, var, int(np.prod(x.shape[:-1])))
        return tf.cast(self._normalise(centred, var), given)

    def _normalise(self, centred: tf.Tensor, var: tf.Tensor) -> tf.Tensor:
        return centred * (self.weight * tf.math.rsqrt(var + self.spec.eps)) + self.bias

    def _update_stats(self, mean: tf.Tensor, var: tf.Tensor, count: int) -> None:
        keep = self.spec.momentum
        if self.spec.unbiased:
            var = var * (count / (count - 1))
        self.running_mean.assign(keep * self.running_mean + (1 - keep) * mean)
        self.running_var.assign(keep * self.running_var + (1 - keep) * var)


class LeakyReLU(Layer):
    """x where x > 0, else slope * x; the derivative at 0 is the slope."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        if x.dtype != tf.float64:  # TensorFlow's own holds the slope as a float32
            return tf.nn.leaky_relu(x, self.spec.slope)
        return tf.where(x > 0, x, self.spec.slope * x)


class Tanh(Layer):
    """tanh(x)."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.tanh(x)


class Sigmoid(Layer):
    """1 / (1 + exp(-x))."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(x)


class Dropout(Layer):
    """x * mask / (1 - rate) with the caller's mask; x where there is none (inference)."""

    # `mask` would be one of Keras' own masks.
    def call(self, x: tf.Tensor, kept: tf.Tensor | None = None) -> tf.Tensor:
        if kept is None:
            return x
        return x * (tf.cast(channels_last(kept), x.dtype) * (1 / (1 - self.spec.rate)))


class Reshape(Layer):
    """The same numbers in the spec's shape."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        x = channels_first(x)
        batch, *shape = x.shape
        return channels_last(tf.reshape(x, (batch, *self.spec.out_shape(tuple(shape)))))


LAYERS = {
    spec.Dense: Dense,
    spec.Conv: Conv,
    spec.ConvTranspose: ConvTranspose,
    spec.BatchNorm: BatchNorm,
    spec.LeakyReLU: LeakyReLU,
    spec.Tanh: Tanh,
    spec.Sigmoid: Sigmoid,
    spec.Dropout: Dropout,
    spec.Reshape: Reshape,
    spec.Flatten: Reshape,
}


class Network(keras.Model):
    """A chain of layers.

    With `mixed` it computes in bfloat16; weights, inputs and outputs are float32 all the same."""

    def __init__(
        self,
        network: NetworkSpec,
        weights: dict[str, np.ndarray],
        dtype: tf.DType,
        mixed: bool = False,
    ) -> None:
        super().__init__(name=network.name, autocast=False)
        self.spec = network
        self.chain = []
        for i, layer in enumerate(network.layers):
            names = {p.name: f"{network.name}.{i}.{p.name}" for p in layer.params()}
            mine = {s: np.asarray(weights[f], dtype.as_numpy_dtype) for s, f in names.items()}
            self.chain.append(LAYERS[type(layer)](layer, mine))
            if mixed and isinstance(layer, (spec.Dense, spec.Conv)):
                self.chain[-1].dtype_policy = keras.DTypePolicy("mixed_bfloat16")
        self.built = True

    @property
    def trained(self) -> list[tf.Variable]:
        """What a gradient tape takes derivatives to, in the spec's order."""
        return [variable.value for variable in self.trainable_variables]

    @property
    def params(self) -> dict[str, keras.Variable]:
        """The trained variables by the spec's names."""
        names = [p.name for p in self.spec.params if p.trainable]
        return dict(zip(names, self.trainable_variables, strict=True))

    @property
    def stats(self) -> dict[str, keras.Variable]:
        """The running statistics by the spec's names."""
        names = [p.name for p in self.spec.params if not p.trainable]
        return dict(zip(names, self.non_trainable_variables, strict=True))

    def call(
        self,
        x: tf.Tensor,
        training: bool = True,
        update_stats: bool = True,
        masks: dict[str, tf.Tensor] | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """(output, codes) for x (B, *input): samples (B, *output), or outputs (B,); and an
        autoencoder's codes (B, n)."""
        start, codes = x, None
        for i, layer in enumerate(self.chain):
            if isinstance(layer, BatchNorm):
                x = layer(x, training=training, update_stats=update_stats)
            elif isinstance(layer, Dropout):
                x = layer(x, kept=(masks or {}).get(f"{self.spec.name}.{i}"))
            else:
                x = layer(x)
            if i == self.spec.code:
                codes = tf.cast(tf.reshape(x, (x.shape[0], -1)), start.dtype)
        x = tf.cast(x, start.dtype)
        if self.spec.head == "samples":
            return x, None
        if self.spec.head == "energy":
            return tf.reduce_mean(tf.square(x - start), list(range(1, x.shape.rank))), codes
        return tf.reshape(x, (x.shape[0],)), codes

    def record(self, x: tf.Tensor, update_stats: bool = True) -> tuple[tf.Tensor, tf.GradientTape]:
        """(output, tape) for x: a forward pass that can be differentiated later."""
        with tf.GradientTape() as tape:
            output, _ = self(x, update_stats=update_stats)
        return output, tape


def channels_last(x: tf.Tensor) -> tf.Tensor:
    """NCHW to NHWC; vectors stay as they are."""
    return tf.transpose(x, (0, 2, 3, 1)) if x.shape.rank == 4 else x


def channels_first(x: tf.Tensor) -> tf.Tensor:
    """NHWC to NCHW; vectors stay as they are."""
    return tf.transpose(x, (0, 3, 1, 2)) if x.shape.rank == 4 else x


def to_variable(array: np.ndarray) -> np.ndarray:
    """A tensor of the border as its variable has it: Dense kernels (in, out), kernels of both
    convolutions (kh, kw, *the other two swapped*)."""
    return array.transpose({2: (1, 0), 4: (2, 3, 1, 0)}.get(array.ndim))  # 1-D: unchanged


def from_variable(array: np.ndarray) -> np.ndarray:
    """The inverse of `to_variable`; a copy."""
    return array.transpose({2: (1, 0), 4: (3, 2, 0, 1)}.get(array.ndim)).copy()


def _options(layer: Any, params: dict[str, np.ndarray]) -> dict[str, Any]:
    # The initialiser is only there so that Keras does not draw numbers to throw away.
    dtype = params["weight"].dtype.name
    options = {"use_bias": layer.bias, "kernel_initializer": "zeros", "dtype": dtype}
    return options | ({} if isinstance(layer, spec.Dense) else {"data_format": "channels_last"})


def _build(layer: keras.Layer, shape: Any, params: dict[str, np.ndarray]) -> None:
    layer.build(shape)
    layer.set_weights([to_variable(array) for array in params.values()])


def _padding(layer: spec.Conv, size: Iterable[int]) -> str | list[list[int]]:
    """The spec's pair in TensorFlow's terms, for images of that height and width: by name where
    one means the same, since explicit pairs take twice the time."""
    if layer.padding == (0, 0):
        return "VALID"
    totals = [(-(-n // layer.stride) - 1) * layer.stride + layer.kernel - n for n in size]
    if all(layer.padding == (total // 2, total - total // 2) for total in totals):
        return "SAME"
    return [[0, 0], list(layer.padding), list(layer.padding), [0, 0]]
