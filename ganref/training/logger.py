"""What a run leaves behind: rows, pictures, checkpoints, warnings."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..backend import GAN
from ..data import Dataset
from ..draws import rng
from ..draws.batches import Source
from ..metrics.report import cheap_metrics
from ..output import plots
from ..spec.schema import Recipe
from ..spec.steps import Trace
from .checkpoint import Checkpoint, save_latest
from .detectors import Alarm, Watch
from .run import Config, RunDirectory

PICTURE_SECONDS = 10.0  # how often a running picture is worth half a second


class Diverged(Exception):
    """A loss is no longer finite."""

    def __init__(self, step: int, loss: str, value: float) -> None:
        super().__init__(f"{loss} became {value} at step {step:,}")
        self.step = step


@dataclass(frozen=True)
class Options:
    """How a run is accompanied; nothing here changes what it computes."""

    checkpoint_every: int | None = None  # steps; None is at an epoch's end, twice a minute at most
    keep: int = 2
    progress: bool = True
    tensorboard: bool = False
    gif: bool = False
    evaluate_every: int | None = None  # epochs between two rows with metrics
    versions: dict[str, str] = field(default_factory=dict)


def per_example(recipe: Recipe, trace: Trace) -> list[float]:
    """The means over steps, with a loss that is a sum divided by the examples it sums over."""
    means = [float(np.mean(values)) for values in trace]
    losses = [recipe.loss.per_example(mean, recipe.batch_size) for mean in means[:2]]
    return losses + means[2:]


class Logger:
    """Everything that a run leaves behind."""

    def __init__(
        self,
        config: Config,
        gan: GAN,
        dataset: Dataset,
        run: RunDirectory,
        options: Options,
        source: Source,
    ) -> None:
        self.config, self.gan, self.dataset = config, gan, dataset
        self.run, self.options, self.source = run, options, source
        past = run.read_metrics()
        self.row: dict[str, Any] = past[-1] if past else {}
        self.seconds_before = self.row.get("seconds", 0.0)
        _, logged = run.read_steps()
        self.traces = [logged]
        self.started = self.epoch_started = time.perf_counter()
        self.saved_at = self.drawn_at = self.started
        self.epoch_steps = 0
        shown = 64 if len(config.recipe.data_shape) == 3 else 200
        pictures = rng.Stream(config.seed, rng.PICTURES)
        self.noise = rng.latent(config.recipe, pictures, range(1), (shown,))[0]
        self.board = plots.board(run.path) if options.tensorboard else None
        rows = rng.permutation(rng.Stream(config.seed, rng.EVALUATION), 0, len(dataset))
        self.watch = Watch(config.recipe, dataset.batch(rows[:48]))
        self.watch.replay(logged, past)
        self.metrics: dict[str, list[tuple[int, float]]] = {}
        for row in past:
            self._note_metrics(row["step"], row.get("metrics", {}))

    def record(self, steps: range, trace: Trace) -> list[Alarm]:
        """Log these steps, and do what is due after them; what the detectors have noticed."""
        bad = [(int(np.argmin(np.isfinite(v))), n, v) for n, v in
               zip(Trace._fields[:2], trace, strict=False) if not np.isfinite(v).all()]  # fmt: skip
        if bad:
            i, name, values = min(bad, key=lambda b: b[0])
            whole = Trace(*(v[: i + 1] for v in trace))
            self.run.append_steps(steps.start + 1, whole)
            raise Diverged(steps.start + i + 1, name, float(values[i]))
        numbers: Any = Trace(*(v.tolist() for v in trace))
        self.run.append_steps(steps.start + 1, numbers)
        self.traces.append(trace)
        self.epoch_steps += len(steps)
        every, per_epoch = self.options.checkpoint_every, self.source.steps_per_epoch
        last = steps.stop == self.config.steps
        alarms = self.watch.observe(steps.start + 1, numbers)
        if steps.stop % per_epoch == 0 or last:
            alarms += self._epoch(steps.stop)
        overdue = time.perf_counter() - self.saved_at > 30 and steps.stop % per_epoch == 0
        if last or (steps.stop % every == 0 if every else overdue):
            self.checkpoint(steps.stop)
        return alarms

    def checkpoint(self, step: int) -> None:
        """Save the state, whole or not at all."""
        config = self.config
        checkpoint = Checkpoint(
            config.recipe, self.gan.state(), config.seed, step, config.data, config.dtype,
            config.backend, self.options.versions,
        )  # fmt: skip
        save_latest(self.run.checkpoints, checkpoint, self.options.keep)
        self.saved_at = time.perf_counter()

    def finish(self) -> dict[str, Any]:
        """The last pictures; the last epoch's row."""
        self._draw()
        if self.options.gif:
            plots.animate(self.run.samples, self.run.path / "samples.gif", self._points())
        if self.board:
            self.board.close()
        return self.row

    def _epoch(self, step: int) -> list[Alarm]:
        now = time.perf_counter()
        per_epoch = self.source.steps_per_epoch
        epoch = -(-step // per_epoch)
        trace = self._trace()
        done = step - (epoch - 1) * per_epoch
        means = per_example(self.config.recipe, Trace(*(v[-done:] for v in trace)))
        examples = self.epoch_steps * self.config.recipe.batch_size
        names = ("loss_D", "loss_G", "D_x", "D_G_z", "D_G_z_after")
        self.row = {
            "epoch": epoch,
            "step": step,
            **dict(zip(names, means, strict=True)),
            "examples_per_sec": examples / max(now - self.epoch_started, 1e-9),
            "seconds": self.seconds_before + now - self.started,
        }
        samples = self.gan.generate(self.noise)
        alarms = self.watch.inspect(step, samples)
        self.row |= self.watch.fields()
        every = self.options.evaluate_every
        if every and (epoch % every == 0 or step == self.config.steps):
            self.row["metrics"] = self._evaluate()
            self._note_metrics(step, self.row["metrics"])
        self.run.append_metrics(self.row)
        plots.save_samples(self.run.samples / f"epoch_{epoch:04d}", samples)
        if self.board:
            plots.log_to_board(self.board, self.row, samples)
        self.epoch_started, self.epoch_steps = time.perf_counter(), 0
        if now - self.drawn_at > PICTURE_SECONDS:
            self._draw(samples)
            self.drawn_at = time.perf_counter()
        return alarms

    def _evaluate(self) -> dict[str, float]:
        """The cheap metrics of 1,000 samples from fixed noise."""
        pictures = rng.Stream(self.config.seed, rng.PICTURES)
        batches = rng.latent(self.config.recipe, pictures, range(1, 5), (250,))
        samples = np.concatenate([self.gan.generate(Z) for Z in batches])
        return cheap_metrics(self.config.recipe, self.dataset, samples, self.config.seed)

    def _note_metrics(self, step: int, found: dict[str, float | None]) -> None:
        for name, value in found.items():
            if value is not None:  # a row read back: it was not finite
                self.metrics.setdefault(name, []).append((step, value))

    def _draw(self, samples: np.ndarray | None = None) -> None:
        if samples is None:
            samples = self.gan.generate(self.noise)
        path, recipe = self.run.path / "progress.png", self.config.recipe
        plots.progress(path, recipe, self._trace(), samples, self._points(), self.metrics)

    def _trace(self) -> Trace:
        self.traces = [Trace(*map(np.concatenate, zip(*self.traces, strict=True)))]
        return self.traces[0]

    def _points(self) -> np.ndarray | None:
        """Real points to show beside generated ones; images speak for themselves."""
        few = np.arange(min(len(self.dataset), 1000))
        return self.dataset.batch(few) if self.config.recipe.data_shape == (2,) else None
