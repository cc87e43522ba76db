"""Adam, by the spec's formula."""

from __future__ import annotations

import keras
import tensorflow as tf

from ganref.spec.optimiser import Adam as AdamSpec

from .layers import Network


class Adam(keras.optimizers.Optimizer):
    """Adam on all trained numbers of a network (Kingma and Ba 2015, algorithm 1), and the
    exponential moving average of its weights where `ema` is not 0."""

    def __init__(self, network: Network, adam: AdamSpec, ema: float = 0.0) -> None:
        super().__init__(learning_rate=adam.lr)
        self.network, self.spec, self.ema = network, adam, ema
        self.build(network.trainable_variables)

    def build(self, variables: list[keras.Variable]) -> None:
        """Make the moments, and the average, which starts at the weights."""
        super().build(variables)
        self.m, self.v, self.average = self.add_optimizer_variables(variables, ("m", "v", "ema"))
        for average, variable in zip(self.average, variables, strict=True):
            average.assign(variable)

    def step(self, grads: list[tf.Tensor], batch_size: int) -> None:
        """One update with these gradients."""
        if self.spec.mean_gradients:
            grads = [grad / batch_size for grad in grads]
        self.apply(grads)
        if self.ema:
            for average, variable in zip(self.average, self._trainable_variables, strict=True):
                average.assign_add((1 - self.ema) * (variable - average))

    def update_step(
        self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor
    ) -> None:
        """One variable's update. Keras' `learning_rate` is a float32: the spec's is used."""
        adam, index = self.spec, self._get_variable_index(variable)
        m, v = self.m[index], self.v[index]
        m.assign(adam.beta1 * m + (1 - adam.beta1) * gradient)
        v.assign(adam.beta2 * v + (1 - adam.beta2) * (gradient * gradient))
        step = tf.cast(self.iterations, tf.float64) + 1
        rate, scale, eps = (
            tf.cast(tf.convert_to_tensor(number, tf.float64), variable.dtype)
            for number in adam.coefficients(step)
        )
        variable.assign_sub(rate * m / (tf.sqrt(v) * scale + eps))
