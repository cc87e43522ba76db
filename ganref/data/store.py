"""Where decoded images go: memory if they are few, a memory-mapped file in the cache if many."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..spec.errors import UserError
from ..spec.layers import Shape
from .download import cache_dir

# Bytes that are held in memory at most.
RESIDENT = 256 << 20
_HEADER = 128


@dataclass(frozen=True)
class Report:
    """What became of the rows while they were decoded: the names left out, by reason, and how many
    had something `done` to them, by what it was."""

    left_out: dict[str, list[str]] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)

    def leave(self, reason: str, name: str) -> None:
        """Note a name that is left out."""
        self.left_out.setdefault(reason, []).append(name)


def keep(
    key: object, n: int, shape: Shape, rows: Callable[[], tuple[Iterator[np.ndarray], Report]]
) -> tuple[np.ndarray, Report]:
    """At most n rows of uint8 as one array (m, *shape), and the report on them.

    `rows()` gives the iterator over the rows, and the report that it fills on its way. Where they
    are many they are decoded once: `key` names what they were decoded from. Raises UserError if
    the cache cannot be written.
    """
    if n * math.prod(shape) <= RESIDENT:
        iterator, report = rows()
        array = np.empty((n, *shape), np.uint8)
        count = 0
        for count, row in enumerate(iterator, 1):
            array[count - 1] = row
        return array[:count], report
    digest = hashlib.sha256(repr((key, shape)).encode()).hexdigest()[:32]
    path = cache_dir() / "arrays" / f"{digest}.npy"
    # No such file, or one that is not ours: decode again.
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        left_out, done = json.loads(path.with_suffix(".json").read_text())
        array = np.load(path, mmap_mode="r")
        if (array.dtype, array.shape[1:]) == (np.uint8, shape):
            return array, Report(left_out, Counter(done))
    iterator, report = rows()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, shape, iterator, report)
    except OSError as error:
        raise UserError(
            f"cannot write decoded images to {path} ({error.strerror}); set GANREF_DATA"
        ) from error
    return np.load(path, mmap_mode="r"), report


def _write(path: Path, shape: Shape, rows: Iterator[np.ndarray], report: Report) -> None:
    """A .npy whose length is known only at its end; placed, after its companion, when whole."""
    # Not tempfile's: its files are their owner's alone, and a cache may be shared.
    part = path.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as out:
            out.write(bytes(_HEADER))
            count = 0
            for row in rows:
                out.write(np.ascontiguousarray(row).tobytes())
                count += 1
            out.seek(0)
            out.write(_header((count, *shape)))
        path.with_suffix(".json").write_text(json.dumps([report.left_out, report.done]))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _header(shape: Shape) -> bytes:
    """The header of a .npy, version 1.0, of uint8 in C order, always of the same size."""
    text = repr({"descr": "|u1", "fortran_order": False, "shape": shape})
    magic = b"\x93NUMPY\x01\x00" + (_HEADER - 10).to_bytes(2, "little")
    return magic + text.ljust(_HEADER - 11).encode("latin1") + b"\n"
