"""What a path is: a folder or zip of images, or a file or folder whose names say what it holds."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np

from ..spec.errors import UserError
from ..spec.layers import Shape
from . import arrays, sources, tables
from .fitting import Fitting, describe, fit_all

_KINDS = {
    ".idx": "idx", "ubyte": "idx", ".idx.gz": "idx", "ubyte.gz": "idx", ".mat": "mat",
    ".npy": "npy", ".npz": "npz", ".csv": "csv", ".tsv": "csv", ".zip": "images",
}  # fmt: skip
KNOWN = (
    "a folder or zip of images, IDX (…-ubyte[.gz]), .mat, .npy or .npz, or points as .npy, .npz or"
    " .csv"
)
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".joblib")
_CIFAR = ("data_batch_1", "cifar-10-batches-py", "cifar-100-python")
# Names in a folder as torchvision leaves it.
_TRAINING = ("train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "train_32x32.mat")


def find(name: str, known: str) -> tuple[Path, str]:
    """(path, kind) of data on the disk: "images", "idx", "mat", "npy", "npz" or "csv". A folder as
    torchvision's data sets leave it is the file in it.

    Raises UserError if there is nothing of that name (`known` says what there is beside paths), for
    what is neither folder nor regular file, and for files that nothing is known about.
    """
    try:
        path = Path(name).expanduser()
        # An empty name would be the working directory.
        about = path.stat() if name else None
    except (OSError, ValueError, RuntimeError):
        # Too long, with a NUL, or of a person who is unknown here.
        about = None
    if about is None:
        raise UserError(f"no data {name!r}; there are {known}, or a path that exists")
    if stat.S_ISDIR(about.st_mode):
        return _folder(path)
    if not stat.S_ISREG(about.st_mode):
        raise UserError(f"{path} is a device, pipe or socket; data are in a regular file or folder")
    # Not opened: what the system shows as an empty file may make one wait for ever.
    if not about.st_size:
        raise UserError(f"{path} is empty; data are {KNOWN}")
    return path, _kind(path)


def _kind(path: Path) -> str:
    name = path.name.lower()
    for ending, kind in _KINDS.items():
        if name.endswith(ending):
            return kind
    try:
        with path.open("rb") as file:
            first = file.read(2)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error})") from error
    if name.endswith(_PICKLES) or (first[:1] == b"\x80" and first[1:] in b"\2\3\4\5"):
        raise _pickle(path)
    raise UserError(f"{path} is none of the files that are read: {KNOWN}")


def _pickle(path: Path) -> UserError:
    return UserError(
        f"{path} holds pickles, which may run any program and are never opened here; save the"
        " images as uint8 with np.savez(file, X=images, y=labels)"
    )


def _folder(path: Path) -> tuple[Path, str]:
    try:
        if any((path / name).exists() for name in _CIFAR):
            raise _pickle(path)
        places = [path, path / "raw", *sorted(path.glob("*/raw"))]
        found = [p for p in (_training(place) for place in places) if p]
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror or error})") from error
    if len(found) > 1:
        raise UserError(f"{path} holds several data sets; choose {' or '.join(map(str, found))}")
    return (found[0], _kind(found[0])) if found else (path, "images")


def _training(folder: Path) -> Path | None:
    return next((folder / name for name in _TRAINING if (folder / name).is_file()), None)


def points_dimension(path: Path, kind: str) -> int | None:
    """The numbers of each point in a file, or None for one of images. Raises UserError."""
    if kind not in ("npy", "npz", "csv"):
        return None
    X = _array(path, kind)[0]
    return X.shape[1] if X.ndim == 2 else None


def read(
    path: Path, kind: str, shape: Shape, how: Fitting
) -> tuple[np.ndarray, np.ndarray | None, str, tuple[str, ...]]:
    """(examples, labels, note, the classes' names) of a single file; images in that shape, where it
    is one of images.

    Raises UserError for a file that is not what its name says, or holds no images where the shape
    is one of images.
    """
    X, labels, classes = _array(path, kind)
    if X.ndim != 4 or len(shape) != 3:
        return X, labels, "", classes
    done = []
    if kind == "idx" and sources.fits_32(X, shape):
        X = sources.pad32(X)
        done.append("padded with zeros")
    about = path.stat()
    key = (str(path.resolve()), about.st_size, about.st_mtime_ns, X.shape)
    array = fit_all(X, shape, key, how)
    done += describe((X.shape[3], X.shape[2]), shape, how)
    if X.shape[1] != shape[0]:
        done.append("turned grey" if shape[0] == 1 else "turned colour")
    count = f"{len(X):,} images, {shape[2]}×{shape[1]}"
    return array, labels, f"{count}, all {', '.join(done)}" if done else "", classes


def _array(path: Path, kind: str) -> tables.Table:
    """(examples, labels, the classes' names). Raises UserError."""
    if kind == "idx":
        beside = _labels_beside(path)
        if beside is None:
            return sources.read_idx(path, 3)[:, None], None, ()
        return *sources.read_idx_pair(path, beside), ()
    if kind == "mat":
        return *sources.read_mat(path), ()
    labels: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    if kind == "npz":
        loaded, labels = arrays.read_npz(path)
    elif kind == "csv":
        loaded, labels, classes = tables.read_csv(path)
    else:
        loaded = arrays.read_npy(path)
    return arrays.as_examples(path, loaded), labels, classes


def _labels_beside(path: Path) -> Path | None:
    name = path.name.removesuffix(".gz")
    other = name.replace("images", "labels").replace("idx3", "idx1")
    if other == name:
        return None
    places = (path.with_name(other), path.with_name(other + ".gz"))
    return next((place for place in places if place.is_file()), None)
