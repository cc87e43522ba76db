"""The workers of a run, each a process of its own, and what they compute together."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import numpy

from ganref.spec.errors import UserError

from .framework import Gradients, mx, np

# A store that is given up waits for the others, who may be gone: only `close` does that.
_STORES: list[Any] = []
PIECES = (22, 22, 20)  # bits of a float64, as whole numbers that float32 holds


class Peers:
    """See `ganref.spec.engines.Peers` for the contract."""

    # MXNet's server now and then adds float64 as float32, and adds in the order in which workers
    # come. So it is given float32 alone, and each number once, the other workers' places being 0.
    # What it makes are every worker's numbers, exactly; each adds them in the order of ranks.

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size, self.calls = rank, size, 0
        self._store: Any = _STORES[-1] if _STORES else None
        self.told, self.heard = numpy.zeros((2, 1 + size))
        self._keys: set[str] = set()

    def sum(self, grads: Gradients, weight: float) -> Gradients:
        """`weight` times the sums of all workers' gradients, the same bits for each of them; they
        go as one vector."""
        flat = numpy.concatenate([grad.asnumpy().ravel() for grad in grads])
        ends = numpy.cumsum([grad.size for grad in grads])[:-1]
        parts = numpy.split(self._summed(flat) * flat.dtype.type(weight), ends)
        own = {"dtype": flat.dtype}
        return [
            np.array(part.reshape(grad.shape), ctx=grad.ctx, **own)
            for part, grad in zip(parts, grads, strict=True)
        ]

    def total(self, array: numpy.ndarray) -> numpy.ndarray:
        """The sum of all workers' arrays, in float64."""
        flat = numpy.array(array, numpy.float64)
        return self._summed(flat.ravel()).reshape(flat.shape)

    def close(self) -> None:
        """Leave the others."""
        _STORES.clear()
        self._store = None

    def _summed(self, flat: numpy.ndarray) -> numpy.ndarray:
        self.calls += 1
        wide = flat.dtype == numpy.float64
        rows = self._gathered(_pieces(flat) if wide else flat)
        whole = numpy.zeros_like(flat)
        for row in rows:
            whole += _joined(row) if wide else row
        return whole

    def _gathered(self, own: numpy.ndarray) -> numpy.ndarray:
        key, rows = f"{own.size}", mx.nd.zeros((self.size, own.size))
        if key not in self._keys:
            self._keys.add(key)
            self._store.init(key, rows)
        rows[self.rank] = mx.nd.array(own, dtype="float32")
        found = mx.nd.zeros(rows.shape)
        self._store.pushpull(key, rows, out=found)
        return found.asnumpy()


def join(rank: int, size: int, address: str, seconds: float) -> Peers:
    """Meet the others at an address "host:port" within so many seconds; a sum may take longer.
    Raises UserError where they do not meet."""
    host, _, port = address.rpartition(":")
    deadline, words = time.monotonic() + seconds, ""
    found: list[Any] = []
    while time.monotonic() < deadline:
        try:
            socket.create_connection((host, int(port)), 1.0).close()
        except OSError as error:
            words = f" ({error})"
            time.sleep(0.1)
            continue
        # MXNet would wait for ever.
        create = threading.Thread(target=lambda: found.append(_met(rank, size)), daemon=True)
        create.start()
        create.join(max(0.0, deadline - time.monotonic()))
        words = ""
        break
    if not found:
        raise UserError(
            f"not all of {size} workers met at {address} within {seconds:.0f} s{words}; there have"
            " to be a scheduler and a server too"
        )
    if found[0] is None:
        raise UserError(
            f"MXNet's server at {address} does not add up: two workers have one DMLC_TASK_ID, or it"
            " loses bits"
        )
    return found[0]


def _met(rank: int, size: int) -> Peers | None:
    """The others, if a sum with known bits comes out."""
    _STORES.append(mx.kv.create("dist_sync"))
    peers = Peers(rank, size)
    own = numpy.zeros(size)
    own[rank] = 2.0**30 + 2.0**-20
    return peers if (peers.total(own) == 2.0**30 + 2.0**-20).all() else None


def _pieces(flat: numpy.ndarray) -> numpy.ndarray:
    bits, parts = flat.view(numpy.uint64), []
    for count in PIECES:
        parts.append(bits & numpy.uint64(2**count - 1))
        bits = bits >> numpy.uint64(count)
    return numpy.concatenate(parts).astype(numpy.float32)


def _joined(row: numpy.ndarray) -> numpy.ndarray:
    bits, shift = numpy.zeros(row.size // len(PIECES), numpy.uint64), 0
    for part, count in zip(numpy.split(row, len(PIECES)), PIECES, strict=True):
        bits |= part.astype(numpy.uint64) << numpy.uint64(shift)
        shift += count
    return bits.view(numpy.float64)
