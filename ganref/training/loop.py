"""The only training loop."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

from ..backend import GAN
from ..data import Dataset
from ..draws.batches import Source, ahead, plan
from .logger import Logger, Options, per_example
from .run import Config, RunDirectory


class Interrupted(Exception):
    """SIGINT or SIGTERM came; the step was finished and saved."""

    def __init__(self, signum: int, step: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name} after step {step:,}")
        self.exit_code = 128 + signum


def train(
    config: Config,
    gan: GAN,
    dataset: Dataset,
    run: RunDirectory,
    options: Options,
    start: int = 0,
) -> dict[str, Any]:
    """Train from step `start` to `config.steps` and keep the run directory; the last epoch's row.

    Raises Diverged, Interrupted, or UserError (a disk that refuses)."""
    from tqdm import tqdm

    # A GPU gathers its batches itself, if the data fit.
    held = config.device != "cpu" and gan.hold(dataset.array)
    source = Source(config.recipe, dataset, config.seed, config.dtype, held)
    logger = Logger(config, gan, dataset, run, options, source)
    bar = tqdm(
        total=config.steps,
        initial=start,
        unit="step",
        disable=not options.progress,
        dynamic_ncols=True,
        mininterval=0.2,
        desc=config.recipe.name,
    )
    with bar, _Signals() as signals:
        stops = plan(source, start, config.steps, options.checkpoint_every)
        for steps, batch in ahead(source, stops):
            trace = gan.train_trace(batch.X, batch.Z, Z_G=batch.Z_G, masks=batch.masks)
            bar.update(len(steps))
            for alarm in logger.record(steps, trace):
                tqdm.write(f"{config.recipe.name}: warning: {alarm.words}", file=sys.stderr)
            losses = (f"{v:.3f}" for v in per_example(config.recipe, trace)[:2])
            speed = bar.format_dict["rate"] or 0.0
            bar.set_postfix_str(
                "loss_D {}, loss_G {}, {:,.0f} examples/s".format(
                    *losses, speed * config.recipe.batch_size
                ),
                refresh=False,
            )
            if signals.received and steps.stop < config.steps:
                logger.checkpoint(steps.stop)
                raise Interrupted(signals.received, steps.stop)
    return logger.finish()


class _Signals:
    """SIGINT and SIGTERM noted instead of obeyed, so that a step is never cut in two. A second
    signal of the same kind acts at once."""

    def __enter__(self) -> _Signals:
        self.received = 0
        self._before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: Any) -> None:
        self.received = number
        signal.signal(number, self._before[number])
