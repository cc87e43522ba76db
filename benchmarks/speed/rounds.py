"""All variants of one recipe, batch size and width: built one by one, then timed in turn."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ganref import data
from ganref.parity.workers import WorkerFailed
from ganref.spec import Recipe, UserError

from .. import command
from ..pages import training
from ..workers import Worker
from . import gate, jobs
from .measure import COMPILE, PAGES

Rates = dict[str, dict[str, list[float]]]  # FLOP/s by precision and backend
SETTLE = 0.3  # seconds before a turn: threads of the one before still spin for a while


@dataclass(frozen=True)
class Settings:
    """How everything is measured, the same for all variants."""

    device: str
    dtype: str
    threads: int
    repeats: int
    seconds: float
    seed: int
    input: bool


def measure(
    shape: Recipe,
    asked: list[tuple[str, str]],
    how: Settings,
    judge: gate.Gate,
    rates: Rates,
) -> list[dict[str, Any]]:
    """The rows of one recipe at one batch size and width. `rates` collects the matrix products, by
    precision and backend."""
    dataset = data.load(shape.data, shape, how.seed)
    job = jobs.draw(shape, dataset, how.dtype, how.device, how.seed)
    paths = {
        kind: jobs.save(
            dataclasses.replace(job, dtype=kind),
            judge.folder / f"timed-{shape.name}-{shape.width}-{shape.batch_size}-{kind}",
        )
        for kind in {_dtype(how, mode) for _, mode in asked}
    }
    workers: dict[int, Worker] = {}
    probes: dict[str, Worker] = {}
    rows = [_row(job, how, *variant) for variant in asked]
    try:
        for i, row in enumerate(rows):
            command.say(f"{_name(row)}: parity gate")
            with _reported(row):
                _require_page(row, shape)
                args = row["backend"], row["mode"]
                row["gate"] = judge.examine(*args, shape, dataset, row["dtype"], how.device)
                gate.require(row["gate"])
                command.say(f"{_name(row)}: start-up, first call, warm-up")
                workers[i] = Worker(*args, how.threads)
                own = dataclasses.replace(job, dtype=row["dtype"])
                _build(row, workers[i], paths[row["dtype"]], own, judge)
                row["warmup"] = workers[i].ask("turn", seconds=how.seconds)
            if "why" in row and i in workers:
                workers.pop(i).close()
        for name in dict.fromkeys(row["backend"] for row in rows):
            with contextlib.suppress(WorkerFailed):
                probe = Worker(name, "off", how.threads)
                probes[name] = probe
                # NumPy's product would be a processor's, and of a size that is a GPU's.
                if how.device not in probe.hello["devices"]:
                    probes.pop(name).close()
        _rounds(rows, workers, probes, how, rates)
        for i, worker in workers.items():
            if "why" not in rows[i]:
                _afterwards(rows[i], worker, how)
    finally:
        for worker in (*workers.values(), *probes.values()):
            worker.close()
    return rows


def _rounds(
    rows: list[dict[str, Any]],
    workers: dict[int, Worker],
    probes: dict[str, Worker],
    how: Settings,
    rates: Rates,
) -> None:
    """Every variant has one turn in every round, each round beginning with another one."""
    alive = [i for i in workers if "why" not in rows[i]]
    kinds = list(dict.fromkeys(rows[i]["dtype"] for i in alive))
    command.say(f"steady state: {how.repeats} rounds of {len(alive)} variants")
    with tqdm(total=how.repeats * len(alive), unit="turn", disable=None) as bar:
        for turn in range(how.repeats):
            first = turn % max(1, len(alive))
            for i in alive[first:] + alive[:first]:
                bar.set_description(_name(rows[i]))
                time.sleep(SETTLE)
                load = os.getloadavg()[0]
                with _reported(rows[i]):
                    answer = workers[i].ask("turn", seconds=how.seconds)
                    rows[i]["rounds"].append(answer | {"load": load})
                bar.update()
            alive = [i for i in alive if "why" not in rows[i]]
            for dtype, (name, probe) in itertools.product(kinds, probes.items()):
                time.sleep(SETTLE)
                with contextlib.suppress(WorkerFailed):  # it may not have that precision
                    what = {"dtype": dtype, "device": how.device, "seconds": how.seconds / 4}
                    found = rates.setdefault(dtype, {}).setdefault(name, [])
                    found.append(probe.ask("matmul", **what)["flops_per_s"])


def _build(
    row: dict[str, Any], worker: Worker, path: Path, job: jobs.Job, judge: gate.Gate
) -> None:
    """Build and call for the first time, and judge that call too where NumPy can be asked."""
    row["version"], row["startup_s"] = worker.hello["version"], worker.startup_s
    answer = worker.ask("build", job=str(path))
    row |= {name: answer[name] for name in ("create_s", "first_call_s")}
    if gate.oracle_batch(job.recipe) == job.recipe.batch_size:
        jumps = gate.still(job.recipe) != job.recipe
        job = gate.meant(job, row["backend"], row["mode"])
        row["gate"].append(judge.verdict(path, job, answer, jumps))
        gate.require(row["gate"])


def _afterwards(row: dict[str, Any], worker: Worker, how: Settings) -> None:
    """What would disturb the timing: memory, and then the training loop's own input."""
    with _reported(row):
        row |= worker.ask("memory")
    if how.input and row["mode"] not in PAGES and "why" not in row:
        try:
            found = worker.ask("waiting", seconds=3 * how.seconds)
        except WorkerFailed as failure:
            command.say(f"{_name(row)}: its input could not be timed: {failure}")
        else:
            row["input"] = found
            row["input_share"] = found["waiting_s"] / (found["waiting_s"] + found["training_s"])


def _row(job: jobs.Job, how: Settings, backend: str, mode: str) -> dict[str, Any]:
    shape = job.recipe
    return {
        "recipe": shape.name, "backend": backend, "mode": mode, "compile": COMPILE.get(mode),
        "batch_size": shape.batch_size, "width": None if shape.stack == "toy" else shape.width,
        "dtype": _dtype(how, mode),
        "device": how.device, "threads": how.threads, "steps_per_call": job.steps_per_call,
        "run_steps": job.run_steps, "flops_per_example": shape.flops_per_example, "rounds": [],
    }  # fmt: skip


def _dtype(how: Settings, mode: str) -> str:
    return "bfloat16" if mode == "bfloat16" else how.dtype


def _require_page(row: dict[str, Any], shape: Recipe) -> None:
    if row["mode"] in PAGES:
        try:
            training.check(shape, row["backend"])
        except UserError as error:
            raise WorkerFailed(str(error)) from None


@contextlib.contextmanager
def _reported(row: dict[str, Any]) -> Iterator[None]:
    """A variant that fails says why in its row; the others go on."""
    try:
        yield
    except WorkerFailed as failure:
        row["why"] = str(failure)
        row["rounds"] = []
        command.say(f"{_name(row)}: {failure}")


def _name(row: dict[str, Any]) -> str:
    size = f"batch {row['batch_size']}" + (f", width {row['width']}" if row["width"] else "")
    return f"{row['recipe']} ({size}) on {row['backend']}, {row['mode']}"
