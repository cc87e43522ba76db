"""Small files of weights in every format that `ganref import` reads, written without any framework:
what a campaign changes, and what tests read where no framework is."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Iterable

import numpy as np

Arrays = dict[str, np.ndarray]
LEGACY = bytes.fromhex("80028a0a6cfc9c46f920") + b"j\xa8P\x19."


def zipped(members: dict[str, bytes], deflated: bool = False) -> bytes:
    """A zip of these members."""
    out = io.BytesIO()
    how = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(out, "w", how) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return out.getvalue()


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def _whole(n: int) -> bytes:
    return b"J" + struct.pack("<i", n)


def _tuple(parts: Iterable[bytes]) -> bytes:
    return b"(" + b"".join(parts) + b"t"


def torch_pickle(arrays: Arrays, legacy: bool = False) -> bytes:
    """The pickle of a state_dict, opcode by opcode, as `torch.save` writes it."""
    pairs = []
    for key, (name, array) in enumerate(arrays.items()):
        kind = {"f4": "FloatStorage", "f8": "DoubleStorage"}[array.dtype.str[1:]]
        where = [_text("storage"), f"ctorch\n{kind}\n".encode(), _text(str(key)), _text("cpu")]
        view = [b"N"] if legacy else []
        storage = _tuple([*where, _whole(array.size), *view]) + b"Q"
        strides = [n // array.itemsize for n in array.strides]
        sizes = [_tuple(map(_whole, numbers)) for numbers in (array.shape, strides)]
        hooks = b"ccollections\nOrderedDict\n)R"
        args = _tuple([storage, _whole(0), *sizes, b"\x89", hooks])
        pairs.append(_text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n" + args + b"R")
    return b"\x80\x02ccollections\nOrderedDict\n)R(" + b"".join(pairs) + b"u."


def torch_zip(arrays: Arrays) -> dict[str, bytes]:
    """The members of a `.pth` of today."""
    numbers = {f"w/data/{i}": array.tobytes() for i, array in enumerate(arrays.values())}
    return {"w/data.pkl": torch_pickle(arrays), "w/byteorder": b"little", **numbers}


def torch_legacy(arrays: Arrays) -> bytes:
    """A `.pth` of before PyTorch 1.6."""
    head = LEGACY + b"\x80\x02M\xe9\x03." + b"\x80\x02}."
    keys = b"\x80\x02(" + b"".join(_text(str(i)) for i in range(len(arrays))) + b"l."
    sizes = (struct.pack("<q", a.size) + a.tobytes() for a in arrays.values())
    return head + torch_pickle(arrays, True) + keys + b"".join(sizes)


def safetensors(arrays: Arrays) -> tuple[dict, bytes]:
    """The header and the body of a file of safetensors."""
    header, at = {}, 0
    for name, array in arrays.items():
        kind = {"f4": "F32", "f8": "F64"}[array.dtype.str[1:]]
        place = [at, at + array.nbytes]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": place}
        at += array.nbytes
    return header, b"".join(array.tobytes() for array in arrays.values())


def safe_bytes(header: object, body: bytes) -> bytes:
    """The file of them."""
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def npz(arrays: Arrays) -> dict[str, bytes]:
    """The members of an `.npz`."""
    members = {}
    for name, array in arrays.items():
        out = io.BytesIO()
        np.save(out, array)
        members[f"{name}.npy"] = out.getvalue()
    return members


def gluon(arrays: Arrays) -> bytes:
    """A `.params` of MXNet."""
    out = [struct.pack("<QQQ", 0x112, 0, len(arrays))]
    for array in arrays.values():
        kind = {"f4": 0, "f8": 1}[array.dtype.str[1:]]
        shape = struct.pack(f"<i{array.ndim}q", array.ndim, *array.shape)
        out += [struct.pack("<Ii", 0xF993FAC9, 0), shape, struct.pack("<iii", 1, 0, kind)]
        out.append(array.tobytes())
    names = (struct.pack("<Q", len(name)) + name.encode() for name in arrays)
    return b"".join([*out, struct.pack("<Q", len(arrays)), *names])


def varint(number: int) -> bytes:
    """A number as protocol buffers have it."""
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number: int, value: int | bytes | str) -> bytes:
    """A field of a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def onnx(layers: list[tuple[str, Arrays]]) -> bytes:
    """A model of nodes (operator, tensors by name) one behind another."""
    graph, end = b"", "Z"
    for i, (operator, arrays) in enumerate(layers):
        inputs = b"".join(field(1, name) for name in (end, *arrays))
        end = f"{i}.{operator}"
        graph += field(1, inputs + field(2, end) + field(4, operator))
        for name, array in arrays.items():
            dims = b"".join(field(1, n) for n in array.shape)
            kind = {"f4": 1, "f8": 11}[array.dtype.str[1:]]
            graph += field(5, dims + field(2, kind) + field(8, name) + field(9, array.tobytes()))
    return field(1, 8) + field(7, graph) + field(8, field(2, 17))


def tensorflow(arrays: Arrays) -> tuple[bytes, bytes]:
    """The index and the one shard of a checkpoint, under plain names."""
    entries, data = {b"": field(1, 1)}, b""
    for name, array in sorted(arrays.items()):
        kind = {"f4": 1, "f8": 2}[array.dtype.str[1:]]
        dims = b"".join(field(2, field(1, n)) for n in array.shape)
        place = field(4, len(data)) + field(5, array.nbytes)
        entries[name.encode()] = field(1, kind) + field(2, dims) + place
        data += array.tobytes()
    block = b"".join(
        varint(0) + varint(len(key)) + varint(len(value)) + key + value
        for key, value in entries.items()
    )
    block += struct.pack("<II", 0, 1)
    handle = varint(0) + varint(len(block))
    index = (
        varint(0) + varint(1) + varint(len(handle)) + b"\xff" + handle + struct.pack("<II", 0, 1)
    )
    empty = struct.pack("<II", 0, 1)
    out, places = b"", []
    for part in (block, empty, index):
        places.append(varint(len(out)) + varint(len(part)))
        out += part + bytes(5)
    footer = (places[1] + places[2]).ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)
    return out + footer, data


def hdf5(arrays: Arrays) -> bytes:
    """What Keras 3 writes; h5py is needed."""
    import h5py

    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return out.getvalue()
