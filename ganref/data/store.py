"""Where decoded images go: memory if they are few, a memory-mapped file in the cache if many."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ..spec.errors import UserError
from ..spec.layers import Shape
from .download import cache_dir

# Bytes that are held in memory at most.
RESIDENT = 256 << 20
_HEADER = 128


def keep(
    key: object, n: int, shape: Shape, rows: Callable[[], tuple[Iterator[np.ndarray], list[str]]]
) -> tuple[np.ndarray, list[str]]:
    """At most n rows of uint8 as one array (m, *shape), and the names of those left out.

    `rows()` gives the iterator over the rows, and a list that it fills with the names it leaves
    out. Where they are many they are decoded once: `key` names what they were decoded from. Raises
    UserError if the cache cannot be written.
    """
    if n * math.prod(shape) <= RESIDENT:
        iterator, skipped = rows()
        array = np.empty((n, *shape), np.uint8)
        count = 0
        for count, row in enumerate(iterator, 1):
            array[count - 1] = row
        return array[:count], skipped
    digest = hashlib.sha256(repr((key, shape)).encode()).hexdigest()[:32]
    path = cache_dir() / "arrays" / f"{digest}.npy"
    # No such file, or one that is not ours: decode again.
    with contextlib.suppress(OSError, ValueError):
        return np.load(path, mmap_mode="r"), json.loads(path.with_suffix(".json").read_text())
    iterator, skipped = rows()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, shape, iterator, skipped)
    except OSError as error:
        raise UserError(
            f"cannot write decoded images to {path} ({error.strerror}); set GANREF_DATA"
        ) from error
    return np.load(path, mmap_mode="r"), skipped


def _write(path: Path, shape: Shape, rows: Iterator[np.ndarray], skipped: list[str]) -> None:
    """A .npy whose length is known only at its end; placed, after its companion, when whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(bytes(_HEADER))
            count = 0
            for row in rows:
                out.write(np.ascontiguousarray(row).tobytes())
                count += 1
            out.seek(0)
            out.write(_header((count, *shape)))
        path.with_suffix(".json").write_text(json.dumps(skipped))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _header(shape: Shape) -> bytes:
    """The header of a .npy, version 1.0, of uint8 in C order, always of the same size."""
    text = repr({"descr": "|u1", "fortran_order": False, "shape": shape})
    magic = b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little")
    return magic + text.ljust(_HEADER - 11).encode("latin1") + b"\n"
