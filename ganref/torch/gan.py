"""A GAN on this framework: arrays in, arrays out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ganref.spec.schema import Recipe
from ganref.spec.state import check_state
from ganref.spec.steps import Masks, Trace, are_rows, check_steps, from_bytes

from . import steps
from .fast import cuda_graph, inductor
from .framework import memory_errors, resolve_device, resolve_dtype
from .layers import Network
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
    return GAN(recipe, weights, device, dtype, compile, steps)


class GAN:
    """See `ganref.backend.GAN` for the contract. `compiled` is "yes", or why steps are not."""

    def __init__(
        self,
        recipe: Recipe,
        weights: State,
        device: str,
        dtype: str,
        compile: str,
        steps: int | None,
    ) -> None:
        self.recipe, self.dtype = recipe, dtype
        self.device = resolve_device(device)
        self._type = resolve_dtype(dtype, self.device)
        check_state(recipe, weights, weights_only=True)
        how = self._type, dtype == "bfloat16"
        self.net_G = Network(recipe.generator, weights, *how).to(self.device)
        self.net_D = Network(recipe.discriminator, weights, *how).to(self.device)
        self.trainer_D = Adam(self.net_D, recipe.adam_D)
        self.trainer_G = Adam(self.net_G, recipe.adam_G, recipe.ema)
        self._thorough = compile == "on"
        self._held: Tensor | None = None
        self._graphed: cuda_graph.GraphedSteps | None = None
        if self.device == "cpu":
            self.compiled = inductor.why_eager(recipe, dtype, compile, steps) or "yes"
        else:
            self.compiled = cuda_graph.why_launched(recipe, compile) or "yes"
            if self.compiled == "yes":
                trained = self.net_D, self.net_G, self.trainer_D, self.trainer_G
                self._graphed = cuda_graph.GraphedSteps(recipe, *trained)

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
            fresh = None if Z_G is None else self._native(Z_G)
            rows = self._train(self._examples(X), self._native(Z), fresh, self._masks(masks))
            # One transfer per call: asking for a number after each step would stall the device.
            return Trace(*rows.T.cpu().numpy())

    def hold(self, data: np.ndarray) -> bool:
        """Keep a data set (N, *data), uint8 images or points, on the device if there is room; from
        then on X may be rows of it, integers (k, B). Whether it is there."""
        if self.device != "cpu" and torch.cuda.mem_get_info(self.device)[0] < 4 * data.nbytes:
            return False  # training wants room too
        self._held = torch.tensor(data, device=self.device)
        return True

    def _train(
        self, real: Tensor, noise: Tensor, fresh: Tensor | None, kept: dict[str, Tensor]
    ) -> Tensor:
        """k steps: (k, 5)."""
        if self._graphed is not None:
            return self._graphed(real, noise, fresh, kept)
        trainers = self.trainer_D, self.trainer_G
        if (compiled := self._compiled_step(real.shape[1])) is not None:
            return inductor.run_steps(compiled, self.recipe, real, noise, fresh, kept, *trainers)
        rows: list[Tensor] = []
        for i in range(len(real)):
            rows += steps.step(
                real[i],
                noise[i],
                None if fresh is None else fresh[i],
                {name: mask[i] for name, mask in kept.items()},
                self.net_D,
                self.net_G,
                self.recipe,
                *trainers,
            )
        return torch.stack(rows).reshape(-1, 5) if rows else real.new_empty(0, 5)

    def update_D(self, X: np.ndarray, Z: np.ndarray, *, masks: Masks | None = None) -> float:
        """The readable update of D on one batch: its loss."""
        args = self._native(X), self._native(Z), self.net_D, self.net_G
        return float(steps.update_D(*args, self.recipe, self.trainer_D, self._masks(masks))[0])

    def update_G(self, Z: np.ndarray, *, masks: Masks | None = None) -> float:
        """One readable update of G: its loss."""
        args = self._native(Z), self.net_D, self.net_G
        return float(steps.update_G(*args, self.recipe, self.trainer_G, self._masks(masks))[0])

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
        fake_X, _ = self.net_G(self._native(Z), update_stats=False)
        *_, grad_D = steps.gradient_D(self._native(X), fake_X, self.net_D, recipe, kept, False)
        latent = self._native(Z if Z_G is None else Z_G[0])
        fake_X, tape_G = self.net_G(latent, update_stats=False)
        own, nets = {name: mask[2] for name, mask in kept.items()}, (self.net_D, self.net_G)
        *_, grad_G = steps.gradient_G(fake_X, tape_G, *nets, recipe, own, False)
        named = self.trainer_G.named(grad_G) | self.trainer_D.named(grad_D)
        return {name: _array(g) for name, g in named.items()}

    @torch.no_grad()
    def generate(
        self, Z: np.ndarray, *, batch_stats: bool = False, ema: bool = False
    ) -> np.ndarray:
        """Samples (n, *data)."""
        how = {"training": batch_stats, "update_stats": False}
        weights = {}
        if ema:
            names = dict(self.net_G.named_parameters())
            weights = dict(zip(names, self.trainer_G.average, strict=True))
        args = (self._native(Z),)
        return _array(torch.func.functional_call(self.net_G, weights, args, how)[0])

    @torch.no_grad()
    def discriminate(self, X: np.ndarray) -> np.ndarray:
        """Logits (n,), or energies."""
        return _array(self.net_D(self._native(X), training=False, update_stats=False)[0])

    def state(self) -> State:
        """A copy of everything that training changes, by the spec's names."""
        state: State = {}
        for net, trainer in ((self.net_G, self.trainer_G), (self.net_D, self.trainer_D)):
            state |= {name: _array(t) for name, t in self._tensors(net, trainer).items()}
            state[f"{net.spec.name}.step"] = np.array(trainer.steps, np.int64)
        return state

    @torch.no_grad()
    def load_state(self, state: State) -> None:
        """Restore a state. Raises UserError, with nothing changed, if it is not this recipe's."""
        check_state(self.recipe, state)
        for net, trainer in ((self.net_G, self.trainer_G), (self.net_D, self.trainer_D)):
            for name, tensor in self._tensors(net, trainer).items():
                tensor.copy_(torch.tensor(state[name]))
            trainer.set_steps(int(state[f"{net.spec.name}.step"]))

    def _compiled_step(self, batch_size: int) -> inductor.Step | None:
        """The compiled step, if there is one; `compiled` says why not."""
        if self.compiled == "yes":
            try:
                return inductor.compile_steps(self.recipe, self._type, batch_size, self._thorough)
            except Exception as error:  # a compiler is never required, and fails in many ways
                self.compiled = f"it failed: {' '.join(str(error).split())[:200]}"
        return None

    def _tensors(self, net: Network, trainer: Adam) -> dict[str, Tensor]:
        tensors = net.params | net.stats
        lists = {"m": trainer.m, "v": trainer.v} | ({"ema": trainer.average} if trainer.ema else {})
        for suffix, own in lists.items():
            tensors |= {f"{name}.{suffix}": t for name, t in trainer.named(own).items()}
        return tensors

    def _examples(self, X: np.ndarray) -> Tensor:
        if self._held is None or not are_rows(X):
            return self._native(X)
        examples = self._held[torch.tensor(X, device=self.device)]
        x = examples.to(self._type)
        if examples.dtype != torch.uint8:
            return x
        # By a tensor: GPUs would multiply by 1/255 instead, which rounds differently.
        return from_bytes(x, torch.full((), 255.0, dtype=x.dtype, device=x.device))

    def _native(self, array: np.ndarray, dtype: torch.dtype | None = None) -> Tensor:
        tensor = torch.tensor(array, dtype=dtype or self._type)
        if self.device == "cpu":
            return tensor
        # From pinned memory a copy goes on beside the computation.
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def _masks(self, masks: Masks | None) -> dict[str, Tensor]:
        return {n: self._native(mask, torch.bool) for n, mask in (masks or {}).items()}


def _array(tensor: Tensor) -> np.ndarray:
    """A copy that belongs to the caller, in the spec's layout."""
    return np.array(tensor.detach().cpu().numpy(), order="C")
