"""Everything that a recipe trains on: drawn points, and real images as uint8 in NCHW layout.

    data = ganref.data.load("digits", ganref.recipe("mlp"))
    X = data.batch(np.arange(128))

Importing this imports NumPy alone; Pillow, scikit-learn, SciPy and pooch are imported by the data
that need them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..spec.errors import UserError
from ..spec.layers import Shape
from ..spec.schema import Recipe
from . import arrays, images, points, sources
from .identity import Identity, identify
from .points import modes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

__all__ = ["DATASETS", "Dataset", "Entry", "Identity", "load", "modes"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples of one shape, ready for a recipe.

    `array` holds points (N, 2) as float64, or images (N, C, H, W) as uint8, possibly
    memory-mapped; `labels` (N,) the classes where the data have some; `note` what a person should
    know about how they were loaded, or nothing; `classes` what the classes are called, by number,
    where that is known.
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

    def batch(self, indices: ArrayLike, dtype: DTypeLike = None) -> np.ndarray:
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
) -> Dataset:
    """The data of that name, or the images at that path, in the recipe's shape.

    A path is a folder or a zip of images, or a single file: IDX (`…-ubyte`, also gzipped), `.mat`
    as SVHN has it, `.npy` or `.npz`. `seed` draws the points; `strict` refuses unreadable images
    instead of skipping them; `mixed` takes images of several sizes and channels and converts each;
    `progress` shows a bar while something downloads or is decoded.

    Raises UserError for data that are not there, are not what they should be, do not fit the
    recipe's shape, or are fewer than one batch. A name in `DATASETS` wins over a folder of that
    name; write ./name for the folder.
    """
    _check_fit(name_or_path, recipe)
    array, labels, notes = _examples(name_or_path, recipe, seed, strict, mixed, progress)
    if array.shape[1:] != recipe.data_shape:
        raise UserError(
            f"recipe {recipe.name} takes data of shape {recipe.data_shape}, but those of"
            f" {name_or_path} are {array.shape[1:]}"
        )
    if len(array) < recipe.batch_size:
        raise UserError(
            f"{name_or_path} has {len(array)} examples, fewer than one batch of"
            f" {recipe.batch_size}; choose a smaller batch size or more data"
        )
    if notes:
        logging.getLogger("ganref").warning("%s: %s", name_or_path, notes)
    return Dataset(name_or_path, array, labels, notes)


def _check_fit(name: str, recipe: Recipe) -> None:
    """Refuse points for images and the reverse, before anything is downloaded."""
    if name not in DATASETS:
        return
    takes_points = len(recipe.data_shape) == 1
    if (DATASETS[name].channels == 0) != takes_points:
        fitting = [n for n, entry in DATASETS.items() if (entry.channels == 0) == takes_points]
        raise UserError(
            f"recipe {recipe.name} takes data of shape {recipe.data_shape}, which {name} does not"
            f" have; {', '.join(fitting)} fit it"
        )


def _examples(
    name: str, recipe: Recipe, seed: int, strict: bool, mixed: bool, progress: bool
) -> tuple[np.ndarray, np.ndarray | None, str]:
    """(array, labels, note) of a name or a path."""
    shape = recipe.data_shape
    if name == "gaussian":
        return points.gaussian(seed), None, ""
    if name in ("ring", "grid"):
        return (*points.mixture(name, seed), "")
    if name == "digits":
        X, y = sources.digits()
        return images.fit_all(X, shape, name), y, ""
    if name in ("mnist", "fashion-mnist"):
        X, y = sources.read_idx_pair(*sources.download(name, progress))
        if shape[1:] == (32, 32) and X.shape[2:] == (28, 28):
            X = sources.pad32(X)
        return images.fit_all(X, shape, (name, X.shape)), y, ""
    if name == "svhn":
        X, labels = sources.read_mat(*sources.download(name, progress))
        return images.fit_all(X, shape, name), labels, ""
    if name == "pokemon":
        (path,) = sources.download(name, progress)
        # The sprites are of several sizes; d2l.ai's DCGAN page resizes each.
        key = sources.FILES[name][0].checksum
        X, skipped = images.load_images(path, shape, strict, True, progress, key)
        return X, None, images.describe_skipped(skipped)
    path = _path(name)
    if path.is_file() and path.suffix.lower() != ".zip":
        return _single_file(path, shape)
    if len(shape) == 1:
        raise UserError(f"recipe {recipe.name} takes points {shape}, not images; see --list")
    X, skipped = images.load_images(path, shape, strict, mixed, progress)
    return X, None, images.describe_skipped(skipped)


def _path(name: str) -> Path:
    try:
        path = Path(name).expanduser()
        # An empty name would be the working directory.
        if name and path.exists():
            return path
    except (OSError, ValueError, RuntimeError):
        # Too long, with a NUL, or of a person who is unknown here.
        pass
    raise UserError(f"no data {name!r}; there are {', '.join(DATASETS)}, or a path that exists")


def _single_file(path: Path, shape: Shape) -> tuple[np.ndarray, np.ndarray | None, str]:
    """(array, labels, note) of a file whose name says what it is; UserError for another."""
    labels = None
    name = path.name.lower().removesuffix(".gz")
    if name.endswith(("ubyte", ".idx")):
        X = sources.read_idx(path, 3)[:, None]
        if shape[1:] == (32, 32) and X.shape[2:] == (28, 28):
            X = sources.pad32(X)
    elif name.endswith(".mat"):
        X, labels = sources.read_mat(path)
    elif name.endswith((".npy", ".npz")):
        X = arrays.read_array(path)
    else:
        raise UserError(
            f"{path} is neither a folder or zip of images nor an IDX (…-ubyte[.gz]), .mat, .npy or"
            " .npz file"
        )
    if X.ndim == 4 and len(shape) == 3:
        stat = path.stat()
        X = images.fit_all(X, shape, (str(path.resolve()), stat.st_size, stat.st_mtime_ns))
    return X, labels, ""
