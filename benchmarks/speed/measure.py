"""python -m benchmarks.speed.measure BACKEND MODE: a process that holds one variant and times it.

It answers what `benchmarks.workers` asks; between two questions it does nothing, so that other
variants can have the machine. Nothing here imports more than the variant needs.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ganref.backend import load_backend
from ganref.draws.weights import initial_weights
from ganref.parity.workers import serve
from ganref.spec.precision import storage
from ganref.spec.state import initial_state

from . import places

# "bfloat16" is "fast" in mixed precision, beside the others in the same rounds.
COMPILE = {"fast": "on", "auto": "auto", "off": "off", "bfloat16": "on"}
# The framework's page as it stands, and without what it compiles.
PAGES = ("page", "eager")


class Variant:
    """One framework in one mode: "page" and "eager" are the loop of `ganref.pages`, the others are
    `ganref.<backend>` with `--compile` on, auto or off."""

    def __init__(self, backend: str, mode: str, threads: int) -> None:
        self.backend, self.mode = backend, mode
        self.module = load_backend(backend)
        self.module.set_threads(threads)
        self.imported = _memory("VmRSS")

    def hello(self) -> dict[str, Any]:
        """Who is here, and what precisions each of its devices has."""
        devices = {device: self.module.dtypes(device) for device in self.module.devices()}
        return {"version": self.module.version(), "devices": devices}

    def losses(self, job: str) -> dict[str, Any]:
        """The losses of a job's first call, from the initial weights, and in a file what it made of
        Adam's first moments (gradients, but for a factor) and of running statistics."""
        self._load(job)
        self.gan = self._create()
        self._hold()
        found: dict[str, Any] = self._losses(self._call())
        if self.mode not in PAGES:
            found["file"] = f"{job}-{self.backend}-{self.mode}.npz"
            kept = (".m", ".running_mean", ".running_var")
            state = {n: a for n, a in self.gan.state().items() if n.endswith(kept)}
            np.savez(found["file"], **state)
        return found

    def build(self, job: str) -> dict[str, Any]:
        """Create what is going to be timed, and call it for the first time."""
        self._load(job)
        start = time.perf_counter()
        self.gan = self._create()
        self._hold()
        created = time.perf_counter()
        with places.watching(self.backend, self.gan) as lain:
            losses = self._call()
            called = time.perf_counter()
        places.check(lain, self.job.device)
        took = {"create_s": created - start, "first_call_s": called - created}
        return took | {"held": self.held} | self._losses(losses)

    def turn(self, seconds: float) -> dict[str, Any]:
        """Whole calls until they add up to `seconds`: {steps, seconds, cpu_s, finite}. A call has
        ended when its losses are NumPy arrays, so every device has finished by then."""
        total, cpu, steps, finite = 0.0, 0.0, 0, True
        while total < seconds or not steps:
            if self.trained + self.job.steps_per_call > self.job.run_steps and self.trained:
                self._start_again()
            wall_before, cpu_before = time.perf_counter(), time.process_time()
            losses = self._call()
            total += time.perf_counter() - wall_before
            cpu += time.process_time() - cpu_before
            steps += self.job.steps_per_call
            finite = finite and bool(np.isfinite(losses).all())
        return {"steps": steps, "seconds": total, "cpu_s": cpu, "finite": finite}

    def memory(self) -> dict[str, Any]:
        """The process's resident memory when all was imported and at its peak, and the device's, in
        bytes."""
        return {
            "import_memory": self.imported,
            "peak_memory": _memory("VmHWM"),
            "device_memory": self.module.peak_memory(self.job.device),
        }

    def waiting(self, seconds: float) -> dict[str, Any]:
        """How long the training loop waits for its draws, and how long it trains."""
        from ganref import data
        from ganref.draws import batches

        recipe = self.job.recipe
        dataset = data.load(recipe.data, recipe, self.job.seed, progress=False)
        held = self.job.device != "cpu" and self.gan.hold(dataset.array)
        source = batches.Source(recipe, dataset, self.job.seed, self.job.dtype, held)
        # Calls of one length: another would be compiled anew, which would hide the waiting.
        every = batches.plan(source, 0, 10**6, None)
        drawn = batches.ahead(source, (r for r in every if len(r) == self.job.steps_per_call))
        next(drawn)  # the thread that draws starts with this one
        waited = trained = 0.0
        calls = 0
        while waited + trained < seconds or calls < 3:
            start = time.perf_counter()
            _, batch = next(drawn)
            ready = time.perf_counter()
            self.gan.train_steps(batch.X, batch.Z, Z_G=batch.Z_G, masks=batch.masks)
            waited, trained = waited + ready - start, trained + time.perf_counter() - ready
            calls += 1
        return {"waiting_s": waited, "training_s": trained, "calls": calls}

    def matmul(self, dtype: str, device: str, seconds: float) -> dict[str, Any]:
        """The best rate of this framework's matrix product, in FLOP/s."""
        from . import rates

        return {"flops_per_s": rates.best(self.module, dtype, device, seconds)}

    def _load(self, job: str) -> None:
        from . import jobs

        self.job = jobs.load(Path(job))
        self.pool: Iterator[int] = itertools.cycle(range(len(self.job.calls)))
        self.trained, self.held = 0, False

    def _create(self) -> Any:
        job = self.job
        args = job.recipe, initial_weights(job.recipe, job.seed), job.device, job.dtype
        if self.mode in PAGES:
            from ..pages import training

            return training.create(self.backend, *args, eager=self.mode == "eager")
        return self.module.create(*args, COMPILE[self.mode], job.run_steps)

    def _hold(self) -> None:
        """As the training loop does on a GPU. A page has batches, as its reader would give it."""
        if self.mode not in PAGES and self.job.data is not None:
            self.held = self.gan.hold(self.job.data)

    def _initial_state(self) -> dict[str, np.ndarray]:
        recipe, dtype = self.job.recipe, storage(self.job.dtype)
        return initial_state(recipe, initial_weights(recipe, self.job.seed), dtype)

    def _start_again(self) -> None:
        """Back to the initial weights: a run far past its end may meet numbers (denormal, not
        finite) that processors treat differently, which says nothing about training."""
        if self.mode in PAGES:
            self.gan = self._create()
        else:
            self.gan.load_state(self._initial_state())
        self.trained = 0
        self._call()

    def _call(self) -> np.ndarray:
        i = next(self.pool)
        batch = self.job.calls[i]
        X = self.job.rows[i] if self.held else batch.X
        losses = self.gan.train_steps(X, batch.Z, Z_G=batch.Z_G, masks=batch.masks)
        self.trained += len(batch.X)
        return np.asarray(losses)

    @staticmethod
    def _losses(losses: np.ndarray) -> dict[str, Any]:
        return {"loss_D": losses[0].tolist(), "loss_G": losses[1].tolist()}


def _memory(kind: str) -> int:
    # Not getrusage's ru_maxrss: Linux lets a new program inherit that of the one that started it.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"the kernel does not say {kind}")


if __name__ == "__main__":
    serve(lambda backend, mode, threads: Variant(backend, mode, int(threads)))
