"""The parity gate: what does not compute the recipe is not timed.

Two examinations, both against NumPy in float64 on the same draws and initial weights:

- in float64 on narrow networks, several free-running steps (moments, statistics, every update);
- in the precision, at the width and (where NumPy can be asked) the batch that are timed: the
  losses of the very call that precedes the timing, for as long as that precision is honest.

How far rounding may go depends on the draws: Adam's first steps divide small gradients by
themselves, and so move a weight by ± the learning rate for a rounding error's sign. So in float32
NumPy's own distance from float64, times `LENIENCE`, is allowed too; and where the learning rate is
large, the step in the timed precision and width is examined at a gentle one. Of the call that
precedes the timing only the loss before the first update is judged then.

A page passes the same gate as the backends. In float64 it is held to the slope that its framework's
leaky ReLU has: a float32 in Keras.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganref.data import Dataset
from ganref.parity.tolerances import promise
from ganref.parity.workers import WorkerFailed
from ganref.spec import Recipe

from ..pages.drivers import DRIVERS
from ..workers import Worker
from . import jobs
from .measure import PAGES

Losses = dict[str, Any]  # {"loss_D": [...], "loss_G": [...]}, one number per step
LOSSES = ("loss_D", "loss_G")

NARROW_WIDTH, NARROW_BATCH, NARROW_STEPS = 8, 8, 6
ORACLE_FLOPS = 2e11  # what NumPy is asked for at once: some twenty seconds, twice
LENIENCE = 10.0
GENTLE_ABOVE, GENTLE_LR = 1e-3, 2e-4
# What float32 can promise of DCGAN's first step at 2e-4 whatever the width: D's first update takes
# the signs of 1 gradient in 10,000 from rounding (measured: 6e-6 to 6e-5 in all frameworks).
UPDATED_FLOAT32 = 1e-4
# Mixed precision keeps 8 or 11 bits, and Adam's first step is the gradient's sign: no finer promise
# is honest.
MIXED = {"bfloat16": (1, 0.1), "tf32": (1, 0.02)}


def narrow_job(recipe: Recipe, dataset: Dataset, device: str, seed: int = 0) -> jobs.Job:
    """The first examination: the recipe's own numbers, fewer channels, a small batch, float64."""
    small = recipe
    if recipe.stack != "toy":
        width, batch = min(recipe.width, NARROW_WIDTH), min(recipe.batch_size, NARROW_BATCH)
        small = recipe.replace(width=width, batch_size=batch)
    steps, _ = limits(small, "float64")
    steps = steps if recipe.stack == "toy" else min(steps, NARROW_STEPS)
    return jobs.draw(small, dataset, "float64", device, seed, steps)


def gentle(recipe: Recipe) -> Recipe:
    """The recipe at a learning rate that does not amplify rounding. The toy's promises are for the
    rate it has."""
    if recipe.stack == "toy" or max(recipe.adam_D.lr, recipe.adam_G.lr) <= GENTLE_ABOVE:
        return recipe
    adams = {
        name: dataclasses.replace(getattr(recipe, name), lr=GENTLE_LR)
        for name in ("adam_D", "adam_G")
    }
    return recipe.replace(**adams)


def oracle_batch(recipe: Recipe) -> int:
    """The largest batch, the timed one or that halved again and again, that NumPy is asked for."""
    batch = recipe.batch_size
    while batch > 2 and recipe.flops_per_example * batch > ORACLE_FLOPS:
        batch //= 2
    return batch


def limits(recipe: Recipe, dtype: str) -> tuple[int, float]:
    """(steps, tolerance): for how many steps the losses are judged, and how closely."""
    if dtype in MIXED:
        return MIXED[dtype]
    kept = promise(recipe, dtype)
    return kept.steps, kept.losses


def meant(job: jobs.Job, backend: str, mode: str) -> jobs.Job:
    """The job as a variant understands it, which shows in float64 alone."""
    if mode not in PAGES or job.dtype != "float64":
        return job
    slope = DRIVERS[backend].slope
    return dataclasses.replace(job, recipe=job.recipe.replace(leaky_slope=slope))


def difference(found: Losses, expected: Losses, steps: int, names: Sequence[str] = LOSSES) -> float:
    """The largest relative difference of these losses within the first `steps` steps."""
    worst = 0.0
    for name in names:
        a, b = (np.asarray(losses[name], float)[:steps] for losses in (found, expected))
        error = np.abs(a - b) / np.maximum(np.abs(b), np.finfo(float).tiny)
        worst = max(worst, float(np.where(np.isfinite(error), error, np.inf).max()))
    return worst


def judge(
    job: jobs.Job,
    found: Losses,
    exact: Losses,
    rounded: Losses | None = None,
    first_loss: bool = False,
) -> dict[str, Any]:
    """The verdict on the losses of a job's first call, or on the one before the first update
    alone, given NumPy's in float64 and, where that is the job's precision, in float32:
    {passed, difference, tolerance, steps, ...}."""
    names = LOSSES[:1] if first_loss else LOSSES
    kept, tolerance = limits(job.recipe, job.dtype)
    if job.recipe.convolves and not first_loss and job.dtype == "float32":
        tolerance = max(tolerance, UPDATED_FLOAT32)
    steps = 1 if first_loss else min(kept, len(exact["loss_D"]), len(found["loss_D"]))
    if rounded is not None:
        tolerance = max(tolerance, LENIENCE * difference(rounded, exact, steps, names))
    worst = difference(found, exact, steps, names)
    return {"passed": worst <= tolerance, "difference": worst, "tolerance": tolerance,
            "steps": steps, "dtype": job.dtype, "width": job.recipe.width,
            "batch_size": job.recipe.batch_size}  # fmt: skip


class Gate:
    """Keeps the oracle's answers, and every verdict already given."""

    def __init__(self, folder: Path, threads: int, seed: int) -> None:
        self.folder, self.threads, self.seed = folder, threads, seed
        self._oracle: dict[tuple[Path, Recipe], list[Losses]] = {}
        self._verdicts: dict[tuple[str, str, str], dict[str, Any]] = {}

    def examine(
        self, backend: str, mode: str, recipe: Recipe, dataset: Dataset, dtype: str, device: str
    ) -> list[dict[str, Any]]:
        """The verdicts on a variant before it is built for timing, in a process of its own.

        Raises WorkerFailed if it does not compute, or refuses, what it is asked for."""
        exams = [narrow_job(recipe, dataset, device, self.seed)]
        wide = gentle(recipe.replace(batch_size=oracle_batch(recipe)))
        if wide != recipe:
            exams.append(jobs.draw(wide, dataset, dtype, device, self.seed, 1))
        verdicts = []
        for job in exams:
            size = f"{job.recipe.name}-{job.recipe.width}-{job.recipe.batch_size}"
            name = f"{size}-{job.dtype}-{job.recipe.adam_D.lr}-{job.steps_per_call}"
            key = backend, mode, name
            if key not in self._verdicts:
                path = self.folder / name
                path = path if path.exists() else jobs.save(job, path)
                found = self._losses(backend, mode, path)
                self._verdicts[key] = self.verdict(path, meant(job, backend, mode), found)
            verdicts.append(self._verdicts[key])
        return verdicts

    def verdict(
        self, path: Path, job: jobs.Job, found: Losses, first_loss: bool = False
    ) -> dict[str, Any]:
        """What NumPy says about losses found for the job whose draws are saved at `path`. Raises
        WorkerFailed."""
        key = path, job.recipe
        if key not in self._oracle:
            kinds = ["float64", "float32"] if job.dtype == "float32" else ["float64"]
            self._oracle[key] = [
                self._losses("numpy", "off", self._on_numpy(path, job, kind)) for kind in kinds
            ]
        exact, rounded = [*self._oracle[key], None][:2]
        assert exact is not None
        return judge(job, found, exact, rounded, first_loss)

    def _losses(self, backend: str, mode: str, path: Path) -> Losses:
        worker = Worker(backend, mode, self.threads)
        try:
            return worker.ask("losses", job=str(path))
        finally:
            worker.close()

    def _on_numpy(self, path: Path, job: jobs.Job, dtype: str) -> Path:
        """The same job where NumPy can do it, with only as many steps as are judged."""
        steps, _ = limits(job.recipe, job.dtype)
        call = job.calls[0]
        first = jobs.Batch(
            call.X[:steps],
            call.Z[:steps],
            None if call.Z_G is None else call.Z_G[:steps],
            {name: mask[:steps] for name, mask in call.masks.items()},
        )
        here = jobs.Job(job.recipe, dtype, "cpu", job.seed, job.run_steps, (first,))
        return jobs.save(here, path.with_name(f"{path.name}-oracle-{dtype}-{len(self._oracle)}"))


def require(verdicts: list[dict[str, Any]]) -> None:
    """Raises WorkerFailed, with the numbers, unless all verdicts are good."""
    for v in verdicts:
        if not v["passed"]:
            raise WorkerFailed(
                f"fails the parity gate: losses differ by {v['difference']:.1e} > "
                f"{v['tolerance']:.0e} within {v['steps']} steps in {v['dtype']} "
                f"(width {v['width']}, batch {v['batch_size']})"
            )
