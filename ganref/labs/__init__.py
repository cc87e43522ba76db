"""The pitfall lab: scripted experiments on what goes wrong in a GAN, one module each.

Each has `run(setup, ...)`, which measures and returns the figures as JSON holds them;
`finding(figures)`, the words that follow from them and from nothing else; and
`draw(path, figures)`, the picture. `QUICK` is what `run` takes to fit a lesson, `GIVEN_UP`
what that costs, in words. Everything runs through the public contract of a backend.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import GAN, load_backend
from ..draws import batches
from ..draws.weights import initial_weights
from ..output.canvas import figure as figure
from ..output.canvas import save as save
from ..parity.differences import gradient_norm as gradient_norm
from ..spec.schema import Recipe
from ..spec.state import initial_state
from ..spec.steps import Trace


@dataclass(frozen=True)
class Setup:
    """Where an experiment runs, and the seed of all that it draws."""

    backend: str = "numpy"
    seed: int = 0
    device: str = "cpu"
    dtype: str = "float32"
    compile: str = "auto"
    progress: bool = False

    def create(self, recipe: Recipe) -> GAN:
        """A GAN with the initial weights of the seed. Raises UserError."""
        weights = initial_weights(recipe, self.seed)
        module = load_backend(self.backend)
        return module.create(recipe, weights, self.device, self.dtype, self.compile)

    def bar(self, total: int, what: str) -> Any:
        """A progress bar over `total` steps."""
        from tqdm import tqdm

        return tqdm(total=total, desc=what, unit="step", disable=not self.progress, mininterval=0.2)


def fresh_state(recipe: Recipe, seed: int) -> dict[str, np.ndarray]:
    """The state before the first step, from the initial weights of that seed: what
    `GAN.load_state` takes to begin another run without compiling another GAN."""
    return initial_state(recipe, initial_weights(recipe, seed))


def train(gan: GAN, source: batches.Source, steps: int) -> Iterator[tuple[range, Trace]]:
    """Train from step 0, handing on each chunk's steps and trace."""
    for chunk in batches.plan(source, 0, steps, None):
        batch = source.draw(chunk)
        yield chunk, gan.train_trace(batch.X, batch.Z, Z_G=batch.Z_G, masks=batch.masks)


def times(ratio: float) -> str:
    """A ratio in words: "3.2 times", "450,000 times"."""
    return f"{ratio:,.1f} times" if ratio < 10 else f"{ratio:,.0f} times"
