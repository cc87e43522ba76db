"""The workers of a run, each a process of its own, and what they compute together."""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ganref.spec.errors import UserError

from .framework import Gradients, Tensor, wide


class Peers:
    """See `ganref.spec.engines.Peers` for the contract."""

    # A sum over an axis that lies on all of them is one collective.

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size, self.calls = rank, size, 0
        self.told, self.heard = np.zeros((2, 1 + size))

    def sum(self, grads: Gradients, weight: float) -> Gradients:
        """`weight` times the sums of all workers' gradients, the same bits for each of them; they
        go as one vector."""
        whole = self._summed(_joined(grads))
        return _cut(whole, weight, tuple(grad.shape for grad in grads))

    def total(self, array: np.ndarray) -> np.ndarray:
        """The sum of all workers' arrays, in float64."""
        device = jax.local_devices(backend="cpu")[0]
        with wide(device):
            own = jax.device_put(np.array(array, np.float64), device)
            return np.array(self._summed(own))

    def close(self) -> None:
        """Leave the others."""
        jax.distributed.shutdown()

    def _summed(self, own: Tensor) -> Tensor:
        self.calls += 1
        place, add = _meeting(next(iter(own.devices())).platform, self.size)
        shape = (self.size, *own.shape)
        parts = jax.make_array_from_single_device_arrays(shape, place, [own[None]])
        # The next sum must not begin before this one has ended: its parts would be taken for these.
        return add(parts).addressable_data(0).block_until_ready()


def join(rank: int, size: int, address: str, seconds: float) -> Peers:
    """Meet the others at an address "host:port" within so many seconds; a sum may take longer.
    Raises UserError where they do not meet."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + seconds
    _check_name(host)
    try:
        if rank == 0:
            with contextlib.closing(socket.socket()) as free:  # JAX would end the process
                free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                free.bind((host, int(port)))
        else:
            _wait_for(host, int(port), deadline)
    except OSError as error:
        words = "is in use; choose another port" if rank == 0 else f"does not answer ({error})"
        met = f"not all of {size} workers met at {address} within {seconds:.0f} s: it "
        raise UserError(f"{'' if rank else address + ' '}{met if rank else ''}{words}") from None
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    if (why := _meet(rank, size, address, deadline)) is not None:
        raise UserError(f"not all of {size} workers met at {address} within {seconds:.0f} s{why}")
    return Peers(rank, size)


def _meet(rank: int, size: int, address: str, deadline: float) -> str | None:
    """Why the others were not met, None if they were."""
    ended: list[str | None] = []

    def initialize() -> None:
        try:
            # Where its own time is up, JAX ends the process.
            left = round(deadline - time.monotonic()) + 600
            jax.distributed.initialize(address, size, rank, initialization_timeout=left)
            ended.append(None)
        except RuntimeError as error:
            ended.append(f" ({' '.join(str(error).split())[:100]})")

    thread = threading.Thread(target=initialize, daemon=True)
    thread.start()
    thread.join(max(1.0, deadline - time.monotonic()))
    return ended[0] if ended else ""


def _check_name(host: str) -> None:
    """JAX's gloo has the others come to this machine's name. Raises UserError where they would look
    for it on machines of their own."""
    name = socket.gethostname()
    with contextlib.suppress(OSError):
        own = socket.gethostbyname(name)
        if own.startswith("127.") and not socket.gethostbyname(host).startswith("127."):
            raise UserError(
                f"this machine's name, {name}, is {own} here, where no other machine finds it; let"
                " it be the machine's address in their network (in /etc/hosts, say)"
            )


def _wait_for(host: str, port: int, deadline: float) -> None:
    while True:
        try:
            socket.create_connection((host, port), 1.0).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@functools.cache
def _meeting(platform: str, size: int) -> tuple[NamedSharding, Any]:
    """Where the parts of all workers lie, one device each, and what adds them up."""
    there = jax.devices(platform)
    devices = [next(d for d in there if d.process_index == rank) for rank in range(size)]
    mesh = Mesh(np.array(devices), ("workers",))
    everywhere = NamedSharding(mesh, PartitionSpec())
    add = jax.jit(functools.partial(jnp.sum, axis=0), out_shardings=everywhere)
    return NamedSharding(mesh, PartitionSpec("workers")), add


@jax.jit
def _joined(grads: Gradients) -> Tensor:
    return jnp.concatenate([grad.ravel() for grad in grads])


@functools.partial(jax.jit, static_argnums=(1, 2))
def _cut(flat: Tensor, weight: float, shapes: tuple[tuple[int, ...], ...]) -> Gradients:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
    parts = jnp.split(flat * weight, ends)
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
