"""Files of tensors by name and nothing else: safetensors, NumPy's `.npz`, Gluon's `.params`."""

from __future__ import annotations

import ast
import struct

import numpy as np

from ..output import strict_json
from ..spec.errors import UserError
from .archive import Archive
from .arrays import AXES, Found, Raw, from_bytes, settle, size_of

ANY = ("numpy", "tf", "jax")  # these say nothing of how a kernel lies
SAFE = {
    "F32": "float32", "F64": "float64", "F16": "float16", "BF16": "bfloat16", "I64": "int64",
    "I32": "int32", "I16": "int16", "I8": "int8", "U64": "uint64", "U32": "uint32",
    "U16": "uint16", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


def read_safetensors(data: bytes) -> Found:
    """Raises UserError if it is no whole file of that kind."""
    return settle("a file of safetensors", ANY, {"": safe_raws(data)})


def safe_raws(data: bytes) -> dict[str, Raw]:
    """The tensors of such a file. Raises UserError."""
    view, size = memoryview(data), int.from_bytes(data[:8], "little")
    if size > len(data) - 8:
        raise UserError(f"claims a header of {size:,} bytes in a file of {len(data):,}")
    try:
        header = strict_json.loads(bytes(view[8 : 8 + size]).decode())
        meta = header.pop("__metadata__", {})
        if isinstance(meta, dict) and "ganref" in meta:
            raise UserError("is a checkpoint of ganref itself; `ganref sample` takes it as it is")
        raws, taken = {}, 0
        for name, entry in header.items():
            start, end = entry["data_offsets"]
            shape = tuple(entry["shape"])
            if not all(type(n) is int for n in (start, end, *shape)) or not 0 <= start <= end:
                raise ValueError(f"tensor {name!r:.60} has no place")
            taken += end - start
            if max(end, taken) > len(data) - 8 - size:
                raise UserError(f"tensor {name!r:.80} lies beyond the end of the file")
            dtype = SAFE.get(entry["dtype"], str(entry["dtype"]))
            raws[name] = from_bytes(dtype, shape, view[8 + size + start : 8 + size + end], name)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"is no whole file of safetensors ({error!s:.80})") from None
    return raws


def read_npz(archive: Archive) -> Found:
    """Raises UserError for arrays of objects, which would be pickles, and for sizes that are not
    there."""
    raws: dict[str, Raw] = {}
    for member in archive.members:
        if member.endswith(".npy"):
            name = member.removesuffix(".npy")
            raw = _npy(archive.read(member), name)
            raws |= {name: raw} if raw else {}
    return settle("an .npz of NumPy", ANY, {"": raws})


def _npy(data: bytes, name: str) -> Raw | None:
    """One array, after the format's own description (numpy.lib.format); None if it is text."""
    try:
        major = data[6]
        length, start = (struct.unpack_from("<H", data, 8)[0], 10) if major == 1 else (
            struct.unpack_from("<I", data, 8)[0], 12)  # fmt: skip
        if data[:6] != b"\x93NUMPY" or length > min(len(data), 10_000):
            raise ValueError("no header")
        header = ast.literal_eval(data[start : start + length].decode("latin1"))
        descr, fortran, shape = header["descr"], header["fortran_order"], header["shape"]
        if not isinstance(descr, str):
            raise UserError(f"array {name!r:.80} is a table of several types, and no weights")
        if "O" in descr:
            raise UserError(
                f"array {name!r:.80} is of objects, which are a pickle; ganref runs none"
            )
        if not isinstance(shape, tuple) or not all(type(n) is int for n in shape):
            raise ValueError("no shape")
        dtype = np.dtype(descr)
    except (ValueError, IndexError, KeyError, TypeError, SyntaxError, struct.error,
            RecursionError, MemoryError) as error:  # fmt: skip
        raise UserError(f"array {name!r:.80} is no whole .npy ({error!s:.60})") from None
    if dtype.kind in "US":
        return None
    little = np.frombuffer(data[start + length :], np.uint8)
    if dtype.itemsize and dtype.byteorder == ">" and little.size % dtype.itemsize == 0:
        little = little.reshape(-1, dtype.itemsize)[:, ::-1].reshape(-1)
    raw = from_bytes(dtype.name, shape[::-1] if fortran else shape, little.tobytes(), name)
    return Raw(raw.dtype, raw.array.T if fortran else raw.array)


# Gluon's files (MXNet, src/ndarray/ndarray.cc): a list of arrays, then one of names.
GLUON = (0x112).to_bytes(8, "little")
V1, V2, V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
MX = {0: "float32", 1: "float64", 2: "float16", 3: "uint8", 4: "int32", 5: "int8", 6: "int64",
      7: "bool", 12: "bfloat16"}  # fmt: skip


def read_gluon(data: bytes) -> Found:
    """Raises UserError if it is no whole `.params` of dense arrays."""
    try:
        count, at = _u64(data, 16)
        if count > len(data):
            raise ValueError(f"{count:,} arrays")
        arrays = []
        for number in range(count):
            raw, at = _array(data, at, f"array {number}")
            arrays.append(raw)
        names, at = _u64(data, at)
        raws: dict[str, Raw] = {}
        if names != count:
            raise ValueError(f"{names:,} names for {count:,} arrays")
        for raw in arrays:
            length, at = _u64(data, at)
            if length > len(data) - at:
                raise ValueError("a name beyond the end")
            raws[data[at : at + length].decode()] = raw
            at += length
    except (ValueError, struct.error) as error:
        raise UserError(f"is no whole .params of Gluon ({error!s:.80})") from None
    return settle("a .params of Gluon", ("mxnet",), {"": raws})


def _u64(data: bytes, at: int) -> tuple[int, int]:
    return struct.unpack_from("<Q", data, at)[0], at + 8


def _array(data: bytes, at: int, name: str) -> tuple[Raw, int]:
    (magic,) = struct.unpack_from("<I", data, at)
    at += 4
    if magic in (V2, V3):
        (kind,) = struct.unpack_from("<i", data, at)
        at += 4
        if kind != 0:
            raise UserError(f"{name} is sparse; ganref takes dense weights")
    elif magic != V1:
        raise ValueError(f"{name} begins with {magic:#x}")
    (axes,) = struct.unpack_from("<i", data, at)
    if not 0 <= axes <= AXES:
        raise ValueError(f"{name} has {axes} axes")
    shape = struct.unpack_from(f"<{axes}q", data, at + 4)
    at += 4 + 8 * axes + 8  # and where it lay: a device's kind and number
    (number,) = struct.unpack_from("<i", data, at)
    dtype = MX.get(number, f"of type {number}")
    size = size_of(dtype, shape, name)
    if size > len(data) - at - 4:
        raise UserError(f"{name} of {size:,} bytes lies beyond the end of the file")
    return from_bytes(dtype, shape, memoryview(data)[at + 4 : at + 4 + size], name), at + 4 + size
