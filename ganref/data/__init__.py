"""Everything that a recipe trains on: drawn points, and real images as uint8 in NCHW layout.

    data = ganref.data.load("digits", ganref.recipe("mlp"))
    X = data.batch(np.arange(128))

Importing this imports NumPy alone; Pillow, scikit-learn and pooch are imported by the data that
need them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..spec.errors import UserError
from ..spec.layers import Shape
from ..spec.schema import Recipe
from . import files, images, points, sources
from .fitting import CROP, PLAIN, RESIZE, Fitting, fit_all
from .identity import Identity, identify
from .points import modes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

__all__ = [
    "CROP", "DATASETS", "RESIZE", "Dataset", "Entry", "Fitting", "Identity", "load", "modes",
    "points_dimension", "reading",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples of one shape, ready for a recipe.

    `array` holds points (N, 2) as float64, or images (N, C, H, W) as uint8, possibly
    memory-mapped; `labels` (N,) the classes where the data have some, as int64; `classes` what they
    are called where that is known, by number; `note` one line on what was used, changed and left
    out, or nothing.
    """

    name: str
    array: np.ndarray = field(repr=False)
    labels: np.ndarray | None = field(default=None, repr=False)
    note: str = ""
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.array)

    @property
    def shape(self) -> Shape:
        """One example's shape."""
        return self.array.shape[1:]

    @property
    def is_images(self) -> bool:
        """Whether the examples are images (uint8, in [-1, 1] when batched)."""
        return self.array.ndim == 4

    @cached_property
    def identity(self) -> Identity:
        """What tells these data from others; `Identity` says what its digest covers."""
        return identify(self.array, self.labels, self.classes)

    def batch(self, indices: ArrayLike, dtype: DTypeLike | None = None) -> np.ndarray:
        """The examples at `indices` (any shape) as floating-point numbers (*indices, *shape).

        Points are as they are (float64 unless `dtype` says otherwise), images become
        (x / 255 - 0.5) / 0.5 in [-1, 1] (float32 unless `dtype` says otherwise).
        """
        examples = np.asarray(self.array)[np.asarray(indices)]
        if not self.is_images:
            return examples.astype(dtype or np.float64, copy=False)
        out = examples.astype(dtype or np.float32)
        out /= 255
        out -= 0.5
        out /= 0.5
        return out


@dataclass(frozen=True)
class Entry:
    """A data set in the list: what it is, and an example's own channels (0: points)."""

    description: str
    channels: int


DATASETS: dict[str, Entry] = {
    "gaussian": Entry("1,000 points of one Gaussian in the plane, d2l.ai's toy", 0),
    "ring": Entry("10,000 points of 8 Gaussians on a circle", 0),
    "grid": Entry("10,000 points of 25 Gaussians on a 5×5 grid", 0),
    "digits": Entry("1,797 handwritten digits that come with scikit-learn; no download", 1),
    "mnist": Entry("60,000 handwritten digits 28×28; a download of 10 MB", 1),
    "fashion-mnist": Entry("60,000 articles of clothing 28×28; a download of 26 MB", 1),
    "svhn": Entry("73,257 house numbers 32×32 in colour; a download of 182 MB", 3),
    "pokemon": Entry("40,597 Pokemon sprites in colour, as in d2l.ai; a download", 3),
}


def load(
    name_or_path: str,
    recipe: Recipe,
    seed: int = 0,
    strict: bool = False,
    mixed: bool = False,
    progress: bool = True,
    resize: str = PLAIN.resize,
    crop: str = PLAIN.crop,
) -> Dataset:
    """The data of that name, or those at that path, in the recipe's shape.

    A path is a folder or a zip of images of any format that Pillow reads (classes are labels), a
    folder as torchvision leaves it, or a single file: IDX (`…-ubyte`, also gzipped, its labels
    beside it), `.mat` as SVHN has it, `.npy`, `.npz` (Keras' too), or points as `.csv`. `seed`
    draws the points; `strict` refuses unreadable images instead of skipping them; `mixed` takes
    images of several sizes and channels and converts each; `resize` and `crop` are `Fitting`'s;
    `progress` shows a bar while something downloads or is decoded.

    Raises UserError, in one line, for data that are not there, are not what they should be, do not
    fit the recipe's shape, or are fewer than one batch. A name in `DATASETS` wins over a folder of
    that name; write ./name for the folder.
    """
    try:
        how = Fitting(resize, crop)
        dataset = _examples(name_or_path, recipe, seed, strict, mixed, progress, how)
        _check_shape(dataset, recipe)
    except UserError as error:
        raise UserError(_one_line(str(error))) from error
    except MemoryError as error:
        raise UserError(_one_line(f"{name_or_path} is too large for the memory here")) from error
    if not dataset.note:
        return dataset
    dataset = replace(dataset, note=_one_line(dataset.note))
    # A warning is what is shown where nobody set up logging.
    logging.getLogger("ganref").warning("%s: %s", _one_line(name_or_path), dataset.note)
    return dataset


def points_dimension(name: str) -> int | None:
    """The numbers of each point in the data of that name or path, or None for images. Nothing is
    downloaded or drawn. Raises UserError, in one line, if there are no such data."""
    if name in DATASETS:
        return None if DATASETS[name].channels else 2
    try:
        return files.points_dimension(*files.find(name, ", ".join(DATASETS)))
    except UserError as error:
        raise UserError(_one_line(str(error))) from error


def reading(name: str) -> tuple[str, ...]:
    """Which of `load`'s mixed, strict, resize and crop make a difference for the data of that name
    or path. Raises UserError, in one line, if there are no such data."""
    if points_dimension(name) is not None:
        return ()
    if name in DATASETS:
        return ("strict", "resize", "crop") if name == "pokemon" else ("resize", "crop")
    _, kind = files.find(name, ", ".join(DATASETS))
    return ("mixed", "strict", "resize", "crop") if kind == "images" else ("resize", "crop")


def _one_line(text: str) -> str:
    """Text in which nothing moves the cursor: names of files may hold anything."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _check_fit(name: str, recipe: Recipe) -> None:
    """Refuse points for images and the reverse, before anything is downloaded."""
    takes_points = len(recipe.data_shape) == 1
    if (DATASETS[name].channels == 0) != takes_points:
        fitting = [n for n, entry in DATASETS.items() if (entry.channels == 0) == takes_points]
        raise UserError(
            f"recipe {recipe.name} takes data of shape {recipe.data_shape}, which {name} does not"
            f" have; {', '.join(fitting)} fit it"
        )


def _check_shape(dataset: Dataset, recipe: Recipe) -> None:
    wanted, shape = recipe.data_shape, dataset.shape
    if shape != wanted:
        cure = ""
        if len(wanted) == len(shape) == 1:
            cure = f"; recipe.replace(data_shape={shape}) takes them"
        raise UserError(
            f"recipe {recipe.name} takes data of shape {wanted}, but those of {dataset.name} are"
            f" {shape}{cure}"
        )
    if len(dataset) < recipe.examples_per_step:
        batches = f"{recipe.D_updates} batches" if recipe.D_updates > 1 else "one batch"
        raise UserError(
            f"{dataset.name} has {len(dataset)} examples, fewer than {batches} of"
            f" {recipe.batch_size}; choose a smaller batch size or more data"
        )


def _examples(
    name: str,
    recipe: Recipe,
    seed: int,
    strict: bool,
    mixed: bool,
    progress: bool,
    how: Fitting,
) -> Dataset:
    shape = recipe.data_shape
    if name in DATASETS:
        _check_fit(name, recipe)
    if name == "gaussian":
        return Dataset(name, points.gaussian(seed))
    if name in ("ring", "grid"):
        return Dataset(name, *points.mixture(name, seed))
    if name == "pokemon":
        (path,) = sources.download(name, progress)
        # The sprites are of several sizes; d2l.ai's DCGAN page resizes each.
        key = sources.FILES[name][0].checksum
        found = images.load_images(path, shape, strict, True, progress, how, key)
        return Dataset(name, found.array, None, found.note)
    if name in DATASETS:
        X, y = sources.published(name, shape, progress)
        return Dataset(name, fit_all(X, shape, (name, X.shape), how), y)
    path, kind = files.find(name, ", ".join(DATASETS))
    if kind != "images":
        return Dataset(name, *files.read(path, kind, shape, how))
    if len(shape) == 1:
        raise UserError(f"recipe {recipe.name} takes points {shape}, not images; see --list")
    found = images.load_images(path, shape, strict, mixed, progress, how)
    return Dataset(name, found.array, found.labels, found.note, found.classes)
