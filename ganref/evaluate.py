"""python -m ganref.evaluate RUN_OR_CHECKPOINT: how good the samples are, as a table and as JSON.

The samples come from the run's own noise, so that the numbers are the same on every backend.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from . import cli, data
from .backend import BACKENDS
from .draws import rng
from .metrics.report import Result, cheap_metrics, evaluate_samples
from .output import plots, strict_json
from .output.files import write_atomically
from .sample import generate, restore
from .spec import UserError
from .training.checkpoint import Checkpoint, find
from .training.run import RunDirectory

__all__ = ["Result", "as_json", "cheap_metrics", "evaluate_samples", "main", "table"]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="ganref.evaluate", description=__doc__)
    p.add_argument("run", type=Path, help="a run directory or a checkpoint file")
    p.add_argument("--num", type=cli.positive(int), default=10_000, help="samples (default 10,000)")
    p.add_argument("--backend", help=f"one of {', '.join(BACKENDS)} (default: the run's own)")
    p.add_argument("--data", help="another data set to measure against (default: the run's own)")
    p.add_argument("--mixed", action="store_true", help="resize unequal images, as in training")
    p.add_argument("--seed", type=int, default=0, help="of samples and tests (default 0)")
    p.add_argument("--device", default="auto")
    p.add_argument("--threads", type=cli.positive(int))
    p.add_argument("--ema", action="store_true", help="use the average of G's weights")
    p.add_argument("--inception", action="store_true", help="standard FID and KID too")
    p.add_argument("--out", type=Path, help="where evaluation.json and .png go (default: the run)")
    return p


def load_data(
    checkpoint: Checkpoint, run: Path, name: str | None = None, mixed: bool = False
) -> data.Dataset:
    """The data of that name, else those of the run (a directory, or a checkpoint in one), read as
    it read them. Raises UserError."""
    recipe, seed = checkpoint.recipe, checkpoint.seed
    if name is not None:
        return data.load(name, recipe, seed, mixed=mixed)
    own = checkpoint.data
    if own not in data.DATASETS and not Path(own).expanduser().exists():
        raise UserError(f"the run's data {own} are not to be found here; say where with --data")
    # A checkpoint alone does not know how its images were read.
    with contextlib.suppress(UserError):
        directory = RunDirectory.open(run if run.is_dir() else run.parent.parent)
        mixed = mixed or directory.read_config().mixed
    return data.load(own, recipe, seed, mixed=mixed)


def table(results: list[Result]) -> str:
    """The results as lines for a terminal: name, value, interval, source and note, or why not."""
    lines = []
    for result in results:
        if result.value is None:
            lines.append(f"{result.name:<17} -        {result.error}")
            continue
        low_high = "[{:.4g}, {:.4g}]".format(*result.interval) if result.interval else ""
        about = ". ".join(filter(None, (result.source, result.note)))
        lines.append(f"{result.name:<17} {result.value:<8.4g} {low_high:<18} {about}")
    return "\n".join(lines)


def as_json(results: list[Result]) -> list[dict[str, Any]]:
    """The results as `evaluation.json` holds them."""
    return [dataclasses.asdict(result) for result in results]


def main(argv: list[str] | None = None) -> int:
    """Generate, measure, print, draw, write. Raises UserError."""
    args = parser().parse_args(argv)
    checkpoint = find(args.run)
    recipe = checkpoint.recipe
    if args.ema and not recipe.ema:
        raise UserError("this run kept no average of G's weights; train with --ema 0.999, say")
    dataset = load_data(checkpoint, args.run, args.data, args.mixed)
    config, gan = restore(checkpoint, args.backend, args.device, args.threads)
    samples = generate(gan, recipe, args.seed, args.num, rng.EVALUATION, ema=args.ema)
    results = evaluate_samples(recipe, dataset, samples, args.seed, inception=args.inception)
    out = args.out or (args.run if args.run.is_dir() else args.run.parent)
    report = {
        "recipe": recipe.name,
        "step": checkpoint.step,
        "backend": config.backend,
        "data": dataset.name,
        "samples": args.num,
        "seed": args.seed,
        "ema": args.ema,
        "results": as_json(results),
    }
    with plots.disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "evaluation.json", strict_json.dumps(report, indent=1).encode())
    shown = dataset.batch(np.arange(min(len(dataset), 1000 if samples.ndim == 2 else 64)))
    plots.beside(out / "evaluation.png", samples[: len(shown)], shown, recipe.name)
    print(f"{args.num:,} samples of {recipe.name} at step {checkpoint.step:,}, on {dataset.name}")
    print(table(results))
    print(f"written: {out / 'evaluation.json'}, {out / 'evaluation.png'}")
    return 0


if __name__ == "__main__":
    cli.run_main(main, "ganref.evaluate")
