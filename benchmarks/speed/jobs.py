"""A job: what every variant computes, drawn once and given to all of them as files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganref.data import Dataset
from ganref.draws.batches import Batch, Source, plan
from ganref.output import strict_json
from ganref.output.files import write_atomically
from ganref.spec import Recipe
from ganref.spec.serial import from_dict, to_dict

POOL_BYTES, POOL_CALLS = 64 * 2**20, 8  # how much distinct data the timed calls go round in


@dataclass(frozen=True)
class Job:
    """Training of `recipe` from the initial weights of `seed`.

    Each of `calls` holds the draws of as many steps as `ganref.train` hands over at once;
    `run_steps` is the length of the recipe's default run, after which a measurement starts again
    from the initial weights.
    """

    recipe: Recipe
    dtype: str
    device: str
    seed: int
    run_steps: int
    calls: tuple[Batch, ...]

    @property
    def steps_per_call(self) -> int:
        """How many steps one call makes."""
        return len(self.calls[0].X)


def draw(
    recipe: Recipe,
    dataset: Dataset,
    dtype: str,
    device: str,
    seed: int = 0,
    steps: int | None = None,
) -> Job:
    """The job of a recipe on its data: a pool of calls as the training loop makes them, or a
    single call with exactly `steps` steps."""
    source = Source(recipe, dataset, seed, dtype)
    run_steps = recipe.epochs_on(dataset.name) * source.steps_per_epoch
    if steps:
        calls: tuple[Batch, ...] = (_join([source.draw(range(i, i + 1)) for i in range(steps)]),)
    else:
        ranges = list(plan(source, 0, POOL_CALLS * source.steps_per_epoch, None))
        whole = [r for r in ranges if len(r) == len(ranges[0])]
        fit = POOL_BYTES // (source.bytes_per_step * len(ranges[0]))
        calls = tuple(source.draw(r) for r in whole[: min(POOL_CALLS, max(2, fit))])
    return Job(recipe, dtype, device, seed, run_steps, calls)


def save(job: Job, path: Path) -> Path:
    """Write a job into the folder `path`, which is made; `path`."""
    path.mkdir(parents=True)
    about = dict(vars(job)) | {"recipe": to_dict(job.recipe), "calls": len(job.calls)}
    write_atomically(path / "job.json", strict_json.dumps(about).encode())
    for i, call in enumerate(job.calls):
        arrays = {"X": call.X, "Z": call.Z} | {f"mask:{n}": m for n, m in call.masks.items()}
        if call.Z_G is not None:
            arrays["Z_G"] = call.Z_G
        np.savez(path / f"{i}.npz", **arrays)
    return path


def load(path: Path) -> Job:
    """What `save` wrote."""
    about = json.loads((path / "job.json").read_text())
    calls = []
    for i in range(about.pop("calls")):
        with np.load(path / f"{i}.npz") as file:
            masks = {n.removeprefix("mask:"): file[n] for n in file.files if n.startswith("mask:")}
            Z_G = file["Z_G"] if "Z_G" in file.files else None
            calls.append(Batch(file["X"], file["Z"], Z_G, masks))
    return Job(**about | {"recipe": from_dict(about["recipe"])}, calls=tuple(calls))


def _join(batches: list[Batch]) -> Batch:
    masks = {n: np.concatenate([b.masks[n] for b in batches]) for n in batches[0].masks}
    Z_G = [b.Z_G for b in batches if b.Z_G is not None]
    X, Z = (np.concatenate([getattr(b, name) for b in batches]) for name in "XZ")
    return Batch(X, Z, np.concatenate(Z_G) if Z_G else None, masks)
