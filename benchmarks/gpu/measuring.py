"""How each kind of measurement is made: in processes of its own, as `benchmarks.speed` does."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from dataclasses import dataclass
from functools import singledispatchmethod
from pathlib import Path
from typing import Any

import numpy as np

from ganref import data
from ganref.parity.workers import WorkerFailed
from ganref.spec import Recipe

from .. import report
from ..speed import gate, jobs
from ..speed.measure import COMPILE
from ..workers import Worker
from . import answers, bounds, energy
from .plan import Peaks, Sizes, Training, Trial

GATE_BATCH = 16  # of the step that NumPy is asked for in the timed width and precision
RUN_STEPS = 1000
EXAMPLES = 2048  # drawn pictures: what a step costs does not depend on what is in them


@dataclass
class Bench:
    """What all measurements share. `verdicts` are those already given, by variant: they come back
    with the results."""

    device: str
    threads: int
    seed: int
    sizes: Sizes
    folder: Path
    verdicts: dict[str, list[dict[str, Any]]]

    def __post_init__(self) -> None:
        self.judge = gate.Gate(self.folder, self.threads, self.seed)
        self.timeout = 600.0
        self.examining = 0.0  # seconds that the last measurement spent on verdicts

    @singledispatchmethod
    def measure(self, what: Any) -> dict[str, Any]:
        """The result of one measurement. Raises WorkerFailed."""
        raise TypeError(what)

    @measure.register
    def _(self, what: Trial) -> dict[str, Any]:
        with self.worker(what.backend) as first, self.worker(what.backend) as other:
            apart = first.ask("differences", device=self.device)
            equal = {case: self._goes_on(first, other, case) for case in answers.CASES}
        right = all(found < allowed for found, allowed in apart.values())
        return {"differences": apart, "right": right, "same_bits_after_resume": equal}

    @measure.register
    def _(self, what: Peaks) -> dict[str, Any]:
        seconds, found = self.sizes.seconds, {}
        with self.worker(what.backend) as worker:
            for dtype in what.dtypes:
                asked = {"dtype": dtype, "device": self.device, "seconds": 2 * seconds}
                found[dtype] = worker.ask("matmul", **asked)["flops_per_s"]
            copy: float | None = None
            with contextlib.suppress(WorkerFailed):  # nobody has written how it copies
                copying = worker.ask("copying", device=self.device, seconds=2 * seconds)
                copy = copying["bytes_per_s"]
        return {"flops_per_s": found, "bytes_per_s": copy}

    @measure.register
    def _(self, what: Training) -> dict[str, Any]:
        shape, dataset = what.recipe, _dataset(what.recipe, self.seed)
        job = jobs.draw(shape, dataset, what.dtype, self.device, self.seed)
        # Beginning again takes longer than what is timed between two of a large batch's runs.
        job = dataclasses.replace(job, run_steps=max(RUN_STEPS, job.run_steps))
        row = _row(what, job, self.device, self.threads)
        with self.worker(what.backend, what.mode) as worker:
            path = jobs.save(job, self.folder / what.name.replace(" ", "-"))
            row["version"], row["startup_s"] = worker.hello["version"], worker.startup_s
            answer = worker.ask("build", job=str(path))
            row |= {name: answer[name] for name in ("create_s", "first_call_s", "held")}
            worker.ask("turn", seconds=self.sizes.seconds)
            with energy.metered(self.device) as meter:
                for _ in range(self.sizes.repeats):
                    row["rounds"].append(worker.ask("turn", seconds=self.sizes.seconds))
            row |= worker.ask("memory")
            # Last, since it would hide what the first call takes.
            start = time.perf_counter()
            row["gate"] = self._examined(what, worker, dataset)
            self.examining = time.perf_counter() - start
        report.summarise(row, None)
        images = sum(turn["steps"] for turn in row["rounds"]) * shape.batch_size
        joules = meter["joules"]
        row["joules_per_example"] = None if joules is None else joules / images
        row["first_step_s"] = row["startup_s"] + row["create_s"] + row["first_call_s"]
        row["bytes_per_step"] = bounds.bytes_per_step(shape, what.dtype)
        return row

    @contextlib.contextmanager
    def worker(self, backend: str, mode: str = "fast") -> Any:
        """A process for one variant, ended when the context is left."""
        module = "benchmarks.gpu.answers"
        with contextlib.closing(
            Worker(backend, mode, self.threads, self.timeout, module)
        ) as worker:
            yield worker

    def _goes_on(self, first: Worker, other: Worker, case: str) -> bool:
        """Whether a run that goes on in another process has the bits of one that never stopped."""
        how: dict[str, Any] = {"device": self.device, "case": case}
        whole = first.ask("trained", **how, start=0, stop=4, state=None)
        half = first.ask("trained", **how, start=0, stop=2, state=None)
        rest = other.ask("trained", **how, start=2, stop=4, state=half)
        return all(np.array_equal(array, rest[name]) for name, array in whole.items())

    def _examined(self, what: Training, worker: Worker, dataset: data.Dataset) -> list[Any]:
        """The verdicts of the parity gate on a variant, each given once. Raises WorkerFailed."""
        small = what.recipe.replace(batch_size=min(GATE_BATCH, what.recipe.batch_size))
        wide = gate.still(small)
        narrow = gate.narrow_job(small, dataset, self.device)
        exams = {f"float64, {what.backend} {what.mode}": narrow}
        if wide != small:
            drawn = jobs.draw(wide, dataset, what.dtype, self.device, self.seed, 1)
            exams[f"{what.dtype}, {what.backend} {what.mode}"] = drawn
        verdicts = []
        for name, job in exams.items():
            key = f"{small.name} in {name}"
            if key not in self.verdicts:
                path = self.folder / f"gate {small.name} {job.dtype}".replace(" ", "-")
                path = path if path.exists() else jobs.save(job, path)
                meant = gate.meant(job, what.backend, what.mode)
                verdict = self.judge.verdict(path, meant, gate.losses(worker, path))
                gate.require([verdict])
                self.verdicts[key] = [verdict]
            verdicts += self.verdicts[key]
        return verdicts


def _dataset(shape: Recipe, seed: int) -> data.Dataset:
    """The toy's points, or pictures that are drawn: nothing has to be installed or downloaded."""
    if len(shape.data_shape) == 1:
        return data.load(shape.data, shape, seed)
    size = max(EXAMPLES, shape.batch_size) if shape.width > 8 else 8 * shape.batch_size
    pixels = np.random.default_rng(seed).integers(0, 256, (size, *shape.data_shape), np.uint8)
    return data.Dataset("drawn", pixels)


def _row(what: Training, job: jobs.Job, device: str, threads: int) -> dict[str, Any]:
    shape = dataclasses.asdict(what) | {"recipe": what.recipe.name}
    width = None if what.recipe.stack == "toy" else what.recipe.width
    return shape | {
        "compile": COMPILE.get(what.mode), "batch_size": what.recipe.batch_size, "width": width,
        "device": device, "threads": threads, "steps_per_call": job.steps_per_call,
        "run_steps": job.run_steps, "flops_per_example": what.recipe.flops_per_example,
        "rounds": [],
    }  # fmt: skip
