"""python -m ganref.parity.driven BACKEND THREADS: a backend that `lockstep` drives step by step,
alone or as one of the workers that the variables of its engine name."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ..backend import BACKENDS, load_backend
from ..draws.batches import Batch, own_part
from ..spec import Recipe
from ..spec.engines import Peers, settle
from ..spec.steps import Trace, split
from .workers import serve

JOIN_S = 60.0  # within which workers have to meet


class Driven:
    """One GAN on one backend, with so many threads, or ("") as OMP_NUM_THREADS says."""

    def __init__(self, backend: str, threads: str) -> None:
        engine = BACKENDS[backend].engine
        place = engine.read(os.environ) if engine else None
        if engine and place:
            settle(engine, place, os.environ)
        self.module = load_backend(backend)  # a process that helps the workers ends here
        if threads:
            self.module.set_threads(int(threads))
        self.peers: Peers | None = None
        if place:
            where = place.rank, place.size, place.addresses[0]
            self.peers = self.module.join(*where, JOIN_S)

    def devices(self) -> list[str]:
        """What the framework can name here."""
        return self.module.devices()

    def create(
        self, recipe: Recipe, weights: dict[str, Any], device: str, dtype: str, compile: str
    ) -> str:
        """Begin; the framework's version."""
        how = device, dtype, compile
        self.gan = self.module.create(recipe, weights, *how, peers=self.peers)
        return self.module.version()

    def load(self, state: dict[str, Any]) -> None:
        """Go on from another one's state."""
        self.gan.load_state(state)

    def step(self, batch: Batch) -> dict[str, Any]:
        """One step: the gradients at the state before it, its losses, and the state after it."""
        peers, recipe = self.peers, self.gan.recipe
        if peers is None:
            return answer_step(self.gan, batch)
        answer = answer_step(self.gan, own_part(recipe, batch, peers.rank, peers.size))
        parts = answer["gradients"].values()
        total = peers.total(np.concatenate([np.ravel(part) for part in parts]))
        whole = split(total * recipe.loss.weight(peers.size), [part.shape for part in parts])
        answer["gradients"] = dict(zip(answer["gradients"], whole, strict=True))
        return answer


def answer_step(gan: Any, batch: Batch) -> dict[str, Any]:
    """One step of a GAN: gradients before it, losses, state after it."""
    masks = {name: mask[0] for name, mask in batch.masks.items()}
    Z_G = None if batch.Z_G is None else batch.Z_G[0]
    gradients = gan.gradients(batch.X[0], batch.Z[0], Z_G=Z_G, masks=masks)
    trace: Trace = gan.train_trace(batch.X, batch.Z, Z_G=batch.Z_G, masks=batch.masks)
    losses = {"loss_D": float(trace.loss_D[0]), "loss_G": float(trace.loss_G[0])}
    return {"gradients": gradients, "losses": losses, "state": gan.state()}


if __name__ == "__main__":
    serve(Driven)
