"""python -m benchmarks.scaling.member BACKEND THREADS: one of the workers whose steps are timed.

All of them are asked the same, and make as many calls: who made more would wait for ever.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ganref import data
from ganref.draws.batches import Source
from ganref.draws.weights import initial_weights
from ganref.parity.driven import Driven
from ganref.parity.workers import serve
from ganref.spec import Recipe
from ganref.spec.engines import Peers

from ..pages.drivers import DRIVERS


class Counted:
    """The peers of a worker, with a clock at their sums: how long they took, and the bytes that
    they added up. What was to be summed is computed before the clock starts."""

    def __init__(self, peers: Peers, driver: Any) -> None:
        self.__dict__.update(_peers=peers, _driver=driver, seconds=0.0, bytes=0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peers, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:
            self.__dict__[name] = value
        else:
            setattr(self._peers, name, value)

    def sum(self, grads: Any, weight: float) -> Any:
        """See `Peers`."""
        own = [self._driver.array(grad) for grad in grads]
        start = time.perf_counter()
        summed = self._peers.sum(grads, weight)
        self._driver.array(summed[0])
        self.seconds += time.perf_counter() - start
        self.bytes += sum(array.nbytes for array in own)
        return summed

    def total(self, array: np.ndarray) -> np.ndarray:
        """See `Peers`."""
        start = time.perf_counter()
        summed = self._peers.total(array)
        self.seconds += time.perf_counter() - start
        self.bytes += np.size(array) * 8
        return summed


class Member(Driven):
    """One worker, or one that is alone."""

    def __init__(self, backend: str, threads: str) -> None:
        super().__init__(backend, threads)
        self.driver = DRIVERS[backend]("float32", "cpu")
        self.driver.load()

    def begin(self, recipe: Recipe, steps: int, seed: int) -> str:
        """A GAN in float32, and the draws of a call of so many steps; its framework's version."""
        dataset = data.load(recipe.data, recipe, seed, progress=False)
        where = (self.peers.rank, self.peers.size) if self.peers else (0, 1)
        source = Source(recipe, dataset, seed, "float32", False, *where)
        self.batch = source.draw(range(min(steps, source.steps_per_epoch)))
        version = self.create(recipe, initial_weights(recipe, seed), "cpu", "float32", "off")
        self.turn(1)
        return version

    def turn(self, calls: int) -> dict[str, Any]:
        """So many calls: {steps, seconds}."""
        batch, start = self.batch, time.perf_counter()
        for _ in range(calls):
            self.gan.train_trace(batch.X, batch.Z, Z_G=batch.Z_G, masks=batch.masks)
        return {"steps": calls * len(batch.X), "seconds": time.perf_counter() - start}

    def counted(self, calls: int) -> dict[str, Any]:
        """The same with a clock at the collectives: {steps, seconds, sums_s, bytes, sums}."""
        assert self.peers is not None
        before, counted = self.peers.calls, Counted(self.peers, self.driver)
        self.gan.peers = counted
        for trainer in (self.gan.trainer_D, self.gan.trainer_G):
            trainer.gather = _through(trainer.gather, counted)
        try:
            found = self.turn(calls)
        finally:
            self.gan.peers = self.peers
            for trainer in (self.gan.trainer_D, self.gan.trainer_G):
                trainer.gather = _through(trainer.gather, self.peers)
        sums = self.peers.calls - before
        return found | {"sums_s": counted.seconds, "bytes": counted.bytes, "sums": sums}

    def collective(self, numbers: int, times: int) -> list[float]:
        """The seconds of so many sums of a vector of float32, each begun by all at once."""
        assert self.peers is not None
        vector, took = self.driver.tensor(np.ones(numbers, np.float32)), []
        for _ in range(times):
            self.peers.total(np.zeros(1))
            start = time.perf_counter()
            self.driver.array(self.peers.sum([vector], 1.0)[0])
            took.append(time.perf_counter() - start)
        return took


def _through(gather: Any, peers: Any) -> Any:
    """An optimiser's sum, by these peers."""
    return type(gather)(peers.sum, **gather.keywords)


if __name__ == "__main__":
    serve(Member)
