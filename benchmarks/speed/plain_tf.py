"""The loop that an experienced TensorFlow user writes first, for any recipe: Keras' own layers in a
Sequential, Keras' Adam, a gradient tape, eagerly and one update at a time. It is what the backend's
speed is measured against, and shares no code with it.

What only shows after many steps stays as the library has it: running variances are biased, and
Adam's betas pass through float32. G's forward pass is computed in both updates.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from ganref.spec import Network, Recipe
from ganref.spec import layers as spec

KERAS_NAMES = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias",
               "moving_mean": "running_mean", "moving_variance": "running_var"}  # fmt: skip


class GivenDropout(keras.layers.Dropout):
    """Dropout that keeps what it is told to, so that other frameworks can drop the same."""

    kept: np.ndarray | None = None

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Keras' own dropout unless `kept` is set."""
        if self.kept is None:
            return super().call(x, training)
        return x * tf.cast(self.kept, x.dtype) / (1 - self.rate)


def keras_layers(layer: spec.Layer, shape: tuple[int, ...]) -> list[keras.Layer]:
    """The layers that do what the spec's does to an NHWC batch; `shape` is its input's."""
    kinds = keras.layers
    image = len(shape) == 3
    if isinstance(layer, spec.Dense):
        return [kinds.Dense(layer.out_features, use_bias=layer.bias)]
    if isinstance(layer, spec.Conv):
        return _convolution(layer, shape)
    if isinstance(layer, spec.BatchNorm):
        return [kinds.BatchNormalization(momentum=layer.momentum, epsilon=layer.eps)]
    if isinstance(layer, spec.LeakyReLU):
        return [kinds.LeakyReLU(layer.slope) if layer.slope else kinds.ReLU()]
    if isinstance(layer, spec.Dropout):
        return [GivenDropout(layer.rate)]
    if isinstance(layer, (spec.Reshape, spec.Flatten)):
        out = layer.out_shape(shape)
        before = [kinds.Permute((3, 1, 2))] if image else []
        after = [kinds.Permute((2, 3, 1))] if len(out) == 3 else []
        return [*before, kinds.Reshape(out), *after]
    return [kinds.Activation(type(layer).__name__.lower())]  # tanh, sigmoid


def _convolution(layer: spec.Conv, shape: tuple[int, ...]) -> list[keras.Layer]:
    transposed = isinstance(layer, spec.ConvTranspose)
    kind = keras.layers.Conv2DTranspose if transposed else keras.layers.Conv2D
    big = (layer.out_shape(shape) if transposed else shape)[1]
    total = (math.ceil(big / layer.stride) - 1) * layer.stride + layer.kernel - big
    same = layer.padding == (total // 2, total - total // 2)
    how = {"padding": "same" if same else "valid", "use_bias": layer.bias}
    main = kind(layer.out_channels, layer.kernel, layer.stride, **how)
    if same or layer.padding == (0, 0):
        return [main]
    pairs = (layer.padding, layer.padding)
    if transposed:
        return [main, keras.layers.Cropping2D(pairs)]
    return [keras.layers.ZeroPadding2D(pairs), main]


def build(network: Network, first: int, end: int, weights: dict[str, np.ndarray]) -> Any:
    """A Sequential of the spec's layers `first` to `end`, with these weights."""
    net = keras.Sequential([keras.Input(_nhwc(network.shapes[first]))])
    for i in range(first, end):
        for layer in keras_layers(network.layers[i], network.shapes[i]):
            net.add(layer)
            for variable in layer.weights:
                array = weights[f"{network.name}.{i}.{KERAS_NAMES[variable.name]}"]
                variable.assign(array.T if array.ndim < 3 else array.transpose(2, 3, 1, 0))
    return net


class PlainGAN:
    """Two networks, two optimisers and a loop."""

    def __init__(self, recipe: Recipe, weights: dict[str, np.ndarray], dtype: str) -> None:
        self.recipe, self.dtype, loss = recipe, dtype, recipe.loss
        G, D = recipe.generator, recipe.discriminator
        self.net_G = build(G, 0, len(G.layers), weights)
        # An energy is an autoencoder: its code is read between the two halves.
        code = len(D.layers) if D.code is None else D.code + 1
        self.net_D = build(D, 0, code, weights)
        self.decoder = build(D, code, len(D.layers), weights) if D.code is not None else None
        self.drops = [x for x in self.net_D.layers if isinstance(x, GivenDropout)]
        reduction = "sum" if loss.reduction == "sum" else "sum_over_batch_size"
        self.bce = keras.losses.BinaryCrossentropy(from_logits=True, reduction=reduction)
        self.reduce = tf.reduce_sum if loss.reduction == "sum" else tf.reduce_mean
        self.trainer_D, self.trainer_G = (
            keras.optimizers.Adam(adam.lr, adam.beta1, adam.beta2, adam.eps)
            for adam in (recipe.adam_D, recipe.adam_G)
        )
        if recipe.ema:
            self.trainer_G.use_ema, self.trainer_G.ema_momentum = True, recipe.ema

    def train_steps(
        self, X: np.ndarray, Z: np.ndarray, Z_G: Any = None, masks: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """k steps on X (k, B, *data) and Z (k, B, *latent): (loss_D, loss_G), each (k,)."""
        losses_D, losses_G = [], []
        for i in range(len(X)):
            kept = [mask[i] for mask in (masks or {}).values()]
            losses_D.append(self.update_D(self._tensor(X[i]), self._tensor(Z[i]), kept))
            for j in range(self.recipe.G_updates):
                latent = Z[i] if Z_G is None else Z_G[i, j]
                loss_G = self.update_G(self._tensor(latent), [mask[2 + j] for mask in kept])
            losses_G.append(loss_G)
        return np.array(losses_D, self.dtype), np.array(losses_G, self.dtype)

    def update_D(self, X: tf.Tensor, Z: tf.Tensor, kept: list[np.ndarray]) -> float:
        """One update of the discriminator."""
        loss, training = self.recipe.loss, self.recipe.norm.batch_stats
        fake_X = self.net_G(Z, training=training)
        with tf.GradientTape() as tape:
            with tf.GradientTape() as tape_X:
                tape_X.watch(X)
                real_Y, _ = self.discriminate(X, [mask[0] for mask in kept])
            fake_Y, _ = self.discriminate(fake_X, [mask[1] for mask in kept])
            if loss.energy:
                loss_D = self.reduce(real_Y) + self.reduce(tf.nn.relu(loss.margin - fake_Y))
            else:
                real_loss = self.bce(loss.real_label * tf.ones_like(real_Y), real_Y)
                loss_D = real_loss + self.bce(tf.zeros_like(fake_Y), fake_Y)
            loss_D *= loss.scale_D
            if loss.r1:
                g = tf.reshape(tape_X.gradient(real_Y, X), (len(X), -1))
                loss_D += loss.r1 / 2 * self.reduce(tf.reduce_sum(g**2, axis=1))
        variables = self.net_D.trainable_variables
        variables += self.decoder.trainable_variables if self.decoder else []
        self._apply(self.trainer_D, self.recipe.adam_D, tape.gradient(loss_D, variables), variables)
        return float(loss_D)

    def update_G(self, Z: tf.Tensor, kept: list[np.ndarray]) -> float:
        """One update of the generator."""
        loss, training = self.recipe.loss, self.recipe.norm.batch_stats
        with tf.GradientTape() as tape:
            fake_Y, codes = self.discriminate(self.net_G(Z, training=training), kept)
            if loss.energy:
                loss_G = self.reduce(fake_Y)
            elif loss.minimax:
                loss_G = -self.bce(tf.zeros_like(fake_Y), fake_Y)
            else:
                loss_G = self.bce(tf.ones_like(fake_Y), fake_Y)
            if loss.needs_codes:
                unit = tf.math.l2_normalize(tf.reshape(codes, (len(Z), -1)), axis=1)
                squares = tf.matmul(unit, unit, transpose_b=True) ** 2
                others = tf.reduce_sum(squares) - tf.linalg.trace(squares)
                loss_G += loss.repelling * others / (len(Z) * (len(Z) - 1))
        variables = self.net_G.trainable_variables
        self._apply(self.trainer_G, self.recipe.adam_G, tape.gradient(loss_G, variables), variables)
        return float(loss_G)

    def discriminate(self, x: tf.Tensor, kept: list[np.ndarray]) -> tuple[tf.Tensor, Any]:
        """(logits or energies (B, 1), codes) in training mode."""
        for layer, mask in zip(self.drops, kept, strict=bool(kept)):
            layer.kept = mask
        training = self.recipe.norm.batch_stats
        output = self.net_D(x, training=training)
        if self.decoder is None:
            return tf.reshape(output, (-1, 1)), None
        error = tf.reshape(self.decoder(output, training=training) - x, (len(x), -1))
        return tf.reduce_mean(error**2, axis=1, keepdims=True), output

    def _apply(self, trainer: Any, adam: Any, grads: list[tf.Tensor], variables: Any) -> None:
        if adam.eps_form == "corrected":
            # Keras adds epsilon before the correction: this one is the recipe's after it.
            step = int(trainer.iterations) + 1
            trainer.epsilon = adam.eps * math.sqrt(1 - adam.beta2**step)
        if adam.mean_gradients:
            grads = [grad / self.recipe.batch_size for grad in grads]
        trainer.apply_gradients(zip(grads, variables, strict=True))

    def _tensor(self, array: np.ndarray) -> tf.Tensor:
        if array.ndim == 4:
            array = array.transpose(0, 2, 3, 1)
        return tf.constant(array, self.dtype)


def create(
    recipe: Recipe,
    weights: dict[str, np.ndarray],
    device: str = "cpu",
    dtype: str = "float32",
) -> PlainGAN:
    """A GAN with these initial weights. Its precision becomes Keras' default, as a user's would."""
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)
    with tf.device(device.replace("cpu", "/CPU:0").replace("cuda", "/GPU")):
        return PlainGAN(recipe, weights, dtype)


def _nhwc(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[1:], shape[0]) if len(shape) == 3 else shape
