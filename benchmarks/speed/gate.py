"""The parity gate: what does not compute the recipe is not timed.

Two examinations, both against NumPy in float64 on the same draws and initial weights:

- in float64 on narrow networks, several free-running steps (moments, statistics, every update);
- in the precision, at the width and (where NumPy can be asked) the batch that are timed: one step,
  its losses, the gradients that Adam was given (its first moments) and the running statistics.

Adam's first steps divide small gradients by themselves, and so move a weight by ± the learning rate
for a rounding error's sign: what comes after an update, no precision but float64 can promise. So
the step in the timed precision is made at a learning rate that moves nothing, and of the call that
precedes the timing only the loss before the first update is judged. NumPy's own distance from
float64, times `LENIENCE`, is always allowed. The toy is small enough to be judged as it is.

A page passes the same gate as the backends. In float64 it is held to the slope that its framework's
leaky ReLU has: a float32 in Keras.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganref.data import Dataset
from ganref.parity.differences import differences
from ganref.parity.lockstep import kind_of
from ganref.parity.tolerances import promise
from ganref.parity.workers import WorkerFailed
from ganref.spec import Network, Recipe
from ganref.spec.layers import BatchNorm

from ..pages.drivers import DRIVERS
from ..workers import Worker
from . import jobs
from .measure import PAGES

Losses = dict[str, Any]  # {"loss_D": [...], "loss_G": [...], "state": {...}}, a number per step
LOSSES = ("loss_D", "loss_G")

NARROW_WIDTH, NARROW_BATCH, NARROW_STEPS = 8, 8, 6
ORACLE_FLOPS = 2e11  # what NumPy is asked for at once: some twenty seconds, twice
LENIENCE = 10.0
STILL_LR = 1e-12  # what a float32 of any weight's size does not notice
# Of a tensor's largest number after one step in float32. An activation at a kink falls on either
# side of it, which alone moves gradients by 8e-3 in dcgan32 (measured at batch 64, in NumPy too).
# A mean over a batch of what cancels is 3e-5 from float64 in PyTorch's DCGAN.
STATE = {"moments": 5e-2, "statistics": 2e-4}
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


def still(recipe: Recipe) -> Recipe:
    """The recipe at a learning rate that moves nothing. The toy's promises are for the rate it
    has."""
    if recipe.stack == "toy":
        return recipe
    adams = {
        name: dataclasses.replace(getattr(recipe, name), lr=STILL_LR)
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


def apart(recipe: Recipe, found: Losses, expected: Losses) -> dict[str, float]:
    """How far apart two states are, each tensor relative to its largest number: Adam's first
    "moments", which are gradients, and running "statistics"."""
    worst = {"moments": 0.0, "statistics": 0.0}
    lost = {f"{name}.m" for network in recipe.networks for name in _normalised_away(network)}
    for kind in worst:
        ours, theirs = (
            {n: a for n, a in part["state"].items() if kind_of(n) == kind and n not in lost}
            for part in (found, expected)
        )
        worst[kind] = max(differences(ours, theirs).values(), default=0.0)
    return worst


def _normalised_away(network: Network) -> list[str]:
    """The biases before a batch normalisation: their gradients are nothing but rounding."""
    followed = zip(network.layers, network.layers[1:], strict=False)
    return [
        f"{network.name}.{i}.bias"
        for i, (_, after) in enumerate(followed)
        if isinstance(after, BatchNorm)
    ]


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
    steps = 1 if first_loss else min(kept, len(exact["loss_D"]), len(found["loss_D"]))
    if rounded is not None:
        tolerance = max(tolerance, LENIENCE * difference(rounded, exact, steps, names))
    worst = difference(found, exact, steps, names)
    verdict = {"passed": worst <= tolerance, "difference": worst, "tolerance": tolerance,
               "steps": steps, "dtype": job.dtype, "width": job.recipe.width,
               "batch_size": job.recipe.batch_size}  # fmt: skip
    if first_loss or job.dtype in MIXED or "state" not in found:
        return verdict
    state = apart(job.recipe, found, exact)
    promised = promise(job.recipe, job.dtype)
    allowed = {kind: getattr(promised, kind) or 0.0 for kind in state}
    if rounded is not None:
        own = apart(job.recipe, rounded, exact)
        allowed = {kind: max(STATE[kind], LENIENCE * own[kind]) for kind in state}
    wrong = [kind for kind, value in state.items() if not value <= allowed[kind]]
    verdict |= {kind: [state[kind], allowed[kind]] for kind in state}
    return verdict | {"passed": verdict["passed"] and not wrong}


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
        wide = still(recipe.replace(batch_size=oracle_batch(recipe)))
        if wide != recipe:
            exams.append(jobs.draw(wide, dataset, dtype, device, self.seed, 1))
        keys = [(backend, mode, _name(job)) for job in exams]
        with contextlib.ExitStack() as until_the_end:
            worker: Worker | None = None
            for key, job in zip(keys, exams, strict=True):
                if key in self._verdicts:
                    continue
                if worker is None:  # one process for both: imports take as long as the exams
                    worker = Worker(backend, mode, self.threads)
                    until_the_end.callback(worker.close)
                path = self.folder / _name(job)
                path = path if path.exists() else jobs.save(job, path)
                found = losses(worker, path)
                self._verdicts[key] = self.verdict(path, meant(job, backend, mode), found)
        return [self._verdicts[key] for key in keys]

    def verdict(
        self, path: Path, job: jobs.Job, found: Losses, first_loss: bool = False
    ) -> dict[str, Any]:
        """What NumPy says about losses found for the job whose draws are saved at `path`. Raises
        WorkerFailed."""
        key = path, job.recipe
        if key not in self._oracle:
            kinds = ["float64", "float32"] if job.dtype == "float32" else ["float64"]
            with contextlib.closing(Worker("numpy", "off", self.threads)) as worker:
                self._oracle[key] = [
                    losses(worker, self._on_numpy(path, job, kind)) for kind in kinds
                ]
        exact, rounded = [*self._oracle[key], None][:2]
        assert exact is not None
        return judge(job, found, exact, rounded, first_loss)

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


def _name(job: jobs.Job) -> str:
    size = f"{job.recipe.name}-{job.recipe.width}-{job.recipe.batch_size}"
    return f"{size}-{job.dtype}-{job.recipe.adam_D.lr}-{job.steps_per_call}"


def losses(worker: Worker, path: Path) -> Losses:
    """What a process makes of the first call of the job at `path`, with the state that it leaves.
    Raises WorkerFailed."""
    found: Losses = worker.ask("losses", job=str(path))
    if file := found.pop("file", None):
        with np.load(file) as state:
            found["state"] = dict(state)
        Path(file).unlink()
    return found


def require(verdicts: list[dict[str, Any]]) -> None:
    """Raises WorkerFailed, with the numbers, unless all verdicts are good."""
    for v in verdicts:
        if not v["passed"]:
            what = f"losses differ by {v['difference']:.1e} > {v['tolerance']:.0e}"
            for kind in ("statistics", "moments"):
                if kind in v and not v[kind][0] <= v[kind][1]:
                    what = "{} differ by {:.1e} > {:.0e}".format(kind, *v[kind])
            raise WorkerFailed(
                f"fails the parity gate: {what} within {v['steps']} steps in {v['dtype']} "
                f"(width {v['width']}, batch {v['batch_size']})"
            )
