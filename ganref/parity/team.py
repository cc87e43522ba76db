"""Workers of one GAN, driven by `lockstep` as if they were one process."""

from __future__ import annotations

import select
from typing import Any

import numpy as np

from ..backend import BACKENDS
from .workers import Worker, WorkerFailed, free_ports

DRIVEN = "ganref.parity.driven"
ANSWER_S = 600.0  # for an answer: workers that wait for one that hangs do not say so


class Team:
    """So many processes of a backend that run `module`, with as many threads together; it is asked
    as a Worker is. Raises WorkerFailed where one of them does."""

    def __init__(self, backend: str, size: int, threads: int | None, module: str = DRIVEN) -> None:
        engine = BACKENDS[backend].engine
        assert engine, f"{backend} trains in one process"
        workers, helpers = engine.here(free_ports(size))
        each = str(max(1, threads // size)) if threads else ""
        self._members = [Worker(module, backend, each, env=own) for own in workers]
        self._helpers = [Worker(module, backend, each, env=own) for own in helpers]

    def send(self, do: str, *args: Any, **more: Any) -> None:
        """Ask all of them for something."""
        for member in self._members:
            member.send(do, *args, **more)

    def receive(self) -> Any:
        """The answer that all of them give, to the last bit."""
        first, *others = self.receive_all()
        for rank, other in enumerate(others, 1):
            if odd := _first_unlike(first, other):
                raise WorkerFailed(f"rank {rank} differs from rank 0 in {odd}")
        return first

    def receive_all(self) -> list[Any]:
        """Every one's answer, in the order of ranks."""
        answers: dict[int, Any] = {}
        waiting = {member.answers: rank for rank, member in enumerate(self._members)}
        while waiting:  # the first that fails says why the others do not answer
            ready, *_ = select.select(list(waiting), [], [], ANSWER_S)
            if not ready:
                raise WorkerFailed(f"no answer within {ANSWER_S:.0f} s")
            for pipe in ready:
                rank = waiting.pop(pipe)
                answers[rank] = self._members[rank].receive()
        return [answer for _, answer in sorted(answers.items())]

    def close(self) -> None:
        """End all of them."""
        for worker in (*self._members, *self._helpers):
            worker.dismiss()  # engines end together
        for worker in (*self._members, *self._helpers):
            worker.close()


def _first_unlike(one: Any, two: Any, name: str = "its answer") -> str:
    """Where two answers differ, "" if nowhere."""
    if isinstance(one, dict):
        found = (_first_unlike(one[key], two[key], key) for key in one)
        return next(filter(None, found), "")
    return "" if np.array_equal(one, two, equal_nan=isinstance(one, np.ndarray)) else name
