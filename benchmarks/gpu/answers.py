"""python -m benchmarks.gpu.answers BACKEND MODE: a process that answers for one framework on one
device: whether it is right there, and how fast the device is."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganref.draws.weights import initial_weights
from ganref.parity.trial import IMAGES, TOY
from ganref.parity.workers import serve
from ganref.spec.state import initial_state

from ..speed import rates
from ..speed.measure import Variant

RUN_STEPS = 2500  # how long the runs are of which some steps are made: as `ganref.train` has them
CASES = {"toy": TOY, "convolutions": IMAGES}


class Answers(Variant):
    """A variant that is asked about its device."""

    def differences(self, device: str) -> dict[str, Any]:
        """How far its losses are from NumPy's in float64, and how far they may be."""
        return {
            name: [case.difference(self.backend, device), case.agrees]
            for name, case in CASES.items()
        }

    def trained(
        self, device: str, case: str, start: int, stop: int, state: dict[str, Any] | None
    ) -> dict[str, np.ndarray]:
        """The state after the steps from `start` to `stop`, one a call, in float32, begun with that
        state (None for the initial one)."""
        chosen = CASES[case].recipe
        weights = initial_weights(chosen)
        gan = self.module.create(chosen, weights, device, "float32", "auto", RUN_STEPS)
        gan.load_state(state or initial_state(chosen, weights, "float32"))
        for step in range(start, stop):
            rng = np.random.default_rng(step)
            X, Z = (
                rng.standard_normal((1, chosen.batch_size, *shape), "float32")
                for shape in (chosen.data_shape, chosen.latent_shape)
            )
            gan.train_steps(X, Z)
        return gan.state()

    def copying(self, device: str, seconds: float) -> dict[str, Any]:
        """The best rate at which the framework copies what lies on the device, in bytes per second,
        read and written."""
        return {"bytes_per_s": rates.best_copy(self.backend, device, seconds)}


if __name__ == "__main__":
    serve(lambda backend, mode, threads: Answers(backend, mode, int(threads)))
