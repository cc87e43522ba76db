"""The one place for randomness: counter-based streams.

Every draw comes from Philox (Salmon et al. 2011) with the key (seed, stream) and the step in the
counter's highest word, so that each step's numbers can be made alone, in any order, by anyone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..spec.errors import UserError
from ..spec.schema import MIX, Recipe

# A stream's number is part of every published result: never renumber.
WEIGHTS, LATENT, LATENT_G, SHUFFLE, DROPOUT, PICTURES, DATA, EVALUATION, MIXTURE = range(1, 10)
LABELS = 10


class Stream:
    """The generators of one (seed, stream), one for each step.

    Setting the state of one generator costs a fifth of making a new one, which matters where a
    training step takes 15 µs.
    """

    def __init__(self, seed: int, stream: int) -> None:
        if not 0 <= seed < 2**64:
            raise UserError(f"a seed must be in [0, 2^64), not {seed}")
        self._bits = np.random.Philox(key=np.array([seed, stream], dtype=np.uint64))
        self._start = self._bits.state
        self._generator = np.random.Generator(self._bits)

    def at(self, step: int) -> np.random.Generator:
        """The generator of that step; it is valid until the next call."""
        self._start["state"]["counter"][3] = step
        self._bits.state = self._start
        return self._generator


def latent(recipe: Recipe, stream: Stream, steps: range, lead: tuple[int, ...]) -> np.ndarray:
    """The latents (len(steps), *lead, *latent_shape) of these steps, float64; where the recipe has
    classes their noise alone, to which `spec.labels.with_labels` appends labels."""
    shape = (*lead, recipe.latent_dim, *recipe.latent_shape[1:])
    out = np.empty((len(steps), *shape))
    for row, step in zip(out, steps, strict=True):
        generator = stream.at(step)
        if recipe.latent == "normal":
            generator.standard_normal(out=row)
        else:
            row[...] = generator.uniform(-1, 1, shape)
    return out


def drawn_labels(
    stream: Stream, steps: range, leads: Sequence[tuple[int, ...]], labels: np.ndarray
) -> list[Any]:
    """The labels (len(steps), *lead) of these steps, for each lead: those of examples drawn from
    all N with the same chance, so that classes are as frequent as among their labels (N,)."""
    out = [np.empty((len(steps), *lead), np.int64) for lead in leads]
    for row, step in enumerate(steps):
        generator = stream.at(step)
        for own in out:
            own[row] = labels[generator.integers(len(labels), size=own.shape[1:])]
    return out


def dropout_masks(recipe: Recipe, stream: Stream, steps: range) -> dict[str, np.ndarray]:
    """The masks (len(steps), passes, B, *features) of these steps, by layer; True is kept."""
    drops = recipe.discriminator.dropouts
    shapes = {n: shape for n, shape in recipe.masks().items() if n in drops}
    masks = {name: np.empty((len(steps), *shape), dtype=bool) for name, shape in shapes.items()}
    for row, step in enumerate(steps):
        generator = stream.at(step)
        for mask in masks.values():
            mask[row] = generator.random(mask.shape[1:], dtype=np.float32) >= recipe.dropout
    return masks


def mixtures(recipe: Recipe, stream: Stream, steps: range) -> dict[str, np.ndarray]:
    """The shares `MIX` of these steps, U(0, 1), as `Recipe.masks` has them with the steps in front,
    float64; nothing where the loss mixes no examples."""
    shapes = {n: shape for n, shape in recipe.masks().items() if n == MIX}
    return {n: np.array([stream.at(i).random(shape) for i in steps]) for n, shape in shapes.items()}


def permutation(stream: Stream, epoch: int, n: int) -> np.ndarray:
    """The order (n,) in which an epoch goes through the data."""
    return stream.at(epoch).permutation(n)
