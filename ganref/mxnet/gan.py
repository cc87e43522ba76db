"""A GAN on this framework: arrays in, arrays out."""

from __future__ import annotations

import numpy

from ganref.spec.schema import Recipe
from ganref.spec.state import check_state
from ganref.spec.steps import Masks, Trace, are_rows, check_steps, from_bytes

from . import steps
from .fast import unrolled
from .framework import autograd, free_memory, memory_errors, np, resolve_device, resolve_dtype
from .layers import Array, Network
from .optim import Adam

State = dict[str, numpy.ndarray]


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
        self._context = resolve_device(device)
        self.device = "cuda:0" if device == "cuda" else device
        self._type = resolve_dtype(dtype, device)
        check_state(recipe, weights, weights_only=True)
        self.net_G = Network(recipe.generator, weights, self._type, self._context)
        self.net_D = Network(recipe.discriminator, weights, self._type, self._context)
        self.trainer_D = Adam(self.net_D, recipe.adam_D)
        self.trainer_G = Adam(self.net_G, recipe.adam_G, recipe.ema)
        self._held: Array | None = None
        self._steps = self._plain_steps
        if compile != "off":
            trained = self.net_D, self.net_G, recipe, self.trainer_D, self.trainer_G
            self._steps = unrolled.compile_steps(self._plain_steps, *trained)

    def train_steps(
        self,
        X: numpy.ndarray,
        Z: numpy.ndarray,
        *,
        Z_G: numpy.ndarray | None = None,
        masks: Masks | None = None,
    ) -> tuple[numpy.ndarray, numpy.ndarray]:
        """k steps: (loss_D, loss_G), each (k,)."""
        return self.train_trace(X, Z, Z_G=Z_G, masks=masks)[:2]

    def train_trace(
        self,
        X: numpy.ndarray,
        Z: numpy.ndarray,
        *,
        Z_G: numpy.ndarray | None = None,
        masks: Masks | None = None,
    ) -> Trace:
        """k steps, with D's mean scores beside the losses."""
        check_steps(self.recipe, X, Z, Z_G, masks, self._held is not None)
        if not len(X):
            return Trace(*numpy.empty((5, 0), self._type))
        with memory_errors(X.shape[1], self.device):
            fresh = None if Z_G is None else self._native(Z_G)
            rows = self._steps(self._examples(X), self._native(Z), fresh, self._masks(masks))
            # One transfer per call: asking for a number after each step would stall the engine.
            return Trace(*rows.asnumpy().T)

    def hold(self, data: numpy.ndarray) -> bool:
        """Keep a data set (N, *data), uint8 images or points, on the device if there is room; from
        then on X may be rows of it, integers (k, B). Whether it is there."""
        if self.device != "cpu" and free_memory(self._context) < 4 * data.nbytes:
            return False  # training wants room too
        self._held = np.array(data, dtype=data.dtype, ctx=self._context)
        return True

    def update_D(self, X: numpy.ndarray, Z: numpy.ndarray, *, masks: Masks | None = None) -> float:
        """The readable update of D on one batch: its loss."""
        args = self._native(X), self._native(Z), self.net_D, self.net_G
        return float(steps.update_D(*args, self.recipe, self.trainer_D, self._masks(masks))[0])

    def update_G(self, Z: numpy.ndarray, *, masks: Masks | None = None) -> float:
        """One readable update of G: its loss."""
        args = self._native(Z), self.net_D, self.net_G
        return float(steps.update_G(*args, self.recipe, self.trainer_G, self._masks(masks))[0])

    def gradients(
        self,
        X: numpy.ndarray,
        Z: numpy.ndarray,
        *,
        Z_G: numpy.ndarray | None = None,
        masks: Masks | None = None,
    ) -> State:
        """The gradients of loss_D and loss_G at the present weights, by parameter name."""
        recipe, kept = self.recipe, self._masks(masks)
        fake_X, _ = self.net_G.forward(self._native(Z), update_stats=False)
        *_, grad_D = steps.gradient_D(self._native(X), fake_X, self.net_D, recipe, kept, False)
        named = {name: g.asnumpy() for name, g in self.trainer_D.named(grad_D).items()}
        with autograd.record():
            latent = self._native(Z if Z_G is None else Z_G[0])
            samples = self.net_G.forward(latent, update_stats=False)
        own = {name: mask[2] for name, mask in kept.items()}
        nets = self.net_D, self.net_G
        *_, grad_G = steps.gradient_G(*samples, *nets, recipe, own, False)
        return {name: g.asnumpy() for name, g in self.trainer_G.named(grad_G).items()} | named

    def generate(
        self, Z: numpy.ndarray, *, batch_stats: bool = False, ema: bool = False
    ) -> numpy.ndarray:
        """Samples (n, *data)."""
        net_G = self.net_G
        if ema:
            averages = self.trainer_G.named(self.trainer_G.average)
            weights = averages | {name: p.data() for name, p in net_G.stats.items()}
            net_G = Network(net_G.spec, weights, self._type, self._context)
        return net_G.forward(self._native(Z), batch_stats, update_stats=False)[0].asnumpy()

    def discriminate(self, X: numpy.ndarray) -> numpy.ndarray:
        """Logits (n,), or energies."""
        output, _ = self.net_D.forward(self._native(X), training=False, update_stats=False)
        return output.asnumpy()

    def state(self) -> State:
        """A copy of everything that training changes, by the spec's names."""
        state: State = {}
        for net, trainer in ((self.net_G, self.trainer_G), (self.net_D, self.trainer_D)):
            state |= {name: a.asnumpy() for name, a in self._tensors(net, trainer).items()}
            state[f"{net.spec.name}.step"] = numpy.array(trainer.steps, numpy.int64)
        return state

    def load_state(self, state: State) -> None:
        """Restore a state. Raises UserError, with nothing changed, if it is not this recipe's."""
        check_state(self.recipe, state)
        for net, trainer in ((self.net_G, self.trainer_G), (self.net_D, self.trainer_D)):
            for name, array in self._tensors(net, trainer).items():
                array[...] = self._native(state[name])
            trainer.steps = int(state[f"{net.spec.name}.step"])

    def _tensors(self, net: Network, trainer: Adam) -> dict[str, Array]:
        tensors = {name: p.data() for name, p in (net.trained | net.stats).items()}
        lists = {"m": trainer.m, "v": trainer.v} | ({"ema": trainer.average} if trainer.ema else {})
        for suffix, own in lists.items():
            tensors |= {f"{name}.{suffix}": a for name, a in trainer.named(own).items()}
        return tensors

    def _plain_steps(self, X: Array, Z: Array, Z_G: Array | None, masks: dict[str, Array]) -> Array:
        """k steps, one by one: (k, 5)."""
        rows: list[Array] = []
        for i in range(len(X)):
            rows += steps.step(
                X[i],
                Z[i],
                None if Z_G is None else Z_G[i],
                {name: mask[i] for name, mask in masks.items()},
                self.net_D,
                self.net_G,
                self.recipe,
                self.trainer_D,
                self.trainer_G,
            )
        return np.stack(rows).reshape(-1, 5)

    def _examples(self, X: numpy.ndarray) -> Array:
        if self._held is None or not are_rows(X):
            return self._native(X)
        rows = np.array(X.ravel(), dtype="int64", ctx=self._context)
        x = (
            np.take(self._held, rows, axis=0)
            .astype(self._type)
            .reshape(*X.shape, *self._held.shape[1:])
        )
        return from_bytes(x) if self._held.dtype == numpy.uint8 else x

    def _native(self, array: numpy.ndarray) -> Array:
        return np.array(numpy.asarray(array, self._type), dtype=self._type, ctx=self._context)

    def _masks(self, masks: Masks | None) -> dict[str, Array]:
        return {n: self._native(mask) for n, mask in (masks or {}).items()}
