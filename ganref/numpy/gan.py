"""A GAN on this framework: arrays in, arrays out."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ganref.spec.groups import share, weight_of_sum
from ganref.spec.labels import label_masks
from ganref.spec.optimiser import Adam as AdamSpec
from ganref.spec.precision import storage
from ganref.spec.schema import Recipe
from ganref.spec.state import check_state
from ganref.spec.steps import Masks, Trace, are_rows, check_steps, of_pass, of_update, split

from . import steps
from .fast import make_steps
from .framework import (
    Tensor,
    gather,
    keep,
    memory_errors,
    placed,
    resolve_device,
    resolve_dtype,
    to_array,
    to_mask,
    to_tensor,
)
from .layers import Network, read, write
from .optim import Adam
from .peers import Peers

State = dict[str, np.ndarray]


def create(
    recipe: Recipe,
    weights: State,
    device: str = "cpu",
    dtype: str = "float32",
    compile: str = "auto",
    steps: int | None = None,
    peers: Peers | None = None,
) -> GAN:
    """A GAN with these initial weights. Raises UserError for an unknown device or dtype."""
    return GAN(recipe, weights, device, dtype, compile, steps, peers)


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
        peers: Peers | None,
    ) -> None:
        self.recipe, self.dtype, self.peers = recipe, dtype, peers
        # What this one trains of every batch: all of it, or a worker's rows.
        self._own = own = share(recipe, peers.size) if peers else recipe
        self.device = "cuda:0" if device == "cuda" else device
        self._device = resolve_device(self.device)
        self._type = resolve_dtype(dtype, self.device)
        check_state(recipe, weights, weights_only=True)
        self._how = self._type, self._device, dtype == "bfloat16"
        self.net_G = Network(own.generator, weights, *self._how)
        self.net_D = Network(own.discriminator, weights, *self._how)
        self.trainer_D = Adam(
            self.net_D, own.adam_D, clip=own.loss.clip, gather=self._gather(own.adam_D)
        )
        self.trainer_G = Adam(self.net_G, own.adam_G, own.ema, gather=self._gather(own.adam_G))
        self._parts = (self.net_G, self.trainer_G), (self.net_D, self.trainer_D)
        trained = self.net_D, self.net_G, own, self.trainer_D, self.trainer_G
        # Workers meet at every update, where nothing compiled can.
        self._steps = make_steps(*trained, "off" if peers else compile, steps)
        self._held: Tensor | None = None

    @property
    def compiled(self) -> str:
        """Whether steps are made in the fastest way: "yes", or why not."""
        return self._steps.why or "yes"

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

    @placed
    def train_trace(
        self,
        X: np.ndarray,
        Z: np.ndarray,
        *,
        Z_G: np.ndarray | None = None,
        masks: Masks | None = None,
    ) -> Trace:
        """k steps, with D's mean scores beside the losses."""
        check_steps(self._own, X, Z, Z_G, masks, self._held is not None)
        if not len(X):
            return Trace(*np.empty((5, 0), storage(self.dtype)))
        with memory_errors(X.shape[1] // self.recipe.D_updates, self.device):
            latents = self._latent(Z), None if Z_G is None else self._latent(Z_G)
            rows = self._steps(self._examples(X), *latents, self._masks(masks))
            # One transfer per call: asking for a number after each step would stall the device.
            own = to_array(rows)
            return Trace(*(own if self.peers is None else self._together(own)).T)

    @placed
    def hold(self, data: np.ndarray) -> bool:
        """Keep a data set (N, *data), uint8 images or points, on the device if there is room; from
        then on X may be rows of it, integers (k, B). Whether it is there."""
        self._held = keep(data, self._device)
        return self._held is not None

    @placed
    def update_D(self, X: np.ndarray, Z: np.ndarray, *, masks: Masks | None = None) -> float:
        """The readable update of D on one batch: its loss."""
        args = self._data(X), self._latent(Z), self.net_D, self.net_G
        return float(steps.update_D(*args, self._own, self.trainer_D, self._masks(masks))[0])

    @placed
    def update_G(self, Z: np.ndarray, *, masks: Masks | None = None) -> float:
        """One readable update of G: its loss."""
        args = self._latent(Z), self.net_D, self.net_G
        return float(steps.update_G(*args, self._own, self.trainer_G, self._masks(masks))[0])

    @placed
    def gradients(
        self,
        X: np.ndarray,
        Z: np.ndarray,
        *,
        Z_G: np.ndarray | None = None,
        masks: Masks | None = None,
    ) -> State:
        """The gradients of loss_D and loss_G at the present weights, by parameter name."""
        recipe, kept = self._own, self._masks(masks)
        X, Z = (of_update(batches, 0, recipe.D_updates) for batches in (X, Z))
        fake_X = self.net_G.run(self._latent(Z), update_stats=False)
        *_, grads = steps.gradient_D(self._data(X), fake_X, self.net_D, recipe, kept, False)
        grads_D = {name: read(grad) for name, grad in self.net_D.named(grads).items()}
        latents = self._latent(Z if Z_G is None else Z_G[0])
        samples = self.net_G.record(latents, update_stats=False)
        nets, own = (self.net_D, self.net_G), of_pass(kept, 2 * recipe.D_updates)
        *_, grads = steps.gradient_G(*samples, *nets, recipe, own, False)
        return {name: read(grad) for name, grad in self.net_G.named(grads).items()} | grads_D

    @placed
    def generate(
        self, Z: np.ndarray, *, batch_stats: bool = False, ema: bool = False
    ) -> np.ndarray:
        """Samples (n, *data)."""
        net_G = self.net_G
        if ema:
            own = net_G.stats | net_G.named(self.trainer_G.average)
            weights = {name: read(tensor) for name, tensor in own.items()}
            net_G = Network(self.recipe.generator, weights, *self._how)
        with memory_errors(len(Z), self.device):
            return to_array(net_G.run(self._latent(Z), training=batch_stats, update_stats=False))

    @placed
    def discriminate(self, X: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        """Logits (n,), or energies. Raises UserError for labels that are not the recipe's."""
        own = self._masks(label_masks(self.recipe, labels, len(X)))
        with memory_errors(len(X), self.device):
            return to_array(self.net_D.run(self._data(X), False, False, own))

    def state(self) -> State:
        """A copy of everything that training changes, by the spec's names."""
        state: State = {}
        for net, trainer in self._parts:
            own = net.trained | net.stats | trainer.tensors()
            state |= {name: read(tensor) for name, tensor in own.items()}
            state[f"{net.spec.name}.step"] = np.array(trainer.steps, np.int64)
        return state

    @placed
    def load_state(self, state: State) -> None:
        """Restore a state. Raises UserError, with nothing changed, if it is not this recipe's."""
        check_state(self.recipe, state)
        for net, trainer in self._parts:
            for name, tensor in (net.trained | net.stats | trainer.tensors()).items():
                write(tensor, state[name])
            trainer.set_steps(int(state[f"{net.spec.name}.step"]))

    def _gather(self, adam: AdamSpec) -> Any:
        """What makes the gradients that an optimiser is given those of all workers' rows."""
        if self.peers is None:
            return None
        return partial(self.peers.sum, weight=weight_of_sum(self.recipe, adam, self.peers.size))

    def _together(self, rows: np.ndarray) -> np.ndarray:
        """The rows (k, 5) of whole batches. Running statistics become their mean over the workers,
        and what is to be told is heard: all of it in one sum."""
        assert self.peers is not None
        both = self.net_G.stats | self.net_D.stats
        stats: list[Any] = [tensor for name, tensor in both.items() if ".running_" in name]
        parts = [rows, *map(read, stats), self.peers.told]
        total = self.peers.total(np.concatenate([np.ravel(part) for part in parts]))
        rows, *means, self.peers.heard = split(total, [part.shape for part in parts])
        size = self.peers.size
        for tensor, mean in zip(stats, means, strict=True):
            write(tensor, mean / size)
        losses = rows[:, :2] * self.recipe.loss.weight(size)
        return np.concatenate([losses, rows[:, 2:] / size], 1).astype(storage(self.dtype))

    def _examples(self, X: np.ndarray) -> Tensor:
        if self._held is None or not are_rows(X):
            return self._data(X)
        return gather(self._held, X, self._type)

    def _data(self, X: np.ndarray) -> Tensor:
        return to_tensor(X, self._type, self._device, len(self.recipe.data_shape))

    def _latent(self, Z: np.ndarray) -> Tensor:
        return to_tensor(Z, self._type, self._device, len(self.recipe.latent_shape))

    def _masks(self, masks: Masks | None) -> dict[str, Tensor]:
        own = self._type, self._device
        return {name: to_mask(mask, *own) for name, mask in (masks or {}).items()}
