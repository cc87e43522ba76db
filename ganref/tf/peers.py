"""The workers of a run, each a process of its own, and what they compute together."""

from __future__ import annotations

import json
import os
import socket
import time

import numpy as np
import tensorflow as tf

from ganref.spec.errors import UserError
from ganref.spec.streams import quiet

from .framework import Gradients, Tensor

GROUP = 1  # the key of all workers among the engine's groups


class Peers:
    """See `ganref.spec.engines.Peers` for the contract."""

    # Variables stay outside the strategy's scope: in it, Keras' optimiser would sum once more, and
    # Adam would hide that but for its epsilon.

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size, self.calls = rank, size, 0
        self.told, self.heard = np.zeros((2, 1 + size))
        self._keys: dict[tuple[int, str], int] = {}

    def sum(self, grads: Gradients, weight: float) -> Gradients:
        """`weight` times the sums of all workers' gradients, the same bits for each of them; they
        go as one vector."""
        flat = tf.concat([tf.reshape(grad, [-1]) for grad in grads], 0)
        parts = tf.split(self._summed(flat) * weight, [tf.size(grad) for grad in grads])
        return [tf.reshape(part, grad.shape) for part, grad in zip(parts, grads, strict=True)]

    def total(self, array: np.ndarray) -> np.ndarray:
        """The sum of all workers' arrays, in float64."""
        with tf.device("/CPU:0"):
            own = tf.reshape(tf.constant(array, tf.float64), [-1])
            return np.reshape(self._summed(own).numpy(), np.shape(array))

    def close(self) -> None:
        """Leave the others."""
        # The servers end with the process.

    def _summed(self, flat: Tensor) -> Tensor:
        self.calls += 1
        # A key is of one size; all workers meet new ones in the same order.
        where = "GPU" if "GPU" in flat.device else "CPU"
        kind = int(flat.shape[0]), f"{flat.dtype.name} {where}"
        key = self._keys.setdefault(kind, len(self._keys) + 1)
        return tf.raw_ops.CollectiveReduceV2(
            input=flat,
            group_size=self.size,
            group_key=GROUP + (where == "GPU"),
            instance_key=key,
            ordering_token=[],
            merge_op="Add",
            final_op="Id",
            communication_hint="NCCL" if where == "GPU" else "RING",
        )


def join(rank: int, size: int, address: str, seconds: float) -> Peers:
    """Meet the others at an address "host:port" within so many seconds; a sum may take longer.
    Raises UserError where they do not meet."""
    cluster = json.loads(os.environ["TF_CONFIG"])["cluster"]
    addresses = [*cluster.get("chief", []), *cluster["worker"]]
    deadline = time.monotonic() + seconds
    host, _, port = addresses[rank].rpartition(":")
    try:
        server = socket.create_server((host, int(port)))
    except OSError:
        raise UserError(f"{addresses[rank]} is in use; choose another port") from None
    # TensorFlow would wait for the others for an hour.
    with server:
        for other in addresses[:rank] + addresses[rank + 1 :]:
            _wait_for(other, deadline, f"not all of {size} workers met at {address} within"
                      f" {seconds:.0f} s: {other} does not answer")  # fmt: skip
    with quiet():
        tf.distribute.MultiWorkerMirroredStrategy()  # the process's servers start with it
    return Peers(rank, size)


def _wait_for(address: str, deadline: float, words: str) -> None:
    host, _, port = address.rpartition(":")
    while True:
        try:
            socket.create_connection((host, int(port)), 1.0).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise UserError(f"{words} ({error})") from None
            time.sleep(0.1)
