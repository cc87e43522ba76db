"""What tells one data set from another: how many examples of what, and a digest of them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..spec.layers import Shape

# Bytes of examples up to which all of them are read, and examples that are read of more.
WHOLE = 64 << 20
SPREAD = 4096
_PIECE = 4 << 20


@dataclass(frozen=True)
class Identity:
    """A data set's count, an example's shape, the dtype's name, and `digest`, 64 digits of
    SHA-256.

    The digest is over a line of JSON (count, shape, dtype, class names, whether there are labels),
    every label as a little-endian 64-bit integer, and examples in C order, little-endian: all of
    them if they take 64 MiB at most or are 4,096 at most, else the 4,096 with the numbers
    ⌊i·(count − 1)/4095⌋, the first and the last being two of them. So a large data set in which
    one example was changed may keep its digest; another count, order, size or set of labels does
    not. Loading, mapping and the machine make no difference.
    """

    count: int
    shape: Shape
    dtype: str
    digest: str

    def __post_init__(self) -> None:
        # JSON knows lists alone.
        object.__setattr__(self, "shape", tuple(self.shape))

    def __str__(self) -> str:
        shape = "×".join(map(str, self.shape))
        return f"{self.count:,} examples {shape} {self.dtype}, {self.digest[:12]}…"

    def asdict(self) -> dict[str, Any]:
        """The fields as JSON has them; `Identity(**fields)` is the same again."""
        return {**dataclasses.asdict(self), "shape": list(self.shape)}


def identify(
    array: np.ndarray, labels: np.ndarray | None = None, classes: tuple[str, ...] = ()
) -> Identity:
    """The identity of examples (N, *shape), their labels (N,) and the names of their classes."""
    count, shape = len(array), tuple(int(n) for n in array.shape[1:])
    header = [count, list(shape), array.dtype.name, list(classes), labels is not None]
    digest = hashlib.sha256(json.dumps(header).encode() + b"\n")
    if labels is not None:
        digest.update(np.asarray(labels).astype("<i8").tobytes())
    for piece in _pieces(array):
        digest.update(piece.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return Identity(count, shape, array.dtype.name, digest.hexdigest())


def _pieces(array: np.ndarray) -> Iterator[np.ndarray]:
    count = len(array)
    if not array.size:
        return
    step = max(1, _PIECE // (array.nbytes // count))
    if array.nbytes <= WHOLE or count <= SPREAD:
        yield from (array[i : i + step] for i in range(0, count, step))
        return
    rows = np.arange(SPREAD) * (count - 1) // (SPREAD - 1)
    yield from (array[rows[i : i + step]] for i in range(0, SPREAD, step))
