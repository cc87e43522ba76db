"""python -m checks.timed_loop BACKEND COMPILE: the real training loop, with a clock in the
detectors. It answers questions as `benchmarks.speed.measure` does; `checks.detector_cost` asks."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ganref import data
from ganref.backend import load_backend
from ganref.draws.weights import initial_weights
from ganref.labs import fresh_state
from ganref.parity.workers import serve
from ganref.spec import recipe
from ganref.training import detectors, loop
from ganref.training.run import Config, Options, RunDirectory


class Clock:
    """The seconds spent in the functions that it has timed."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, with its time counted; the clock's own is, too."""

        def call(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.perf_counter() - start

        return call


class Without(detectors.Detectors):
    """Detectors that look at nothing: the loop without them."""

    def observe(self, *_: Any) -> list[detectors.Detection]:
        """Nothing."""
        return []

    def inspect(self, *_: Any) -> list[detectors.Detection]:
        """Nothing."""
        return []


class TimedGAN:
    """A GAN whose training steps are timed."""

    def __init__(self, gan: Any, clock: Clock) -> None:
        self._gan, self.train_trace = gan, clock.timed(gan.train_trace)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gan, name)


class Loop:
    """The training loop of a backend, built once and run again and again from its first step."""

    def __init__(self, backend: str, compile: str, threads: int) -> None:
        self.backend, self.compile = backend, compile
        self.module = load_backend(backend)
        self.module.set_threads(threads)

    def hello(self) -> dict[str, Any]:
        """Who is here."""
        return {"version": self.module.version()}

    def build(self, name: str) -> dict[str, Any]:
        """Create the GAN of a recipe and load its data."""
        self.recipe = recipe(name)
        self.dataset = data.load(self.recipe.data, self.recipe, progress=False)
        weights = initial_weights(self.recipe)
        self.gan = self.module.create(self.recipe, weights, "cpu", "float32", self.compile)
        return {"steps_per_epoch": self.recipe.steps_per_epoch(len(self.dataset))}

    def turn(self, steps: int, watched: bool) -> dict[str, Any]:
        """A run of so many steps, with its detectors or with ones that look at nothing: the
        seconds in training steps and in detectors."""
        training, detecting = Clock(), Clock()

        class Timed(detectors.Detectors if watched else Without):  # type: ignore[misc]
            def replay(self, *args: Any) -> None:  # once in a run, before its first step
                super().replay(*args)
                for name in ("observe", "inspect", "fields"):
                    setattr(self, name, detecting.timed(getattr(self, name)))

        self.gan.load_state(fresh_state(self.recipe, 0))
        config = Config(self.recipe, self.backend, self.recipe.data, steps=steps)
        original, loop.Detectors = loop.Detectors, Timed  # type: ignore[misc]
        try:
            with TemporaryDirectory(prefix="ganref-bench-") as folder:
                run = RunDirectory.create(Path(folder) / "run")
                timed: Any = TimedGAN(self.gan, training)
                loop.train(config, timed, self.dataset, run, Options())
        finally:
            loop.Detectors = original  # type: ignore[misc]
        return {"steps": steps, "training_s": training.seconds, "detecting_s": detecting.seconds}


if __name__ == "__main__":
    serve(lambda backend, compile, threads: Loop(backend, compile, int(threads)))
