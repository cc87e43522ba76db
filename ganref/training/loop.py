"""The only training loop: data, draws, steps, history, checkpoint, decoration, in that order."""

from __future__ import annotations

import signal
import sys
import threading
from typing import Any

from ..backend import GAN
from ..data import Dataset
from ..draws.batches import Source, ahead, plan
from ..spec.engines import Peers
from . import shown, together
from .checkpoint import Checkpoints
from .decoration import Decoration
from .detectors import Detectors, examples
from .history import History
from .run import Config, Options, RunDirectory


class Interrupted(Exception):
    """SIGINT, SIGTERM or SIGHUP came; the step was finished and saved."""

    alike = True  # workers stop at the same step

    def __init__(self, signum: int, step: int, run: RunDirectory | None = None) -> None:
        saved = f", which is saved in {run.path}; go on with `{run.resume}`" if run else ""
        super().__init__(f"stopped by {signal.Signals(signum).name} after step {step:,}{saved}")
        self.exit_code = 128 + signum


def train(
    config: Config,
    gan: GAN,
    dataset: Dataset,
    run: RunDirectory,
    options: Options,
    start: int = 0,
    peers: Peers | None = None,
) -> dict[str, Any]:
    """Train from step `start` to `config.steps` and keep the run directory; the last epoch's row.
    With `peers` this is the first of them; the others `follow`.

    Raises Diverged, Interrupted, or UserError (a disk that refuses)."""
    recipe, seed, last = config.recipe, config.seed, config.steps
    per_epoch = recipe.steps_per_epoch(len(dataset))
    history = History(recipe, run, per_epoch)
    detectors = Detectors(recipe, dataset.batch(examples(len(dataset), seed)))
    detectors.replay(history.trace, history.epochs)
    checkpoints = Checkpoints(config, run, options, per_epoch)
    decoration = Decoration(recipe, dataset, run, options, history.epoch(last))
    with _bar(recipe.name, start, last, options) as bar, _Signals(peers) as signals:
        pictured = shown.pictured(recipe, seed)
        # A GPU gathers its batches itself, if the data fit.
        held = gan.device != "cpu" and gan.hold(dataset.array)
        source = _source(config, gan, dataset, held, peers)
        for steps, batch in ahead(source, plan(source, start, last, options.checkpoint_every)):
            step = steps.stop
            if peers:
                together.tell(peers, checkpoints.due(step), signals.received)
            trace = gan.train_trace(batch.X, batch.Z, Z_G=batch.Z_G, masks=batch.masks)
            detected = detectors.observe(steps.start + 1, history.add(steps, trace))
            _show(bar, len(steps), history)
            if ends := step % per_epoch == 0 or step == last:
                samples = gan.generate(pictured)
                detected += detectors.inspect(step, samples)
                more = detectors.fields() | decoration.metrics(gan, seed, history.epoch(step))
                history.end_epoch(step, more)
            # Asked once: what comes after the checkpoint waits for the next one.
            told = together.heard(peers) if peers else (checkpoints.due(step), signals.received)
            due, stopped = told
            if due or stopped:
                state = gan.state()
                if peers:
                    together.check_same(peers, state, step)
                checkpoints.save(step, state, history.log())
            for detection in detected:
                decoration.words(detection.words)
            if ends:
                decoration.epoch(history.epochs, history.trace, samples)
                if options.progress == "lines":
                    print(history.line(last), file=sys.stderr)
                history.begin_epoch()
            if stopped and step < last:
                raise Interrupted(stopped, step, run)
        decoration.finish(history.epochs, history.trace, gan.generate(pictured))
    return history.epochs[-1] if history.epochs else {}


def follow(
    config: Config,
    gan: GAN,
    dataset: Dataset,
    checkpoint_every: int | None,
    start: int,
    peers: Peers,
) -> None:
    """What all but the first worker do: the same steps, and nothing is kept. Raises WorkersDiffer
    or Interrupted when all of them do."""
    held = gan.device != "cpu" and gan.hold(dataset.array)
    source = _source(config, gan, dataset, held, peers)
    with _Signals(peers) as signals:
        for steps, batch in ahead(source, plan(source, start, config.steps, checkpoint_every)):
            together.tell(peers, False, signals.received)
            gan.train_trace(batch.X, batch.Z, Z_G=batch.Z_G, masks=batch.masks)
            due, stopped = together.heard(peers)
            if due or stopped:
                together.check_same(peers, gan.state(), steps.stop)
            if stopped and steps.stop < config.steps:
                raise Interrupted(stopped, steps.stop)


def _source(config: Config, gan: GAN, dataset: Dataset, held: bool, peers: Peers | None) -> Source:
    where = (peers.rank, peers.size) if peers else (0, 1)
    return Source(config.recipe, dataset, config.seed, gan.dtype, held, *where)


def _bar(name: str, start: int, last: int, options: Options) -> Any:
    from tqdm import tqdm

    return tqdm(
        total=last,
        initial=start,
        unit="step",
        disable=options.progress != "bar",
        dynamic_ncols=True,
        mininterval=0.2,
        desc=name,
    )


def _show(bar: Any, steps: int, history: History) -> None:
    bar.update(steps)
    speed = (bar.format_dict["rate"] or 0.0) * history.recipe.examples_per_step
    loss_D, loss_G = history.latest[:2]
    words = f"loss_D {loss_D:.3f}, loss_G {loss_G:.3f}, {speed:,.0f} examples/s"
    bar.set_postfix_str(words, refresh=False)


class _Signals:
    """SIGINT, SIGTERM and SIGHUP (a terminal that is closed) noted instead of obeyed, so that a
    step is never cut in two. A second signal of the same kind acts at once."""

    def __init__(self, peers: Peers | None) -> None:
        self._peers = peers

    def __enter__(self) -> _Signals:
        self.received = 0
        self._before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGHUP"):
                if number := getattr(signal, name, None):  # Windows has no SIGHUP
                    before = signal.getsignal(number)
                    if name != "SIGHUP" or before != signal.SIG_IGN:  # `nohup` asks to live on
                        self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: Any) -> None:
        self.received = number
        if self._peers:  # this call's end tells it
            self._peers.told[1 + self._peers.rank] = number
        signal.signal(number, self._before[number])
