"""Adam, by the spec's formula."""

from __future__ import annotations

import keras
import tensorflow as tf

from ganref.spec.optimiser import Adam as AdamSpec

from .framework import Gather, Gradients, Tensor
from .layers import Network


class Adam(keras.optimizers.Optimizer):
    """Adam on all trained numbers of a network (Kingma and Ba 2015, algorithm 1), and the
    exponential moving average of its weights where `ema` is not 0; each update ends in
    [-clip, clip] where `clip` is not 0. With `gather`, which makes
    gradients those of all workers, it is the update that they make together.

    Its coefficients are computed on the device: a graph holds what Python says still."""

    def __init__(
        self,
        network: Network,
        adam: AdamSpec,
        ema: float = 0.0,
        clip: float = 0.0,
        gather: Gather | None = None,
    ) -> None:
        super().__init__(learning_rate=adam.lr)
        self.network, self.spec, self.ema = network, adam, ema
        self.clip, self.gather = clip, gather
        with tf.device(network.device):
            self.build(network.trainable_variables)

    @property
    def steps(self) -> int:
        """How many updates were made."""
        return int(self.iterations.numpy())

    def build(self, variables: list[keras.Variable]) -> None:
        """Make the moments, and the average, which starts at the weights."""
        super().build(variables)
        slots = self.add_optimizer_variables(variables, ("m", "v", "ema"))
        self.m, self.v, self.average = ([slot.value for slot in own] for own in slots)
        for average, variable in zip(self.average, self.network.trained.values(), strict=True):
            average.assign(variable)

    def step(self, grads: Gradients, batch_size: int) -> None:
        """One update with these gradients."""
        adam = self.spec
        if self.gather:
            grads = self.gather(grads)
        if adam.mean_gradients:
            grads = [grad / batch_size for grad in grads]
        self.apply(grads)
        if self.ema:
            for average, tensor in zip(self.average, self.network.trained.values(), strict=True):
                average.assign_add((1 - self.ema) * (tensor - average))

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
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
        if self.clip:
            variable.assign(tf.clip_by_value(variable, -self.clip, self.clip))

    def set_steps(self, steps: int) -> None:
        """Go on as after that many updates."""
        self.iterations.assign(steps)

    def tensors(self) -> dict[str, Tensor]:
        """The moments `<param>.m` and `.v`, and averages `<param>.ema` where they are kept."""
        lists = {"m": self.m, "v": self.v} | ({"ema": self.average} if self.ema else {})
        named = {suffix: self.network.named(own) for suffix, own in lists.items()}
        return {f"{name}.{s}": tensor for s, own in named.items() for name, tensor in own.items()}
