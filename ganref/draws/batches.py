"""Every number that a run draws: for any range of steps, and ahead of the one that trains."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..spec.errors import UserError
from ..spec.labels import pass_masks, with_labels
from ..spec.precision import storage
from ..spec.schema import Recipe
from . import rng

# Handing over many steps at once keeps a framework inside its compiled loop; more than this much
# input at once would only delay the progress bar and a SIGINT.
CHUNK_BYTES, CHUNK_STEPS = 16 * 2**20, 125


class Examples(Protocol):
    """What a data set offers to be drawn from: `ganref.data.Dataset` does."""

    @property
    def labels(self) -> np.ndarray | None:
        """The examples' classes (N,), where they have some."""

    def __len__(self) -> int:
        """How many examples there are."""

    def batch(self, indices: Any, dtype: Any = None) -> np.ndarray:
        """The examples at `indices` (any shape) as floating-point numbers (*indices, *shape)."""


@dataclass(frozen=True)
class Batch:
    """The draws of consecutive steps, as `GAN.train_trace` takes them."""

    X: np.ndarray
    Z: np.ndarray
    Z_G: np.ndarray | None
    masks: dict[str, np.ndarray]


def own_rows(array: np.ndarray, rank: int, workers: int, batches: int) -> np.ndarray:
    """Of an array (k, batches * B, ...) the rows of each batch that are this worker's, the `rank`th
    of as many equal parts in order: (k, batches * B / workers, ...)."""
    k, rows, *rest = array.shape
    parts = array.reshape(k, batches, workers, rows // batches // workers, *rest)
    return parts[:, :, rank].reshape(k, rows // workers, *rest)


def own_of_each(array: np.ndarray, rank: int, workers: int) -> np.ndarray:
    """Of (k, passes, B, ...) this worker's rows of each pass: (k, passes, B / workers, ...)."""
    k, passes, batch, *rest = array.shape
    flat = own_rows(array.reshape(k, -1, *rest), rank, workers, passes)
    return flat.reshape(k, passes, batch // workers, *rest)


def own_part(recipe: Recipe, batch: Batch, rank: int, workers: int) -> Batch:
    """A worker's part of the draws of whole batches."""
    where = rank, workers
    X, Z = (own_rows(array, *where, recipe.D_updates) for array in (batch.X, batch.Z))
    Z_G = None if batch.Z_G is None else own_of_each(batch.Z_G, *where)
    return Batch(X, Z, Z_G, {name: own_of_each(m, *where) for name, m in batch.masks.items()})


class Source:
    """Every number that a run draws, for any range of steps."""

    def __init__(
        self,
        recipe: Recipe,
        dataset: Examples,
        seed: int,
        dtype: str,
        held: bool = False,
        rank: int = 0,
        workers: int = 1,
    ) -> None:
        """`held`: the data set lies where training happens, so that X is rows of it. `rank`: which
        of so many workers this is; it draws its rows of the `recipe`'s batches. Raises UserError
        for data without labels where the recipe has classes."""
        self.recipe, self.dataset, self.held = recipe, dataset, held
        self.rank, self.workers = rank, workers
        self.dtype = storage(dtype)
        self.steps_per_epoch = recipe.steps_per_epoch(len(dataset))
        streams = rng.LATENT, rng.LATENT_G, rng.DROPOUT, rng.SHUFFLE, rng.MIXTURE
        self._latent, self._latent_G, self._dropout, self._shuffle, self._mixture = (
            rng.Stream(seed, stream) for stream in streams
        )
        self._labels = rng.Stream(seed, rng.LABELS)
        if recipe.classes and dataset.labels is None:
            raise UserError("the recipe is conditional, and its data have no labels")
        self._classes = np.asarray(dataset.labels if recipe.classes else ())
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, int))

    @property
    def bytes_per_step(self) -> int:
        """What one step's draws weigh."""
        recipe, itemsize = self.recipe, np.dtype(self.dtype).itemsize
        numbers = recipe.examples_per_step * int(np.prod(recipe.data_shape))
        return numbers * itemsize + sum(int(np.prod(s)) for s in recipe.masks().values())

    def draw(self, steps: range) -> Batch:
        """The draws of these steps, which must lie in one epoch."""
        recipe = self.recipe
        leads = [(recipe.examples_per_step,), (recipe.G_updates, recipe.batch_size)]
        leads = leads[: 2 if recipe.fresh_Z else 1]
        streams = self._latent, self._latent_G
        latents = [
            rng.latent(recipe, stream, steps, lead)
            for stream, lead in zip(streams, leads, strict=False)
        ]
        masks = rng.dropout_masks(recipe, self._dropout, steps)
        masks |= rng.mixtures(recipe, self._mixture, steps)
        if recipe.classes:
            drawn = rng.drawn_labels(self._labels, steps, leads, self._classes)
            latents = [with_labels(recipe, *own) for own in zip(latents, drawn, strict=True)]
            drawn.append(None)
            masks |= pass_masks(recipe, self._classes[self._rows(steps)], *drawn[:2])
        Z = self._own(latents[0], recipe.D_updates)
        # A normal number takes as many bits as it happens to: those of other rows come before ours.
        Z_G = self._own_of_each(latents[1]) if recipe.fresh_Z else None
        masks = {name: self._own_of_each(mask) for name, mask in masks.items()}
        return Batch(self.real(steps), Z, Z_G, masks)

    def real(self, steps: range) -> np.ndarray:
        """The real examples (k, n B, *data) of these steps of n updates of D, or their rows
        (k, n B); a worker's own. Every epoch goes through the data once in an order of its own; the
        rows that do not fill a last step wait for another epoch."""
        rows = self._own(self._rows(steps), self.recipe.D_updates)
        return rows if self.held else self.dataset.batch(rows, self.dtype)

    def _own(self, array: np.ndarray, batches: int) -> np.ndarray:
        if self.workers == 1:
            return array
        return own_rows(array, self.rank, self.workers, batches)

    def _own_of_each(self, array: np.ndarray) -> np.ndarray:
        return array if self.workers == 1 else own_of_each(array, self.rank, self.workers)

    def _rows(self, steps: range) -> np.ndarray:
        epoch, first = divmod(steps.start, self.steps_per_epoch)
        if self._order[0] != epoch:
            self._order = epoch, rng.permutation(self._shuffle, epoch, len(self.dataset))
        size = self.recipe.examples_per_step
        rows = self._order[1][first * size : (first + len(steps)) * size]
        return rows.reshape(len(steps), size)


def plan(source: Source, start: int, stop: int, checkpoint_every: int | None) -> Iterator[range]:
    """The ranges of steps handed over at once: none crosses the end of an epoch or a checkpoint."""
    chunk = max(1, min(CHUNK_STEPS, CHUNK_BYTES // source.bytes_per_step))
    while start < stop:
        end = min(start + chunk, stop)
        for every in (source.steps_per_epoch, checkpoint_every):
            if every:
                end = min(end, (start // every + 1) * every)
        yield range(start, end)
        start = end


def ahead(source: Source, plan: Iterator[range]) -> Iterator[tuple[range, Batch]]:
    """Draw the next steps in a thread while these are trained on. Small draws are not worth it."""
    if source.bytes_per_step < 2**14:
        yield from ((steps, source.draw(steps)) for steps in plan)
        return
    ready: queue.Queue[Any] = queue.Queue(maxsize=2)
    stopped = threading.Event()

    def put(item: Any) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for steps in plan:
                if not put((steps, source.draw(steps))):
                    return
            put(None)
        except BaseException as error:  # it belongs to whoever waits for the draws
            put(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
