"""The workers of a run, each a process of its own, and what they compute together."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import torch
from torch import distributed

from ganref.spec.errors import UserError

from .framework import Gradients, Tensor


class Peers:
    """See `ganref.spec.engines.Peers` for the contract."""

    # Not DistributedDataParallel, which does not see the gradients of `autograd.grad`.

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size, self.calls = rank, size, 0
        self.told, self.heard = np.zeros((2, 1 + size))

    def sum(self, grads: Gradients, weight: float) -> Gradients:
        """`weight` times the sums of all workers' gradients, the same bits for each of them; they
        go as one vector."""
        flat = self._summed(torch.cat([grad.reshape(-1) for grad in grads])) * weight
        parts = flat.split([grad.numel() for grad in grads])
        return [part.view(grad.shape) for part, grad in zip(parts, grads, strict=True)]

    def total(self, array: np.ndarray) -> np.ndarray:
        """The sum of all workers' arrays, in float64."""
        return self._summed(torch.tensor(array, dtype=torch.float64)).numpy()

    def close(self) -> None:
        """Leave the others."""
        distributed.destroy_process_group()

    def _summed(self, flat: Tensor) -> Tensor:
        self.calls += 1
        distributed.all_reduce(flat)
        return flat


def join(rank: int, size: int, address: str, seconds: float) -> Peers:
    """Meet the others at an address "host:port" within so many seconds; a sum may take longer.
    Raises UserError where they do not meet."""
    # Each tensor goes the way of its device.
    engine = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        # The variables say the rest: whether torchrun waits at that port already, for one.
        found = distributed.rendezvous("env://", rank, size, timeout=timedelta(seconds=seconds))
        store, *_ = next(iter(found))
        patience = timedelta(seconds=10 * seconds)
        distributed.init_process_group(
            engine, timeout=patience, store=store, rank=rank, world_size=size
        )
    except (RuntimeError, ValueError) as error:
        if "EADDRINUSE" in str(error) or "in use" in str(error):
            raise UserError(f"{address} is in use; choose another port") from None
        words = " ".join(str(error).split())[:100]
        raise UserError(
            f"not all of {size} workers met at {address} within {seconds:.0f} s ({words})"
        ) from None
    return Peers(rank, size)
