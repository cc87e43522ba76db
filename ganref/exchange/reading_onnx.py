"""ONNX: the initialisers of a graph, each with what its node takes it for. No `onnx` is needed."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from ..spec.errors import UserError
from .arrays import Found, Raw, from_bytes, settle
from .wire import message, numbers, text

TYPES = {1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64",
         9: "bool", 10: "float16", 11: "float64", 12: "uint32", 13: "uint64",
         16: "bfloat16"}  # fmt: skip
# What a node takes an input for, by its place: the first is the image.
TAKES = {
    "Conv": ("", "weight", "bias"),
    "ConvTranspose": ("", "weight", "bias"),
    "Gemm": ("", "weight", "bias"),
    "MatMul": ("", "weight"),
    "Add": ("", "bias"),
    "BatchNormalization": ("", "weight", "bias", "running_mean", "running_var"),
}
TRANSPOSED = ("Gemm", "MatMul")  # whose weights may be (in, out)


def read_onnx(data: bytes) -> Found:
    """Raises UserError if it is no whole model, or keeps its weights elsewhere."""
    try:
        graph = message(message(data)[7][0])
        stored = dict(_stored(tensor) for tensor in graph.get(5, []))
        raws, stem, taken = {}, "", set()
        for node in map(message, graph.get(1, [])):
            kind = text(node[4][0]) if 4 in node else ""
            inputs = [text(name) for name in node.get(1, [])]
            for name, role in zip(inputs, TAKES.get(kind, ()), strict=False):
                if not role or name not in stored:
                    continue
                stem = name.removesuffix(".weight") if role == "weight" else stem
                raws[f"{stem}.{role}"] = _oriented(kind, node, role, stored[name])
                taken.add(name)
        if not raws:
            raise ValueError("no weights in its nodes")
        # What other nodes take is no layer's: it is there to be missed, but for shapes and scalars.
        raws |= {name: own for name, own in stored.items() if name not in taken and own.array.ndim}
    except (ValueError, KeyError, IndexError, TypeError, struct.error) as error:
        raise UserError(f"is no whole ONNX model ({error!s:.80})") from None
    return settle("an ONNX model", ("numpy",), {"": raws})


def _oriented(kind: str, node: dict[int, list[Any]], role: str, raw: Raw) -> Raw:
    """A dense layer's weights as (out, in)."""
    if kind not in TRANSPOSED or role != "weight":
        return raw
    how = {text(a[1][0]): a for a in map(message, node.get(5, [])) if 1 in a}
    as_it_is = kind == "Gemm" and "transB" in how and numbers(how["transB"].get(3, [0]))[0]
    return raw if as_it_is else Raw(raw.dtype, raw.array.T)


def _stored(tensor: Any) -> tuple[str, Raw]:
    own = message(tensor)
    name = text(own[8][0]) if 8 in own else ""
    kind = numbers(own.get(2, [0]))[0]
    dtype, shape = TYPES.get(kind, f"of type {kind}"), tuple(numbers(own.get(1, [])))
    if 13 in own or numbers(own.get(14, [0]))[0]:
        raise UserError(f"tensor {name!r:.80} lies in another file; save the model in one")
    if 9 in own:
        return name, from_bytes(dtype, shape, own[9][0], name)
    if dtype == "float32" and 4 in own:
        packed = b"".join(bytes(part) for part in own[4])
        return name, from_bytes(dtype, shape, packed, name)
    if dtype == "float64" and 10 in own:
        return name, from_bytes(dtype, shape, b"".join(bytes(part) for part in own[10]), name)
    ints = numbers(own.get(7, []) + own.get(5, []))
    if dtype == "int64" or not ints:
        return name, from_bytes(
            dtype, shape, np.array(ints, "<i8").tobytes() if ints else b"", name
        )
    return name, Raw("int64", np.array(ints, "<i8"))
