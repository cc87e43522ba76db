"""The published data sets: where they are, how they are known, and how their files are read."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np

from ..backend import need
from ..spec.errors import UserError
from ..spec.layers import Shape
from . import mat
from .download import File, cache_dir, fetch
from .listing import LIMIT, RATIO

_IMAGES, _LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
_MNIST = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
_FASHION = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
)
_SVHN = ("http://ufldl.stanford.edu/housenumbers/", "https://ufldl.stanford.edu/housenumbers/")
_D2L = (
    "http://d2l-data.s3-accelerate.amazonaws.com/",
    "https://d2l-data.s3.amazonaws.com/",
)


def _file(name: str, checksum: str, folders: tuple[str, ...]) -> File:
    return File(name, checksum, tuple(folder + name for folder in folders))


# The checksums are those that torchvision (MNIST, Fashion-MNIST, SVHN) and d2l.ai publish.
FILES: dict[str, tuple[File, ...]] = {
    "mnist": (
        _file(_IMAGES, "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873", _MNIST),
        _file(_LABELS, "md5:d53e105ee54ea40749a09fcbcd1e9432", _MNIST),
    ),
    "fashion-mnist": (
        _file(_IMAGES, "md5:8d4fb7e6c68d591d4c3dfef9ec88bf0d", _FASHION),
        _file(_LABELS, "md5:25c81989df183df01b3e8a0aad5dffbe", _FASHION),
    ),
    "svhn": (_file("train_32x32.mat", "md5:e26dedcc434d2e4c54c9b2d4a06d8373", _SVHN),),
    "pokemon": (_file("pokemon.zip", "sha1:c065c0e2593b8b161a2d7873e42418bf6a21106c", _D2L),),
}


def download(name: str, progress: bool) -> list[Path]:
    """The files of a data set, in the order of `FILES`. Raises UserError if they cannot be had."""
    return [fetch(file, cache_dir() / name, progress) for file in FILES[name]]


def read_idx(path: Path, ndim: int) -> np.ndarray:
    """The array of uint8 in an IDX file (LeCun's MNIST page), gzipped or not.

    The file is two zero bytes, the type (8: unsigned bytes), the number of dimensions, each
    dimension as a big-endian 32-bit number, and the bytes in C order. Raises UserError for
    anything else, and for another number of dimensions than `ndim`.
    """
    magic = bytes((0, 0, 8, ndim))
    start = 4 + 4 * ndim
    try:
        size = path.stat().st_size
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            file = cast(IO[bytes], gzip.GzipFile(fileobj=raw) if zipped else raw)
            header = file.read(start)
            shape = _idx_shape(path, header, magic)
            expected = math.prod(shape)
            # Before that memory is asked for.
            if zipped and expected > RATIO * size:
                raise UserError(f"{path} claims shape {shape}, which {size:,} bytes cannot hold")
            if zipped and expected > LIMIT:
                raise UserError(f"{path} unpacks to {expected:,} bytes; unpack it yourself")
            rest = file.read(min(expected, RATIO * size if zipped else size) + 1)
            count = len(rest) if zipped or len(rest) < expected else size - start
    except UserError:
        raise
    except (OSError, EOFError, zlib.error, MemoryError) as error:
        raise UserError(f"{path} cannot be read ({error}); it must be a whole IDX file") from error
    if count != expected:
        wrong = "too few" if count < expected else "too many"
        raise UserError(
            f"{path} has {wrong} bytes for shape {shape}: {start + count}, not {start + expected}"
        )
    return np.frombuffer(rest, np.uint8).reshape(shape)


def _idx_shape(path: Path, header: bytes, magic: bytes) -> tuple[int, ...]:
    if header[:4] != magic:
        raise UserError(
            f"{path} is no IDX file of {magic[3]}-dimensional bytes: it begins with"
            f" {header[:4].hex() or 'nothing'}, not {magic.hex()}"
        )
    if len(header) < 4 + 4 * magic[3]:
        raise UserError(
            f"{path} ends within its header ({len(header)} of {4 + 4 * magic[3]} bytes)"
        )
    return tuple(int(n) for n in np.frombuffer(header, ">u4", offset=4))


def read_idx_pair(images: Path, labels: Path) -> tuple[np.ndarray, np.ndarray]:
    """Grey images (N, 1, H, W) and classes (N,). Raises UserError if their numbers differ."""
    X, y = read_idx(images, 3), read_idx(labels, 1)
    if len(X) != len(y):
        raise UserError(f"{images} has {len(X)} images but {labels} has {len(y)} labels")
    return X[:, None], y.astype(np.int64)


def read_mat(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """SVHN's cropped images (N, 3, H, W) and classes (N,), its class 10 being the digit 0.

    Raises UserError for a file that is no .mat, or has no `X` of bytes (H, W, 3, N).
    """
    wanted = "images of bytes (height, width, 3, number)"
    try:
        content = mat.read_arrays(path, ("X", "y"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} is no .mat file that can be read ({error}); it must hold X, {wanted}"
        ) from error
    X = content.get("X")
    if X is None:
        raise UserError(f"{path} has no X; it must hold X, {wanted}")
    if X.ndim != 4 or X.shape[2] != 3 or X.dtype != np.uint8:
        raise UserError(f"X in {path} is {X.dtype} of shape {X.shape}; it must be {wanted}")
    images = np.ascontiguousarray(X.transpose(3, 2, 0, 1))
    y = content.get("y")
    if y is None:
        return images, None
    if y.size != len(images):
        raise UserError(f"{path} has {len(images)} images but {y.size} labels")
    if not (np.abs(y.astype(np.float64)) < 1e9).all():
        raise UserError(f"y in {path} holds numbers that are no classes")
    return images, y.ravel().astype(np.int64) % 10


def published(name: str, shape: Shape, progress: bool) -> tuple[np.ndarray, np.ndarray | None]:
    """Images (N, 1 or 3, H, W) of uint8 and classes (N,) of a data set but Pokemon, of their own
    size; MNIST's padded to 32×32 where that is the shape asked for. Raises UserError."""
    if name == "digits":
        return digits()
    found = download(name, progress)
    if name == "svhn":
        return read_mat(*found)
    X, y = read_idx_pair(*found)
    return (pad32(X) if fits_32(X, shape) else X), y


def fits_32(images: np.ndarray, shape: Shape) -> bool:
    """Whether images of 28×28 are wanted at 32×32."""
    return shape[1:] == (32, 32) and images.shape[2:] == (28, 28)


def pad32(images: np.ndarray) -> np.ndarray:
    """28×28 images with two rows and columns of zeros on each side (freeCodeCamp,
    "An intuitive introduction to GANs")."""
    return np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))


def digits() -> tuple[np.ndarray, np.ndarray]:
    """scikit-learn's handwritten digits (Alpaydin and Kaynak 1998): images (1797, 1, 8, 8) of
    uint8, white on black, and classes (1797,). Raises UserError without scikit-learn."""
    datasets = need("sklearn.datasets", "scikit-learn", "the data set digits", "data")
    bunch = datasets.load_digits()
    # 17 grey levels, 0 to 16.
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    return images[:, None], bunch.target.astype(np.int64)
