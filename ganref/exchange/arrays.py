"""What a reader finds: tensors by the names that their file has for them, as plain numbers.

Readers know bytes and no framework: what they cannot read, they refuse, and whatever a file claims,
no more memory is taken than a small multiple of its size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..spec.errors import UserError

Arrays = dict[str, np.ndarray]

# How files write numbers, by the name that people have for it. bfloat16 is the upper half of a
# float32, which NumPy has no name for.
STORED = {
    "float32": "<f4", "float64": "<f8", "float16": "<f2", "bfloat16": "<u2",
    "int64": "<i8", "int32": "<i4", "int16": "<i2", "int8": "|i1",
    "uint64": "<u8", "uint32": "<u4", "uint16": "<u2", "uint8": "|u1", "bool": "|u1",
}  # fmt: skip
WEIGHTS = ("float32", "float64", "float16", "bfloat16")
AXES = 8
LONGEST = 300  # letters of a name


class Raw(NamedTuple):
    """A tensor as it was stored: the name of its type, and an array of what `STORED` has for it."""

    dtype: str
    array: np.ndarray


@dataclass(frozen=True)
class Found:
    """All that a file holds: what kind of file it is, the layouts (of `layouts.LAYOUTS`) that its
    kernels can be in, its networks by the name that it has for them ("" if it has none), each with
    tensors float32 or float64, and what people are to be told."""

    kind: str
    layouts: tuple[str, ...]
    nets: dict[str, Arrays]
    said: tuple[str, ...] = ()


def size_of(dtype: str, shape: tuple[int, ...], name: str) -> int:
    """The bytes of a tensor. Raises UserError for a type or a shape that no tensor has."""
    if dtype not in STORED:
        raise UserError(f"tensor {name!r:.80} is {dtype:.40}; ganref reads {', '.join(WEIGHTS)}")
    if len(shape) > AXES or any(n < 0 for n in shape):
        raise UserError(f"tensor {name!r:.80} has a shape of {len(shape)} axes that none can have")
    return math.prod(shape) * np.dtype(STORED[dtype]).itemsize


def from_bytes(dtype: str, shape: tuple[int, ...], data: bytes | memoryview, name: str) -> Raw:
    """The tensor in these bytes. Raises UserError if they are not as many as it takes."""
    if (size := size_of(dtype, shape, name)) != len(data):
        raise UserError(
            f"tensor {name!r:.80} is {dtype} of shape {shape!s:.60}, which takes {size:,} bytes,"
            f" and the file has {len(data):,} for it"
        )
    return Raw(dtype, np.frombuffer(data, STORED[dtype]).reshape(shape))


def plain(name: str) -> str:
    """A name that a terminal can be given: no letter of it does anything. Raises UserError for one
    that is no name any more."""
    if len(name) > LONGEST:
        raise UserError(f"has a name of {len(name):,} letters: {name!r:.60}…")
    return name if name.isprintable() else name.encode("unicode_escape").decode()


def settle(kind: str, layouts: tuple[str, ...], nets: Mapping[str, Mapping[str, Raw]]) -> Found:
    """The weights among the tensors: halves as float32, counters left out. Raises UserError for a
    matrix of integers, or a number that is not finite."""
    converted: dict[str, int] = {}
    settled: dict[str, Arrays] = {}
    for path, tensors in nets.items():
        net = plain(path)
        for own, (dtype, array) in tensors.items():
            name = plain(own)
            if dtype not in WEIGHTS:
                if array.ndim > 1:
                    raise UserError(
                        f"tensor {name!r:.80} is {dtype}; ganref takes weights as"
                        f" {', '.join(WEIGHTS)}"
                    )
                continue
            if dtype == "bfloat16":
                wide = array.astype("<u4").ravel() << 16
                array = wide.view("<f4").reshape(array.shape)
            if dtype in ("bfloat16", "float16"):
                converted[dtype] = converted.get(dtype, 0) + 1
                array = array.astype(np.float32)
            if not np.isfinite(array).all():
                raise UserError(f"tensor {name!r:.80} holds numbers that are not finite")
            settled.setdefault(net, {})[name] = array
    if not settled:
        raise UserError(f"this is {kind}, and holds no weights")
    words = [f"{n} tensors are {dtype}: converted to float32" for dtype, n in converted.items()]
    return Found(kind, layouts, settled, tuple(words))
