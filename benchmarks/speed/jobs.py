"""A job: what every variant computes, drawn once and given to all of them as files."""

from __future__ import annotations

import dataclasses
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
    from the initial weights. `data` are what the training loop has the device hold, and `rows` each
    call's X as rows of it; None and nothing on a processor.
    """

    recipe: Recipe
    dtype: str
    device: str
    seed: int
    run_steps: int
    calls: tuple[Batch, ...]
    data: np.ndarray | None = None
    rows: tuple[np.ndarray, ...] = ()

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
    held: bool | None = None,
) -> Job:
    """The job of a recipe on its data: a pool of calls as the training loop makes them, or a
    single call with exactly `steps` steps. `held`: the data go with it, as they do where the loop
    holds them; by default on a GPU."""
    source = Source(recipe, dataset, seed, dtype)
    held = device != "cpu" if held is None else held
    run_steps = recipe.epochs_on(dataset.name) * source.steps_per_epoch
    if steps:  # each by itself: together they might cross the end of an epoch
        parts = [[range(i, i + 1) for i in range(steps)]]
    else:
        ranges = list(plan(source, 0, POOL_CALLS * source.steps_per_epoch, None))
        whole = [[r] for r in ranges if len(r) == len(ranges[0])]
        fit = POOL_BYTES // (source.bytes_per_step * len(ranges[0]))
        parts = whole[: min(POOL_CALLS, max(2, fit))]
    calls = tuple(_join([source.draw(r) for r in part]) for part in parts)
    job = Job(recipe, dtype, device, seed, run_steps, calls)
    if not held:
        return job
    source.held = True  # draws rows from now on
    rows = tuple(np.concatenate([source.real(r) for r in part]) for part in parts)
    return dataclasses.replace(job, data=np.asarray(dataset.array), rows=rows)


def save(job: Job, path: Path) -> Path:
    """Write a job into the folder `path`, which is made; `path`."""
    path.mkdir(parents=True)
    about = dict(vars(job)) | {"recipe": to_dict(job.recipe), "calls": len(job.calls)}
    about |= {"data": job.data is not None, "rows": ()}
    if job.data is not None:
        np.save(path / "data.npy", job.data)
    write_atomically(path / "job.json", strict_json.dumps(about).encode())
    for i, call in enumerate(job.calls):
        arrays = {"X": call.X, "Z": call.Z} | {f"mask:{n}": m for n, m in call.masks.items()}
        if call.Z_G is not None:
            arrays["Z_G"] = call.Z_G
        if job.rows:
            arrays["rows"] = job.rows[i]
        np.savez(path / f"{i}.npz", **arrays)
    return path


def load(path: Path) -> Job:
    """What `save` wrote."""
    about = json.loads((path / "job.json").read_text())
    about["data"] = np.load(path / "data.npy") if about["data"] else None
    calls, rows = [], []
    for i in range(about.pop("calls")):
        with np.load(path / f"{i}.npz") as file:
            masks = {n.removeprefix("mask:"): file[n] for n in file.files if n.startswith("mask:")}
            Z_G = file["Z_G"] if "Z_G" in file.files else None
            calls.append(Batch(file["X"], file["Z"], Z_G, masks))
            rows += [file["rows"]] if about["data"] is not None else []
    about |= {"recipe": from_dict(about["recipe"]), "rows": tuple(rows)}
    return Job(**about, calls=tuple(calls))


def _join(batches: list[Batch]) -> Batch:
    masks = {n: np.concatenate([b.masks[n] for b in batches]) for n in batches[0].masks}
    Z_G = [b.Z_G for b in batches if b.Z_G is not None]
    X, Z = (np.concatenate([getattr(b, name) for b in batches]) for name in "XZ")
    return Batch(X, Z, np.concatenate(Z_G) if Z_G else None, masks)
