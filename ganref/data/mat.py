"""MATLAB's files of numbers (version 5, which is what `save -v6` and `-v7` write).

The format is MathWorks' "MAT-File Level 5 File Format". SciPy's reader is not asked: on a damaged
file it ends the process (SciPy 1.17: a segmentation fault), and no exception can be made of that.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from .listing import LIMIT, RATIO

_MATRIX, _COMPRESSED = 14, 15
# Types of stored numbers, and classes of arrays: what a file of small doubles keeps as bytes is
# an array of doubles.
_STORED = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
_CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
_COMPLEX = 0x0800


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays of those names that a file holds, with the axes as MATLAB has them.

    Raises ValueError, saying why, for a file that is damaged or of another version, and for an
    array of these names that is not of real numbers; OSError if the file cannot be read.
    """
    size = path.stat().st_size
    found = {}
    with path.open("rb") as file:
        header = file.read(128)
        order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
        if order is None:
            raise ValueError("not MATLAB's version 5; save with -v7")
        if struct.unpack(f"{order}H", header[124:126])[0] != 0x0100:
            raise ValueError("a version that is not 5; save with -v7")
        for body in _matrices(file, order, size):
            name, array = _array(body, order, names)
            if array is not None:
                found[name] = array
    return found


def _matrices(file: IO[bytes], order: str, size: int) -> Iterator[bytes]:
    """The contents of each array, unpacked."""
    while tag := file.read(8):
        kind, count = _tag(tag, order)
        if count > size - file.tell():
            raise ValueError("it ends too soon")
        if kind == _COMPRESSED:
            yield from _unpacked(file.read(count), order)
        elif kind == _MATRIX:
            yield file.read(count)
        else:
            file.seek(count, 1)


def _unpacked(packed: bytes, order: str) -> Iterator[bytes]:
    unpacker = zlib.decompressobj()
    try:
        kind, count = _tag(unpacker.decompress(packed, 8), order)
        if count > min(RATIO * len(packed), LIMIT):
            raise ValueError(f"it claims {count:,} bytes")
        body = unpacker.decompress(unpacker.unconsumed_tail, count) if count else b""
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(body) != count:
        raise ValueError("it ends too soon")
    if kind == _MATRIX:
        yield body


def _tag(raw: bytes, order: str) -> tuple[int, int]:
    if len(raw) != 8:
        raise ValueError("it ends too soon")
    kind, count = struct.unpack(f"{order}II", raw)
    return kind, count


def _array(body: bytes, order: str, names: tuple[str, ...]) -> tuple[str, np.ndarray | None]:
    """(name, array), or no array if it is not one of those asked for."""
    _, flags, start = _element(body, 0, order)
    kind, dims, start = _element(body, start, order)
    _, raw_name, start = _element(body, start, order)
    name = raw_name.decode("latin1")
    if name not in names:
        return name, None
    if len(flags) != 8 or kind != 5 or len(dims) % 4:
        raise ValueError(f"the header of {name} is damaged")
    (flag,) = struct.unpack(f"{order}I", flags[:4])
    if flag & 0xFF not in _CLASSES or flag & _COMPLEX:
        raise ValueError(f"{name} is no array of real numbers")
    shape = struct.unpack(f"{order}{len(dims) // 4}i", dims)
    kind, numbers, _ = _element(body, start, order)
    stored = np.dtype(order + _STORED.get(kind, "V1"))
    if kind not in _STORED or min(shape, default=-1) < 0:
        raise ValueError(f"the header of {name} is damaged")
    if math.prod(shape) * stored.itemsize != len(numbers):
        raise ValueError(f"{name} is not of its shape {shape}")
    array = np.frombuffer(numbers, stored).reshape(shape, order="F")
    with np.errstate(all="ignore"):
        return name, array.astype(_CLASSES[flag & 0xFF], copy=False)


def _element(body: bytes, start: int, order: str) -> tuple[int, bytes, int]:
    """(type, contents, where the next one begins) of the element at `start`."""
    kind, count = _tag(body[start : start + 8], order)
    first, after = start + 8, start + 8 + -(-count // 8) * 8
    if kind >> 16:  # up to four bytes lie within the tag
        kind, count = kind & 0xFFFF, kind >> 16
        first, after = start + 4, start + 8
        if count > 4:
            raise ValueError("an element of a wrong length")
    contents = body[first : first + count]
    if len(contents) != count:
        raise ValueError("it ends too soon")
    return kind, contents, after
