"""Points or images that NumPy saved."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from ..spec.errors import UserError

_WANTED = (
    "points (number, d) as floating-point numbers, or images (number, height, width) or"
    " (number, 1 or 3, height, width) as uint8"
)


def read_array(path: Path) -> np.ndarray:
    """Points (N, d) as float64, or images (N, 1 or 3, H, W) as uint8, memory-mapped from a .npy.

    A .npz gives its array `X`, or the only one it has. Raises UserError for anything else, and for
    numbers that are not finite.
    """
    try:
        # A .npy opens its file itself, to map it; a damaged .npz would leave it open.
        with path.open("rb") as file:
            loaded = np.load(path if path.suffix == ".npy" else file, "r", allow_pickle=False)
            if not isinstance(loaded, np.ndarray):
                only = "X" if "X" in loaded.files or len(loaded.files) != 1 else loaded.files[0]
                loaded = loaded[only]
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} cannot be read; it must hold {_WANTED}") from error
    if loaded.ndim == 2 and np.issubdtype(loaded.dtype, np.floating):
        if not np.isfinite(loaded).all():
            raise UserError(f"{path} holds numbers that are not finite")
        return np.asarray(loaded, np.float64)
    if loaded.dtype == np.uint8 and loaded.ndim == 3:
        return loaded[:, None]
    if loaded.dtype == np.uint8 and loaded.ndim == 4 and loaded.shape[1] in (1, 3):
        return loaded
    raise UserError(f"{path} holds {loaded.dtype} of shape {loaded.shape}; it must be {_WANTED}")
