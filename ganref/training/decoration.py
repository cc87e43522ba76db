"""What makes a run good to look at: pictures, an animation, TensorBoard, metrics, warnings.

Nothing in here may end a run, which has its rows and its checkpoint before any of it is drawn: what
fails is a warning, once, and the run goes on without.
"""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np

from ..backend import GAN
from ..data import Dataset
from ..draws import rng
from ..metrics.report import cheap_metrics
from ..output import board, curves, pictures
from ..output.files import optional
from ..spec.labels import with_labels
from ..spec.schema import Recipe
from ..spec.steps import Trace
from . import shown
from .run import Options, RunDirectory

PICTURE_SECONDS = 10.0  # how often a running picture is worth half a second


class Decoration:
    """The pictures and boards of one run of so many epochs. Raises UserError if TensorBoard is
    asked for and is not installed: that is known before the first step."""

    def __init__(
        self, recipe: Recipe, dataset: Dataset, run: RunDirectory, options: Options, epochs: int
    ) -> None:
        self.recipe, self.run, self.options = recipe, run, options
        self.dataset, self.epochs = dataset, epochs
        self.columns = shown.columns(recipe)
        self._failed: set[str] = set()
        self._drawn_at = time.perf_counter()
        self._board = board.board(run.path) if options.tensorboard else None

    def words(self, text: str) -> None:
        """A warning on stderr that leaves the progress bar whole."""
        from tqdm import tqdm

        tqdm.write(f"{self.recipe.name}: warning: {text}", file=sys.stderr)

    def metrics(self, gan: GAN, seed: int, epoch: int) -> dict[str, Any]:
        """What an epoch's row has beside the means, where that is asked for: the cheap metrics of
        1,000 samples from fixed noise."""
        every = self.options.evaluate_every
        if every and (epoch % every == 0 or epoch == self.epochs):
            with self._attempt("metrics"):
                stream = rng.Stream(seed, rng.PICTURES)
                batches = rng.latent(self.recipe, stream, range(1, 5), (250,))
                labels = shown.labels_like(self.recipe, self.dataset.labels, seed, 1000)
                labels = None if labels is None else labels.reshape(4, 250)
                latents = with_labels(self.recipe, batches, labels)
                samples = np.concatenate([gan.generate(Z) for Z in latents])
                return {"metrics": cheap_metrics(self.recipe, self.dataset, samples, seed)}
        return {}

    def epoch(self, epochs: list[dict[str, Any]], trace: Trace, samples: np.ndarray) -> None:
        """After an epoch: its samples (n, *data), its events, and now and then the picture."""
        row = epochs[-1]
        if time.perf_counter() - self._drawn_at > PICTURE_SECONDS:
            self._draw(epochs, trace, samples)
            self._drawn_at = time.perf_counter()
        with self._attempt("samples"):
            self.run.samples.mkdir(exist_ok=True)
            stem = self.run.samples / f"epoch_{row['epoch']:04d}"
            pictures.save_samples(stem, samples, self.columns)
        if self._board:
            with self._attempt("TensorBoard"):
                board.log_to_board(self._board, row, samples, self.columns)

    def finish(self, epochs: list[dict[str, Any]], trace: Trace, samples: np.ndarray) -> None:
        """The last pictures."""
        self._draw(epochs, trace, samples)
        if self.options.gif:
            with self._attempt("samples.gif"):
                gif = self.run.path / "samples.gif"
                pictures.animate(self.run.samples, gif, self._points())
        if self._board:
            with self._attempt("TensorBoard"):
                self._board.close()

    def _draw(self, epochs: list[dict[str, Any]], trace: Trace, samples: np.ndarray) -> None:
        found: dict[str, list[tuple[int, float]]] = {}
        for row in epochs:
            for name, value in row.get("metrics", {}).items():
                if value is not None:  # a row read back: it was not finite
                    found.setdefault(name, []).append((row["step"], value))
        with self._attempt("progress.png"):
            path = self.run.path / "progress.png"
            real, columns = self._points(), self.columns
            curves.progress(path, self.recipe, trace, samples, real, found, columns)

    def _points(self) -> np.ndarray | None:
        """Real points to show beside generated ones; images speak for themselves."""
        few = np.arange(min(len(self.dataset), 1000))
        return self.dataset.batch(few) if len(self.recipe.data_shape) == 1 else None

    def _attempt(self, what: str) -> AbstractContextManager[None]:
        return optional(what, partial(self._once, what))

    def _once(self, what: str, failure: str) -> None:
        if what not in self._failed:
            self._failed.add(what)
            self.words(f"{failure}; the run goes on without")
