"""Protocol buffers and the tables of TensorFlow's checkpoints, byte by byte.

Both are read here and not by their own libraries, which trust the sizes that a file claims. What is
damaged is a ValueError.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

Bytes = memoryview | bytes

TABLE = 0xDB4775248B80FB57  # the last 8 bytes of a table
FOOTER = 48


def varint(data: Bytes, at: int) -> tuple[int, int]:
    """(the number there, the place behind it)."""
    number = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a number without an end")
        byte = data[at]
        number |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return number & (1 << 64) - 1, at


def signed(number: int) -> int:
    """A number of 64 bits as the protocol writes negative ones."""
    return number - (1 << 64) if number >> 63 else number


def fields(data: Bytes) -> Iterator[tuple[int, Any]]:
    """A message's (number of the field, value): an int, or the bytes of what is not one."""
    at, data = 0, memoryview(data)
    while at < len(data):
        key, at = varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = varint(data, at)
            yield number, value
            continue
        if kind == 2:
            size, at = varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"a field of kind {kind}")
        if size > len(data) - at:
            raise ValueError(f"a field of {size:,} bytes, of which {len(data) - at:,} are there")
        yield number, data[at : at + size]
        at += size


def message(data: Bytes) -> dict[int, list[Any]]:
    """A message's values by the number of their field."""
    found: dict[int, list[Any]] = {}
    for number, value in fields(data):
        found.setdefault(number, []).append(value)
    return found


def numbers(values: list[Any]) -> list[int]:
    """The integers of a repeated field, packed or not."""
    found = []
    for value in values:
        if isinstance(value, int):
            found.append(signed(value))
            continue
        at = 0
        while at < len(value):
            number, at = varint(value, at)
            found.append(signed(number))
    return found


def text(value: Any) -> str:
    """A field of text. Raises ValueError if it is none."""
    if isinstance(value, int):
        raise ValueError("a number where a text belongs")
    return bytes(value).decode()


def table(data: bytes) -> dict[bytes, memoryview]:
    """The entries of a sorted table (LevelDB's, as TensorFlow writes it: uncompressed)."""
    if len(data) < FOOTER or struct.unpack("<Q", data[-8:])[0] != TABLE:
        raise ValueError("no table's end")
    view, at = memoryview(data), 0
    footer = view[-FOOTER:]
    for _ in range(2):  # the index of other blocks, which is empty, then that of these
        place, at = varint(footer, at)
        size, at = varint(footer, at)
    found: dict[bytes, memoryview] = {}
    for handle in _block(view, place, size).values():
        place, at = varint(handle, 0)
        size, _ = varint(handle, at)
        found |= _block(view, place, size)
        if sum(len(key) for key in found) > 64 * len(data) + (1 << 20):
            raise ValueError("names that are longer than the file")
    return found


def _block(view: memoryview, place: int, size: int) -> dict[bytes, memoryview]:
    if place + size + 5 > len(view) or size < 4:
        raise ValueError("a block beyond the end")
    if view[place + size]:
        raise ValueError("a compressed block")
    block = view[place : place + size]
    restarts = struct.unpack("<I", block[-4:])[0]
    end, at, key = size - 4 - 4 * restarts, 0, b""
    found: dict[bytes, memoryview] = {}
    taken = 0
    while at < end:
        shared, at = varint(block, at)
        own, at = varint(block, at)
        length, at = varint(block, at)
        if shared > len(key) or at + own + length > end:
            raise ValueError("an entry beyond its block")
        key = key[:shared] + bytes(block[at : at + own])
        taken += len(key)
        if taken > 64 * len(view) + (1 << 20):
            raise ValueError("names that are longer than the file")
        found[key] = block[at + own : at + own + length]
        at += own + length
    return found
