"""python -m ganref.parity.driven BACKEND THREADS: a backend that `lockstep` drives step by step."""

from __future__ import annotations

from typing import Any

from ..backend import load_backend
from ..draws.batches import Batch
from ..spec import Recipe
from ..spec.steps import Trace
from .workers import serve


class Driven:
    """One GAN on one backend, with so many threads, or ("") as OMP_NUM_THREADS says."""

    def __init__(self, backend: str, threads: str) -> None:
        self.module = load_backend(backend)
        if threads:
            self.module.set_threads(int(threads))

    def devices(self) -> list[str]:
        """What the framework can name here."""
        return self.module.devices()

    def create(
        self, recipe: Recipe, weights: dict[str, Any], device: str, dtype: str, compile: str
    ) -> str:
        """Begin; the framework's version."""
        self.gan = self.module.create(recipe, weights, device, dtype, compile)
        return self.module.version()

    def load(self, state: dict[str, Any]) -> None:
        """Go on from another one's state."""
        self.gan.load_state(state)

    def step(self, batch: Batch) -> dict[str, Any]:
        """One step: the gradients at the state before it, its losses, and the state after it."""
        return answer_step(self.gan, batch)


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
