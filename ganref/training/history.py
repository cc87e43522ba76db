"""What a run has computed so far: its trace step by step, and a row of means for each epoch."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ..output import strict_json
from ..spec.schema import Recipe
from ..spec.steps import Trace
from .log import Log
from .run import RunDirectory


class Diverged(Exception):
    """A loss is no longer finite."""

    exit_code = 3

    def __init__(self, step: int, loss: str, value: float) -> None:
        super().__init__(f"{loss} became {value} at step {step:,}")
        self.step = step


def per_example(recipe: Recipe, trace: Trace) -> list[float]:
    """The means over steps, with a loss that is a sum divided by the examples it sums over."""
    means = [float(np.mean(values)) for values in trace]
    losses = [recipe.loss.per_example(mean, recipe.batch_size) for mean in means[:2]]
    return losses + means[2:]


class History:
    """The steps of a run in its `steps.csv`, its epochs in `metrics.jsonl`, and both here."""

    def __init__(self, recipe: Recipe, run: RunDirectory, steps_per_epoch: int) -> None:
        self.recipe, self.run, self.steps_per_epoch = recipe, run, steps_per_epoch
        self.epochs = run.read_metrics()
        self._traces = [run.read_steps()]
        self._seconds_before = self.epochs[-1].get("seconds", 0.0) if self.epochs else 0.0
        self._started = self._epoch_started = time.perf_counter()
        self._epoch_steps = 0

    @property
    def trace(self) -> Trace:
        """All steps so far."""
        if len(self._traces) > 1:
            self._traces = [Trace(*map(np.concatenate, zip(*self._traces, strict=True)))]
        return self._traces[0]

    def log(self) -> Log:
        """All so far, as a checkpoint keeps it."""
        trace = Trace(*(np.asarray(column, np.float64) for column in self.trace))
        return Log(trace, tuple(strict_json.dumps(row) for row in self.epochs))

    def add(self, steps: range, trace: Trace) -> Trace:
        """Log these steps; their numbers as lists. Raises Diverged, with all that was finite
        logged, and UserError if the disk refuses."""
        bad = [(int(np.argmin(np.isfinite(v))), n, v) for n, v in
               zip(Trace._fields[:2], trace, strict=False) if not np.isfinite(v).all()]  # fmt: skip
        if bad:
            i, name, values = min(bad, key=lambda b: b[0])
            whole = Trace(*(v[: i + 1] for v in trace))
            self.run.append_steps(steps.start + 1, whole)
            raise Diverged(steps.start + i + 1, name, float(values[i]))
        numbers: Any = Trace(*(v.tolist() for v in trace))
        self.run.append_steps(steps.start + 1, numbers)
        self._traces.append(trace)
        self._epoch_steps += len(steps)
        self.latest = per_example(self.recipe, trace)
        return numbers

    def epoch(self, step: int) -> int:
        """Which epoch, from 1, that step belongs to."""
        return -(-step // self.steps_per_epoch)

    def end_epoch(self, step: int, more: dict[str, Any]) -> None:
        """Log the row of the epoch that ends (or is cut off) after that step, with what `more`
        there is to say of it. Raises UserError if the disk refuses."""
        now, epoch = time.perf_counter(), self.epoch(step)
        done = step - (epoch - 1) * self.steps_per_epoch
        means = per_example(self.recipe, Trace(*(v[-done:] for v in self.trace)))
        examples = self._epoch_steps * self.recipe.examples_per_step
        row = {
            "epoch": epoch,
            "step": step,
            **dict(zip(Trace._fields, means, strict=True)),
            "examples_per_sec": examples / max(now - self._epoch_started, 1e-9),
            "seconds": self._seconds_before + now - self._started,
            **more,
        }
        self.run.append_metrics(row)
        self.epochs.append(row)

    def line(self, last: int) -> str:
        """The latest epoch in words, of a run of so many steps."""
        row = self.epochs[-1]
        numbers = ", ".join(f"{name} {row[name]:.3f}" for name in ("loss_D", "loss_G"))
        return (
            f"{self.recipe.name}: epoch {row['epoch']} of {self.epoch(last)}, step"
            f" {row['step']:,}: {numbers}, {row['examples_per_sec']:,.0f} examples/s"
        )

    def begin_epoch(self) -> None:
        """What comes from now on is the next epoch's time."""
        self._epoch_started, self._epoch_steps = time.perf_counter(), 0
