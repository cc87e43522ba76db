"""Points, or images and their labels, that NumPy saved."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..spec.errors import UserError
from .listing import LIMIT, RATIO

WANTED = (
    "points (number, d) as floating-point numbers, or images as uint8: (number, height, width),"
    " (number, 1 or 3, height, width) or (number, height, width, 1 or 3)"
)
# Names of the images in a .npz, ours and Keras', and of their labels.
_NAMED = {"X": "y", "x_train": "y_train", "images": "labels", "data": "labels"}


def read_npy(path: Path) -> np.ndarray:
    """The array of a .npy, memory-mapped. Raises UserError if it is damaged or holds objects."""
    try:
        with path.open("rb") as file:
            _check_header(file, path.stat().st_size)
        return np.load(path, "r", allow_pickle=False)
    # A damaged header makes NumPy raise almost anything.
    except Exception as error:
        raise _unreadable(path, error) from error


def read_npz(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """(examples, labels (N,) or None) of a .npz: its arrays `X` and `y`, or `x_train` and `y_train`
    as Keras names them, or `images` and `labels`, or the only one it has.

    Raises UserError if it is damaged or has none of these, and for labels that are no class for
    each example.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = {n.removesuffix(".npy"): n for n in archive.namelist() if n.endswith(".npy")}
            chosen = next((n for n in _NAMED if n in names), None)
            if chosen is None and len(names) == 1:
                (chosen,) = names
            if chosen is None:
                held = ", ".join(names) or "no array"
                raise UserError(f"{path} holds {held}; its images or points must be called X")
            examples = _member(path, archive, names[chosen])
            label = _NAMED.get(chosen)
            labels = _member(path, archive, names[label]) if label in names else None
    except UserError:
        raise
    except Exception as error:
        raise _unreadable(path, error) from error
    return examples, None if labels is None else check_labels(path, labels, len(examples))


def check_labels(path: Path, labels: np.ndarray, count: int) -> np.ndarray:
    """Labels (N,) or (N, 1) as int64 (N,). Raises UserError for anything but `count` integers."""
    if labels.size != count or len(labels) != count:
        raise UserError(f"{path} has {count} examples but labels of shape {labels.shape}")
    if labels.dtype.kind not in "iu":
        raise UserError(f"{path} has labels of {labels.dtype}; they must be whole numbers")
    return labels.reshape(count).astype(np.int64)


def as_examples(path: Path, loaded: np.ndarray) -> np.ndarray:
    """Points (N, d) as float64, or images (N, 1 or 3, H, W) as uint8. Raises UserError, with what
    would be right, for anything else, and for points that are not finite."""
    kind, shape = loaded.dtype.kind, loaded.shape
    if loaded.ndim == 2 and kind == "f":
        with np.errstate(over="ignore"):
            points = np.asarray(loaded, np.float64)
        if not np.isfinite(points).all():
            raise UserError(f"{path} holds numbers that are not finite")
        return points
    if loaded.dtype == np.uint8 and loaded.ndim == 3:
        return loaded[:, None]
    if loaded.dtype == np.uint8 and loaded.ndim == 4:
        if shape[1] in (1, 3):
            return loaded
        if shape[3] in (1, 3):
            return loaded.transpose(0, 3, 1, 2)
    advice = f"it must be {WANTED}"
    if loaded.ndim in (3, 4) and kind in "fiub" and loaded.size and loaded.dtype != np.uint8:
        advice = f"images are uint8: save {_as_bytes(loaded)}"
    raise UserError(f"{path} holds {loaded.dtype} of shape {shape}; {advice}")


def _as_bytes(images: np.ndarray) -> str:
    """How images of another type become bytes, by the range that they seem to be in."""
    some = np.asarray(images[:1000])
    low, high = some.min(), some.max()
    if images.dtype.kind == "f" and low >= 0 and high <= 1:
        return "(x * 255).round().astype(np.uint8), for these are from 0 to 1"
    if images.dtype.kind == "f" and low >= -1 and high <= 1:
        return "((x + 1) * 127.5).round().astype(np.uint8), for these are from -1 to 1"
    if images.dtype.kind == "b":
        return "x * np.uint8(255)"
    if low >= 0 and high <= 255:
        return "x.round().astype(np.uint8), for these are from 0 to 255"
    return f"them scaled to 0 to 255, for these are from {low:g} to {high:g}"


def _member(path: Path, archive: zipfile.ZipFile, name: str) -> np.ndarray:
    info = archive.getinfo(name)
    if info.flag_bits & 1:
        raise UserError(f"{path} is encrypted; save it without a password")
    if info.file_size > LIMIT:
        raise UserError(f"{name} in {path} has {info.file_size:,} bytes; save it as a .npy")
    if info.file_size > RATIO * path.stat().st_size:
        raise ValueError("it claims more bytes than can be packed so small")
    with archive.open(info) as file:
        _check_header(file, info.file_size)
    with archive.open(info) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _check_header(file: IO[bytes], size: int) -> None:
    """Raise ValueError for objects, and for a header that claims more than `size` bytes of file:
    NumPy would ask for that memory first."""
    version = np.lib.format.read_magic(file)
    readers: dict[tuple[int, int], Callable[..., Any]] = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"version {version} of the format")
    shape, _, dtype = readers[version](file)
    if dtype.hasobject:
        raise ValueError("Python objects are never unpacked")
    if min(shape, default=0) < 0 or file.tell() + math.prod(shape) * dtype.itemsize > size:
        raise ValueError(f"too short for {dtype} of shape {shape}")


def _unreadable(path: Path, error: Exception) -> UserError:
    reason = str(error).partition("\n")[0][:100] or type(error).__name__
    return UserError(f"{path} cannot be read ({reason}); it must hold {WANTED}")
