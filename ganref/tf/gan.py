"""A GAN on this framework: arrays in, arrays out."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import keras
import numpy as np
import tensorflow as tf

from ganref.spec.layers import Shape
from ganref.spec.schema import Recipe
from ganref.spec.state import check_state
from ganref.spec.steps import Masks, Trace, are_rows, check_steps, from_bytes

from . import steps
from .fast.xla import compile_steps, plain_steps, too_short
from .framework import memory_errors, resolve_device, resolve_dtype
from .layers import Network, channels_first, from_variable, to_variable
from .optim import Adam

State = dict[str, np.ndarray]
Method = TypeVar("Method", bound=Callable[..., Any])


def _placed(method: Method) -> Method:
    """Run a method's operations on its GAN's device."""

    @functools.wraps(method)
    def run(self: GAN, *args: Any, **kwargs: Any) -> Any:
        with tf.device(self._place):
            return method(self, *args, **kwargs)

    return cast(Method, run)


def create(
    recipe: Recipe,
    weights: State,
    device: str = "cpu",
    dtype: str = "float32",
    compile: str = "auto",
    steps: int | None = None,
) -> GAN:
    """A GAN with these initial weights. Raises UserError for an unknown device or dtype."""
    return GAN(recipe, weights, device, dtype, compile, steps)


class GAN:
    """See `ganref.backend.GAN` for the contract."""

    def __init__(
        self,
        recipe: Recipe,
        weights: State,
        device: str,
        dtype: str,
        compile: str,
        steps: int | None,
    ) -> None:
        self.recipe, self.dtype, self.device = recipe, dtype, device
        self._place = resolve_device(device)
        self._type = resolve_dtype(dtype, device)
        check_state(recipe, weights, weights_only=True)
        with tf.device(self._place):
            how = self._type, dtype == "bfloat16"
            self.net_G = Network(recipe.generator, weights, *how)
            self.net_D = Network(recipe.discriminator, weights, *how)
            self.trainer_D = Adam(self.net_D, recipe.adam_D)
            self.trainer_G = Adam(self.net_G, recipe.adam_G, recipe.ema)
        self._held: tf.Tensor | None = None
        # Whichever of the ways: never by the steps that are left, or resuming would not be exact.
        plain = compile == "off" or (compile == "auto" and too_short(recipe, steps))
        self._steps = plain_steps(self._step) if plain else compile_steps(self._step, recipe)

    def train_steps(
        self,
        X: np.ndarray,
        Z: np.ndarray,
        *,
        Z_G: np.ndarray | None = None,
        masks: Masks | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """k steps: (loss_D, loss_G), each (k,)."""
        return self.train_trace(X, Z, Z_G=Z_G, masks=masks)[:2]

    @_placed
    def train_trace(
        self,
        X: np.ndarray,
        Z: np.ndarray,
        *,
        Z_G: np.ndarray | None = None,
        masks: Masks | None = None,
    ) -> Trace:
        """k steps, with D's mean scores beside the losses."""
        check_steps(self.recipe, X, Z, Z_G, masks, self._held is not None)
        with memory_errors(X.shape[1], self.device):
            arrays = self._examples(X), self._latent(Z), self._latent(Z_G), self._masks(masks)
            return Trace(*self._steps(*arrays).numpy().T)

    @_placed
    def hold(self, data: np.ndarray) -> bool:
        """Keep a data set (N, *data), uint8 images or points, on the device if there is room; from
        then on X may be rows of it, integers (k, B). Whether it is there."""
        try:
            self._held = tf.constant(np.moveaxis(data, 1, -1) if data.ndim == 4 else data)
        except tf.errors.ResourceExhaustedError:
            return False
        return True

    @_placed
    def update_D(self, X: np.ndarray, Z: np.ndarray, *, masks: Masks | None = None) -> float:
        """The readable update of D on one batch: its loss."""
        args = self._data(X), self._latent(Z), self.net_D, self.net_G
        return float(steps.update_D(*args, self.recipe, self.trainer_D, self._masks(masks))[0])

    @_placed
    def update_G(self, Z: np.ndarray, *, masks: Masks | None = None) -> float:
        """One readable update of G: its loss."""
        args = self._latent(Z), self.net_D, self.net_G
        return float(steps.update_G(*args, self.recipe, self.trainer_G, self._masks(masks))[0])

    @_placed
    def gradients(
        self,
        X: np.ndarray,
        Z: np.ndarray,
        *,
        Z_G: np.ndarray | None = None,
        masks: Masks | None = None,
    ) -> State:
        """The gradients of loss_D and loss_G at the present weights, by parameter name."""
        recipe, kept = self.recipe, self._masks(masks)
        fake_X, _ = self.net_G(self._latent(Z), update_stats=False)
        *_, grads_D = steps.gradient_D(self._data(X), fake_X, self.net_D, recipe, kept, False)
        latent = self._latent(Z if Z_G is None else Z_G[0])
        samples = self.net_G.record(latent, update_stats=False)
        own = {name: mask[2] for name, mask in kept.items()}
        nets = self.net_D, self.net_G
        *_, grads_G = steps.gradient_G(*samples, *nets, recipe, own, False)
        named = dict(zip(self.net_G.params, grads_G, strict=True))
        named |= dict(zip(self.net_D.params, grads_D, strict=True))
        return {name: from_variable(grad.numpy()) for name, grad in named.items()}

    @_placed
    def generate(
        self, Z: np.ndarray, *, batch_stats: bool = False, ema: bool = False
    ) -> np.ndarray:
        """Samples (n, *data)."""
        net_G = self.net_G
        if ema:
            state = self.state()
            averages = {name: state[f"{name}.ema"] for name in net_G.params}
            net_G = Network(net_G.spec, state | averages, self._type, self.dtype == "bfloat16")
        samples, _ = net_G(self._latent(Z), training=batch_stats, update_stats=False)
        return channels_first(samples).numpy()

    @_placed
    def discriminate(self, X: np.ndarray) -> np.ndarray:
        """Logits (n,), or energies."""
        return self.net_D(self._data(X), training=False, update_stats=False)[0].numpy()

    def state(self) -> State:
        """A copy of everything that training changes, by the spec's names."""
        state: State = {}
        for net, trainer in ((self.net_G, self.trainer_G), (self.net_D, self.trainer_D)):
            variables = self._variables(net, trainer)
            state |= {n: from_variable(variable.numpy()) for n, variable in variables.items()}
            state[f"{net.spec.name}.step"] = np.array(trainer.iterations.numpy(), np.int64)
        return state

    @_placed
    def load_state(self, state: State) -> None:
        """Restore a state. Raises UserError, with nothing changed, if it is not this recipe's."""
        check_state(self.recipe, state)
        for net, trainer in ((self.net_G, self.trainer_G), (self.net_D, self.trainer_D)):
            for name, variable in self._variables(net, trainer).items():
                variable.assign(to_variable(state[name]).astype(self._type.as_numpy_dtype))
            trainer.iterations.assign(int(state[f"{net.spec.name}.step"]))

    def _variables(self, net: Network, trainer: Adam) -> dict[str, keras.Variable]:
        variables = net.params | net.stats
        vectors = {"m": trainer.m, "v": trainer.v}
        vectors |= {"ema": trainer.average} if trainer.ema else {}
        for suffix, kept in vectors.items():
            variables |= {f"{n}.{suffix}": v for n, v in zip(net.params, kept, strict=True)}
        return variables

    def _step(self, X: tf.Tensor, Z: tf.Tensor, Z_G: Any, masks: Any) -> tuple[Any, ...]:
        nets, trainers = (self.net_D, self.net_G), (self.trainer_D, self.trainer_G)
        return steps.step(X, Z, Z_G, masks, *nets, self.recipe, *trainers)

    def _examples(self, X: np.ndarray) -> tf.Tensor:
        if self._held is None or not are_rows(X):
            return self._data(X)
        x = tf.cast(tf.gather(self._held, X), self._type)
        return from_bytes(x) if self._held.dtype == tf.uint8 else x

    def _data(self, array: np.ndarray) -> tf.Tensor:
        return self._native(array, self.recipe.data_shape)

    def _latent(self, array: np.ndarray | None) -> tf.Tensor | None:
        return None if array is None else self._native(array, self.recipe.latent_shape)

    def _native(self, array: np.ndarray, shape: Shape) -> tf.Tensor:
        if len(shape) == 3:  # images are NHWC from here on
            array = np.moveaxis(array, -3, -1)
        return tf.constant(np.asarray(array, self._type.as_numpy_dtype))

    def _masks(self, masks: Masks | None) -> dict[str, tf.Tensor]:
        return {name: tf.constant(mask) for name, mask in (masks or {}).items()}
