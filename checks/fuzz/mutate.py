"""How bytes, JSON and text are changed: as disks, editors and programs change them, and worse."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

TOKENS = (
    b"\x00", b"\xff", b"\n", b",", b"{", b"[", b'"', b"NaN", b"-1", b"1e999", b"null", b"\x80" * 9,
    b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00" * 16, b"PK\x03\x04",
    b"\x1f\x8b", b"\x93NUMPY",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 3.5, 2**31, 2**63, 10**30, 1e308, float("nan"), float("inf"),
    "", "x", "é", "\x00", "../..", "0", [], {}, [[]], {"kind": "bce"}, ["x"] * 9,
)  # fmt: skip


def _place(rng: random.Random, blob: bytes) -> tuple[int, int]:
    """A slice: often short, often near an end, where headers are."""
    size = len(blob)
    start = rng.randrange(size + 1)
    if rng.random() < 0.4:
        start = min(size, int(rng.expovariate(1 / 64)))
    return start, min(size, start + int(rng.expovariate(1 / rng.choice((2, 16, 256)))) + 1)


def _flip(rng: random.Random, blob: bytes) -> bytes:
    at, _ = _place(rng, blob[:-1])
    return blob[:at] + bytes([blob[at] ^ 1 << rng.randrange(8)]) + blob[at + 1 :]


def _set(rng: random.Random, blob: bytes) -> bytes:
    start, end = _place(rng, blob)
    return blob[:start] + rng.randbytes(end - start) + blob[end:]


def _delete(rng: random.Random, blob: bytes) -> bytes:
    start, end = _place(rng, blob)
    return blob[:start] + blob[end:]


def _repeat(rng: random.Random, blob: bytes) -> bytes:
    start, end = _place(rng, blob)
    return blob[:end] + blob[start:end] * rng.choice((1, 1, 2, 50)) + blob[end:]


def _insert(rng: random.Random, blob: bytes) -> bytes:
    at, _ = _place(rng, blob)
    return blob[:at] + rng.choice(TOKENS) + blob[at:]


def _overwrite(rng: random.Random, blob: bytes) -> bytes:
    at, _ = _place(rng, blob)
    token = rng.choice(TOKENS)
    return blob[:at] + token + blob[at + len(token) :]


def _cut(rng: random.Random, blob: bytes) -> bytes:
    return blob[: rng.randrange(len(blob))]


def _move(rng: random.Random, blob: bytes) -> bytes:
    start, end = _place(rng, blob)
    at, _ = _place(rng, blob)
    rest = blob[:start] + blob[end:]
    return rest[:at] + blob[start:end] + rest[at:]


BYTES = (_flip, _flip, _set, _delete, _repeat, _insert, _overwrite, _cut, _move)


def bytes_(rng: random.Random, blob: bytes) -> bytes:
    """One to three changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if len(blob) > 1:
            blob = rng.choice(BYTES)(rng, blob)
    return blob


def _value(rng: random.Random) -> Any:
    return copy.deepcopy(rng.choice(VALUES))


def _deep(rng: random.Random) -> Any:
    value = _value(rng)
    for _ in range(rng.choice((3, 40, 400))):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def json_(rng: random.Random, value: Any) -> Any:
    """The same nested lists and dictionaries with one to three places changed."""
    value = copy.deepcopy(value)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places: list[tuple[Any, Any]] = []
        _places(value, places)
        if not places:
            return _value(rng)
        _change(rng, *rng.choice(places))
    return value


def _places(value: Any, found: list[tuple[Any, Any]]) -> None:
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            found.append((value, key))
            _places(value[key], found)


def _change(rng: random.Random, holder: Any, key: Any) -> None:
    old = holder[key]
    ways: list[Callable[[], Any]] = [
        lambda: holder.__setitem__(key, _value(rng)),
        lambda: holder.__setitem__(key, _value(rng)),
        lambda: holder.__setitem__(key, _deep(rng)),
        lambda: holder.__delitem__(key),
        lambda: holder.__setitem__(key, [old, old]),
    ]
    if isinstance(holder, dict):
        ways.append(lambda: holder.__setitem__(f"{key}x", holder.pop(key)))
    else:
        ways.append(lambda: holder.insert(rng.randrange(len(holder) + 1), old))
    if isinstance(old, int | float) and not isinstance(old, bool):
        ways += [
            lambda: holder.__setitem__(key, old + rng.choice((-1, 1, 0.5))),
            lambda: holder.__setitem__(key, -old),
            lambda: holder.__setitem__(key, str(old)),
        ]
    rng.choice(ways)()


def lines(rng: random.Random, blob: bytes) -> bytes:
    """A table with a row gone, twice, elsewhere, or with another number in it."""
    rows = blob.split(b"\n")
    at = rng.randrange(len(rows))
    way = rng.randrange(5)
    if way == 0:
        del rows[at]
    elif way == 1:
        rows.insert(at, rows[at])
    elif way == 2:
        rows.insert(rng.randrange(len(rows)), rows.pop(at))
    elif way == 3:
        cells = rows[at].split(b",")
        cells[rng.randrange(len(cells))] = str(rng.choice(VALUES)).encode()
        rows[at] = b",".join(cells)
    else:
        rng.shuffle(rows)
    return b"\n".join(rows)
