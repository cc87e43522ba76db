"""A GAN on this framework: arrays in, arrays out."""

from __future__ import annotations

import numpy as np

from ganref.spec.schema import Recipe
from ganref.spec.state import check_state
from ganref.spec.steps import Masks, Trace, are_rows, check_steps, from_bytes

from . import steps
from .framework import memory_errors, resolve_device, resolve_dtype
from .layers import Network, split
from .optim import Adam

State = dict[str, np.ndarray]


def create(
    recipe: Recipe,
    weights: State,
    device: str = "cpu",
    dtype: str = "float32",
    compile: str = "auto",
    steps: int | None = None,
) -> GAN:
    """A GAN with these initial weights. Raises UserError for an unknown device or dtype."""
    return GAN(recipe, weights, device, dtype, compile)


class GAN:
    """See `ganref.backend.GAN` for the contract."""

    def __init__(
        self, recipe: Recipe, weights: State, device: str, dtype: str, compile: str
    ) -> None:
        self.recipe, self.dtype = recipe, dtype
        self.device = resolve_device(device)
        self._type = resolve_dtype(dtype, device)
        check_state(recipe, weights, weights_only=True)
        self.net_G = Network(recipe.generator, weights, self._type)
        self.net_D = Network(recipe.discriminator, weights, self._type)
        self.trainer_D = Adam(self.net_D, recipe.adam_D)
        self.trainer_G = Adam(self.net_G, recipe.adam_G, recipe.ema)
        self._held: np.ndarray | None = None

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
            return self._train(X, Z, Z_G, masks)

    def hold(self, data: np.ndarray) -> bool:
        """Keep a data set (N, *data), uint8 images or points, on the device if there is room; from
        then on X may be rows of it, integers (k, B). Whether it is there."""
        self._held = data
        return True

    def _train(
        self, X: np.ndarray, Z: np.ndarray, Z_G: np.ndarray | None, masks: Masks | None
    ) -> Trace:
        X, Z = self._examples(X), self._native(Z)
        Z_G = None if Z_G is None else self._native(Z_G)
        rows = np.empty((len(X), 5), self._type)
        with np.errstate(all="ignore"):  # a loss that is not finite says it in the trace
            for i in range(len(X)):
                rows[i] = steps.step(
                    X[i],
                    Z[i],
                    None if Z_G is None else Z_G[i],
                    {name: mask[i] for name, mask in (masks or {}).items()},
                    self.net_D,
                    self.net_G,
                    self.recipe,
                    self.trainer_D,
                    self.trainer_G,
                )
        return Trace(*rows.T)

    def update_D(self, X: np.ndarray, Z: np.ndarray, *, masks: Masks | None = None) -> float:
        """The readable update of D on one batch: its loss."""
        X, Z = self._native(X), self._native(Z)
        nets = self.net_D, self.net_G
        return float(steps.update_D(X, Z, *nets, self.recipe, self.trainer_D, masks or {})[0])

    def update_G(self, Z: np.ndarray, *, masks: Masks | None = None) -> float:
        """One readable update of G: its loss."""
        Z, nets = self._native(Z), (self.net_D, self.net_G)
        return float(steps.update_G(Z, *nets, self.recipe, self.trainer_G, masks or {})[0])

    def gradients(
        self,
        X: np.ndarray,
        Z: np.ndarray,
        *,
        Z_G: np.ndarray | None = None,
        masks: Masks | None = None,
    ) -> State:
        """The gradients of loss_D and loss_G at the present weights, by parameter name."""
        X, Z = self._native(X), self._native(Z)
        masks, recipe = masks or {}, self.recipe
        fake_X, _ = self.net_G.forward(Z, update_stats=False)
        *_, grad_D = steps.gradient_D(X, fake_X, self.net_D, recipe, masks, False)
        samples = self.net_G.forward(Z if Z_G is None else self._native(Z_G[0]), update_stats=False)
        own = {name: mask[2] for name, mask in masks.items()}
        nets = self.net_D, self.net_G
        *_, grad_G = steps.gradient_G(*samples, *nets, recipe, own, False)
        return split(grad_G, recipe.generator) | split(grad_D, recipe.discriminator)

    def generate(
        self, Z: np.ndarray, *, batch_stats: bool = False, ema: bool = False
    ) -> np.ndarray:
        """Samples (n, *data)."""
        net_G = self.net_G
        if ema:
            averages = split(self.trainer_G.average, net_G.spec)
            net_G = Network(net_G.spec, averages | net_G.stats, self._type)
        return net_G.forward(self._native(Z), training=batch_stats, update_stats=False)[0]

    def discriminate(self, X: np.ndarray) -> np.ndarray:
        """Logits (n,), or energies."""
        return self.net_D.forward(self._native(X), training=False, update_stats=False)[0]

    def state(self) -> State:
        """A copy of everything that training changes, by the spec's names."""
        state: State = {}
        for net, trainer in ((self.net_G, self.trainer_G), (self.net_D, self.trainer_D)):
            state |= net.params | net.stats
            vectors = {"m": trainer.m, "v": trainer.v}
            vectors |= {"ema": trainer.average} if trainer.ema else {}
            for suffix, flat in vectors.items():
                state |= {f"{name}.{suffix}": a for name, a in split(flat, net.spec).items()}
            state[f"{net.spec.name}.step"] = np.array(trainer.steps, np.int64)
        return {name: array.copy() for name, array in state.items()}

    def load_state(self, state: State) -> None:
        """Restore a state. Raises UserError, with nothing changed, if it is not this recipe's."""
        check_state(self.recipe, state)
        for net, trainer in ((self.net_G, self.trainer_G), (self.net_D, self.trainer_D)):
            for name, array in (net.params | net.stats).items():
                array[...] = state[name]
            vectors = {"m": trainer.m, "v": trainer.v}
            vectors |= {"ema": trainer.average} if trainer.ema else {}
            for suffix, flat in vectors.items():
                for name, array in split(flat, net.spec).items():
                    array[...] = state[f"{name}.{suffix}"]
            trainer.steps = int(state[f"{net.spec.name}.step"])

    def _examples(self, X: np.ndarray) -> np.ndarray:
        if self._held is None or not are_rows(X):
            return self._native(X)
        examples = self._held[X]
        if examples.dtype != np.uint8:
            return self._native(examples)
        return from_bytes(examples.astype(self._type))

    def _native(self, array: np.ndarray) -> np.ndarray:
        return np.asarray(array, self._type)
