"""python -m ganref.evaluate RUN_OR_CHECKPOINT: how good the samples are, as a table and as JSON.

The samples come from the run's own noise, so that the numbers are the same on every backend.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from . import cli
from .backend import BACKENDS
from .draws import rng
from .metrics.classes import ClassRow
from .metrics.report import Result, cheap_metrics, classes_of, evaluate_samples
from .output import pictures, shares, strict_json
from .output.files import optional, results_in, write_atomically, written
from .training.checkpoint import Checkpoint

BARS = "classes.png"

__all__ = ["Result", "as_json", "cheap_metrics", "evaluate_samples", "main", "table"]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="ganref.evaluate", description=__doc__)
    p.add_argument("run", type=cli.path, help="a run directory or a checkpoint file")
    p.add_argument("--num", type=cli.positive(int), default=10_000, help="samples (default 10,000)")
    p.add_argument("--backend", help=f"one of {', '.join(BACKENDS)} (default: the run's own)")
    p.add_argument("--data", help="another data set to measure against (default: the run's own)")
    cli.reading_options(p)
    p.add_argument("--seed", type=cli.SEED, default=0, help="of samples and tests (default 0)")
    p.add_argument("--device", default="auto")
    p.add_argument("--threads", type=cli.THREADS)
    p.add_argument("--ema", action="store_true", help="use the average of G's weights")
    p.add_argument("--inception", action="store_true", help="standard FID and KID too")
    p.add_argument(
        "--out", type=cli.path, help="where evaluation.json and .png go (default: the run)"
    )
    return p


def table(results: list[Result]) -> str:
    """The results as lines for a terminal: name, value, interval, source and note, or why not; one
    line for those that such data do not have."""
    lines = []
    for result in results:
        if not result.applies:
            continue
        if result.value is None:
            lines.append(f"{result.name:<17} -        {result.error}")
            continue
        low_high = "[{:.4g}, {:.4g}]".format(*result.interval) if result.interval else ""
        about = ". ".join(filter(None, (result.source, result.note)))
        lines.append(f"{result.name:<17} {result.value:<8.4g} {low_high:<18} {about}")
    if others := [result.name for result in results if not result.applies]:
        lines.append(f"not for such data (evaluation.json says why): {', '.join(others)}")
    return "\n".join(lines)


def class_table(rows: list[ClassRow]) -> str:
    """The classes as lines for a terminal, the one with the least share of what it should have
    first."""
    lines = [f"{'class':<17} samples  of the data  confidence"]
    for row in sorted(rows, key=lambda row: row.share / max(row.data_share, 1e-12)):
        sure = "-" if row.confidence is None else f"{row.confidence:.2f}"
        lines.append(f"{row.name:<17} {row.share:<8.1%} {row.data_share:<12.1%} {sure}")
    return "\n".join(lines)


def as_json(results: list[Result]) -> list[dict[str, Any]]:
    """The results as `evaluation.json` holds them."""
    return [dataclasses.asdict(result) for result in results]


def main(argv: list[str] | None = None) -> int:
    """Generate, measure, print, write, draw. Raises UserError."""
    args = parser().parse_args(argv)
    checkpoint = cli.trained(args.run, args.ema)
    out = args.out or (args.run if args.run.is_dir() else args.run.parent)
    with results_in(out):
        _evaluate(args, checkpoint, out)
    return 0


def _evaluate(args: argparse.Namespace, checkpoint: Checkpoint, out: Path) -> None:
    recipe = checkpoint.recipe
    dataset = cli.data_of(checkpoint, args.run, args.data, vars(args))
    config, gan = cli.restore(checkpoint, args.backend, args.device, args.threads)
    samples = cli.generate(gan, recipe, args.seed, args.num, rng.EVALUATION, ema=args.ema)
    results = evaluate_samples(recipe, dataset, samples, args.seed, inception=args.inception)
    print(f"{args.num:,} samples of {recipe.name} at step {checkpoint.step:,}, on {dataset.name}")
    print(table(results))
    rows = classes_of(recipe, dataset, samples, args.seed)
    if rows:
        print(class_table(rows))
    report = {
        "recipe": recipe.name,
        "step": checkpoint.step,
        "backend": config.backend,
        "data": dataset.name,
        "samples": args.num,
        "seed": args.seed,
        "ema": args.ema,
        "results": as_json(results),
        "classes": [dataclasses.asdict(row) for row in rows],
    }
    text, picture, bars = (out / name for name in ("evaluation.json", "evaluation.png", BARS))
    write_atomically(text, strict_json.dumps(report, indent=1).encode())
    with optional(picture.name):
        picture.unlink(missing_ok=True)
        shown = dataset.batch(np.arange(min(len(dataset), 1000 if samples.ndim == 2 else 64)))
        pictures.beside(picture, samples[: len(shown)], shown, recipe.name)
    with optional(bars.name):
        bars.unlink(missing_ok=True)
        if rows:
            shares.classes(bars, rows, f"{recipe.name} on {dataset.name}")
    print(written(text, picture, bars))


if __name__ == "__main__":
    cli.run_main(main, "ganref.evaluate")
