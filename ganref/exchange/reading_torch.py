"""PyTorch's `.pt` and `.pth`: the zip of today, and what was written until 1.5; no code of a pickle
is run, and PyTorch is not needed."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..spec.errors import UserError
from .archive import Archive
from .arrays import Found, Raw, from_bytes, settle, size_of
from .inert_pickle import load
from .pickle_words import Storage, Tensor

LEGACY = bytes.fromhex("80028a0a6cfc9c46f920") + b"j\xa8P\x19."  # the first pickle of old files
KINDS = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32",
    "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8", "BoolStorage": "bool",
}  # fmt: skip
LARGEST = 16 << 20  # bytes of a pickle, in which no weights are
DEPTH = 4
KIND, LAYOUTS = "a state_dict of PyTorch", ("torch",)

Read = Callable[[Storage], bytes]


def read_zip(archive: Archive) -> Found:
    """The state_dicts in such an archive. Raises UserError."""
    (name,) = (n for n in archive.members if n == "data.pkl" or n.endswith("/data.pkl"))
    folder = name.removesuffix("data.pkl")
    if f"{folder}constants.pkl" in archive.members:
        raise UserError(
            "is a TorchScript program, and ganref runs none; save its weights alone:"
            " `torch.save(torch.jit.load(path).state_dict(), 'weights.pth')`"
        )
    order = f"{folder}byteorder"
    if order in archive.members and archive.read(order) != b"little":
        raise UserError("was written on a machine with the other order of bytes")
    pickled = archive.read(name)
    if len(pickled) > LARGEST:
        raise UserError(f"holds a pickle of {len(pickled):,} bytes, which no state_dict has")
    return _found(load(io.BytesIO(pickled)), lambda own: archive.read(f"{folder}data/{own.key}"))


def read_legacy(data: bytes) -> Found:
    """The state_dicts in a file of before 1.6: pickles one behind another, then the storages.
    Raises UserError."""
    stream = io.BytesIO(data)
    _, _, _, root, keys = (load(stream) for _ in range(5))
    at, kinds = stream.tell(), {own.key: own for own in _storages(root)}
    places: dict[str, tuple[int, int]] = {}
    for key in keys if isinstance(keys, list) else []:
        own = kinds.get(str(key))
        count = int.from_bytes(data[at : at + 8], "little")
        size = count * (size_of(_dtype(own), (1,), str(key)) if own else 1)
        if own is None or at + 8 + size > len(data):
            raise UserError(f"ends before storage {key!s:.40} of {count:,} numbers")
        places[str(key)] = (at + 8, size)
        at += 8 + size

    def read(own: Storage) -> bytes:
        if own.key not in places:
            raise UserError(f"has no storage {own.key:.40}")
        place, size = places[own.key]
        return data[place : place + size]

    return _found(root, read)


def _dtype(own: Storage) -> str:
    return KINDS.get(own.kind.rpartition(".")[2], own.kind)


def _dicts(value: Any, path: str = "", seen: set[int] | None = None) -> dict[str, dict[str, Any]]:
    """The tensors of each dictionary that has some under names, by the way to it."""
    seen = set() if seen is None else seen
    if not isinstance(value, dict) or id(value) in seen or path.count(".") >= DEPTH:
        return {}
    seen.add(id(value))
    named = {key: own for key, own in value.items() if isinstance(key, str)}
    found: dict[str, dict[str, Any]] = {}
    if tensors := {key: own for key, own in named.items() if isinstance(own, Tensor)}:
        found[path] = tensors
    for key, own in named.items():
        found |= _dicts(own, f"{path}.{key}" if path else key, seen)
    return found


def _storages(root: Any) -> list[Storage]:
    """Every storage, of the tensors of optimisers too."""
    todo, seen, found = [root], set(), []
    while todo:
        value = todo.pop()
        if isinstance(value, Tensor):
            found.append(value.storage)
        if isinstance(value, (dict, list)) and id(value) not in seen:
            seen.add(id(value))
            todo.extend(value.values() if isinstance(value, dict) else value)
    return found


def _found(root: Any, read: Read) -> Found:
    if not (nets := _dicts(root)):
        raise UserError(
            "holds no weights by name; save them with"
            " `torch.save(model.state_dict(), 'weights.pth')`"
        )
    storages: dict[str, tuple[Storage, Raw]] = {}
    copied = 0
    raws: dict[str, dict[str, Raw]] = {}
    for net, tensors in nets.items():
        for name, own in tensors.items():
            key = own.storage.key
            if key not in storages:
                stored = from_bytes(
                    _dtype(own.storage), (own.storage.length,), read(own.storage), name
                )
                storages[key] = own.storage, stored
            if storages[key][0] != own.storage:
                raise UserError(f"storage {key:.40} is two things at once")
            raw = _view(own, storages[key][1], name)
            copied += raw.array.nbytes
            if copied > 4 * sum(stored.array.nbytes for _, stored in storages.values()) + 4096:
                raise UserError("holds tensors that are many times the numbers in the file")
            raws.setdefault(net, {})[name] = raw
    return settle(KIND, LAYOUTS, raws)


def _view(own: Tensor, stored: Raw, name: str) -> Raw:
    """A copy of the numbers that the tensor sees. Raises UserError where they are not there."""
    size_of(stored.dtype, own.shape, name)
    last = own.offset + sum((n - 1) * s for n, s in zip(own.shape, own.strides, strict=True))
    count = math.prod(own.shape)
    if 0 not in own.shape and (last >= stored.array.size or count > stored.array.size):
        raise UserError(
            f"tensor {name!r:.80} of shape {own.shape!s:.60} sees {last + 1:,} numbers of a storage"
            f" of {stored.array.size:,}"
        )
    if 0 in own.shape:
        return Raw(stored.dtype, np.empty(own.shape, stored.array.dtype))
    item = stored.array.itemsize
    strides = [item * s for s in own.strides]
    seen = np.lib.stride_tricks.as_strided(stored.array[own.offset :], own.shape, strides)
    return Raw(stored.dtype, seen.copy())
