"""The latents that are looked at rather than trained on, and the classes that go with them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..draws import rng
from ..spec.errors import UserError
from ..spec.labels import with_labels
from ..spec.schema import Recipe

IMAGES, POINTS = 64, 200  # in a picture without classes
COLUMNS, MOST_ROWS = 8, 32  # in one with a row for each class
FIRST_STEP = 2**32  # of the stream of labels, beyond what training draws


def columns(recipe: Recipe) -> int | None:
    """How many columns a picture of a run has, None where there are no rows of classes."""
    return COLUMNS if recipe.conditional and len(recipe.data_shape) == 3 else None


def pictured(recipe: Recipe, seed: int) -> np.ndarray:
    """The latents (n, *latent) that all pictures of a run are made from: of a conditional one a row
    of images for each class, the first 32 at most, or points of each class in turn."""
    if across := columns(recipe):
        return rows_of_classes(recipe, seed, range(min(recipe.classes, MOST_ROWS)), across)
    shown = IMAGES if len(recipe.data_shape) == 3 else POINTS
    noise = rng.latent(recipe, rng.Stream(seed, rng.PICTURES), range(1), (shown,))[0]
    labels = np.arange(shown) % recipe.classes if recipe.conditional else None
    return with_labels(recipe, noise, labels)


def rows_of_classes(recipe: Recipe, seed: int, classes: Sequence[int], across: int) -> np.ndarray:
    """Latents (len(classes) * across, *latent), class by class: rows as in Mirza and Osindero 2014,
    figure 2, but what stands in one column has the same noise, so that only the class differs."""
    noise = rng.latent(recipe, rng.Stream(seed, rng.PICTURES), range(1), (across,))[0]
    rows = np.tile(noise, (len(classes), *(1,) * (noise.ndim - 1)))
    return with_labels(recipe, rows, np.repeat(np.asarray(classes, np.int64), across))


def labels_like(
    recipe: Recipe, labels: np.ndarray | None, seed: int, num: int
) -> np.ndarray | None:
    """Classes (num,) as often as the data have them, whose `labels` these are (N,); None where the
    recipe asks for none. Raises UserError without labels, or with one that the recipe lacks."""
    if not recipe.conditional:
        return None
    if labels is None:
        raise UserError(f"this run has {recipe.classes} classes, and these data have no labels")
    if not 0 <= int(labels.min()) <= int(labels.max()) < recipe.classes:
        raise UserError(
            f"this run has classes 0 to {recipe.classes - 1}, these data labels from"
            f" {labels.min()} to {labels.max()}"
        )
    rows = rng.Stream(seed, rng.LABELS).at(FIRST_STEP).integers(len(labels), size=num)
    return np.asarray(labels)[rows]


def class_number(text: str, recipe: Recipe, names: Sequence[str] = ()) -> int:
    """The class that is called so (a name wins over a number), or has that number. Raises UserError
    for one that is not there, and for a run without classes."""
    if not recipe.conditional:
        raise UserError(
            "--class has no effect: this run has no classes; train with --conditional to have some"
        )
    if text in names:
        return tuple(names).index(text)
    last = recipe.classes - 1
    if text.isascii() and text.isdigit() and int(text) <= last:
        return int(text)
    # A folder's name may hold what moves the cursor.
    some = [repr(name)[1:-1] for name in names[:20]] + ["…"] * (len(names) > 20)
    called = f": {', '.join(some)}" if some else ""
    raise UserError(f"there is no class {text!r:.40}; there are classes 0 to {last}{called}")
