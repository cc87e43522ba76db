"""Steps on a GPU as one CUDA graph: several hundred launches become one.

What is captured is `steps.step` itself, so the kernels are the same and so is every bit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ganref.spec.schema import Recipe

from .. import steps
from ..layers import Network
from ..optim import Adam
from ..steps import PlainSteps

WARM_UPS = 3  # before a capture: libraries allocate their workspaces in the first calls


def why_launched(recipe: Recipe, compile: str) -> str:
    """Why the kernels of this recipe's steps are launched one by one; "" if they are not to be."""
    if compile == "off":
        return "compile is off"
    if "plain" in (recipe.adam_D.eps_form, recipe.adam_G.eps_form):
        return "epsilon changes with every update of this Adam, and a graph holds it still"
    return ""


def capture(step: Callable[[], Tensor], device: torch.device) -> tuple[Callable[[], None], Tensor]:
    """(what makes the step again, the memory in which it leaves its result). Raises RuntimeError,
    in all of PyTorch's kinds."""
    with torch.cuda.device(device):
        stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                step()
            # On the stream that the libraries' workspaces were made for, and inside its context: a
            # capture that fails would leave its own stream the current one.
            with torch.cuda.graph(graph, stream=stream):
                result = step()
        torch.cuda.current_stream().wait_stream(stream)
    return graph.replay, result


class GraphedSteps:
    """The steps of one GAN, whose inputs are copied to where the graph reads them; `plain` ones,
    and `why`, where a capture fails."""

    def __init__(
        self,
        recipe: Recipe,
        net_D: Network,
        net_G: Network,
        trainer_D: Adam,
        trainer_G: Adam,
        plain: PlainSteps,
    ) -> None:
        self.recipe, self.nets = recipe, (net_D, net_G)
        self.trainers = trainer_D, trainer_G
        self.plain, self.why = plain, ""
        self.inputs: list[Tensor] = []

    def __call__(
        self, X: Tensor, Z: Tensor, Z_G: Tensor | None, masks: dict[str, Tensor]
    ) -> Tensor:
        """k steps on tensors as `GAN.train_trace` takes them: (k, 5)."""
        arrays = [X, Z, *([] if Z_G is None else [Z_G]), *masks.values()]
        done = [trainer.steps for trainer in self.trainers]
        here = [tuple(place.shape) for place in self.inputs]
        if not self.why and here != [tuple(array.shape[1:]) for array in arrays]:
            self._prepare(arrays, list(masks), Z_G is not None)
        if self.why:
            return self.plain(X, Z, Z_G, masks)
        rows = X.new_empty(len(X), 5)
        for i, row in enumerate(rows):
            for place, array in zip(self.inputs, arrays, strict=True):
                place.copy_(array[i])
            self.replay()
            row.copy_(self.result)
        # Only the counts on the device have been moved by a replay.
        per_step = self.recipe.D_updates, self.recipe.G_updates
        for trainer, before, updates in zip(self.trainers, done, per_step, strict=True):
            trainer.steps = before + len(X) * updates
        return rows

    def _prepare(self, arrays: Sequence[Tensor], names: list[str], fresh: bool) -> None:
        self.inputs = [array[0].clone() for array in arrays]
        X, Z, *more = self.inputs
        Z_G = more.pop(0) if fresh else None
        masks = dict(zip(names, more, strict=True))

        def step() -> Tensor:
            row = steps.step(X, Z, Z_G, masks, *self.nets, self.recipe, *self.trainers)
            return torch.stack(row)

        # Warming up trains: everything goes back to where it was, whatever comes of the capture.
        changed, done = self._state(), [trainer.steps for trainer in self.trainers]
        before = [tensor.detach().clone() for tensor in changed]
        try:
            self.replay, self.result = capture(step, X.device)
        except RuntimeError as error:  # a graph is never required, and fails in many ways
            self.why = f"no CUDA graph: {' '.join(str(error).split())[:200]}"
            warnings.warn(f"steps are launched one by one; {self.why}", stacklevel=2)
        with torch.no_grad():
            for tensor, old in zip(changed, before, strict=True):
                tensor.copy_(old)
        for trainer, steps_before in zip(self.trainers, done, strict=True):
            trainer.steps = steps_before

    def _state(self) -> list[Tensor]:
        tensors: list[Tensor] = []
        for net, trainer in zip(self.nets, self.trainers, strict=True):
            tensors += [*net.trained.values(), *net.stats.values()]
            tensors += [*trainer.m, *trainer.v, *trainer.counts, *trainer.average]
        return tensors
