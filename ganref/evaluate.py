"""python -m ganref.evaluate RUN_OR_CHECKPOINT: how good the samples are, as a table and as JSON.

The samples come from the run's own noise, so that the numbers are the same on every backend. Of a
conditional run each class is asked for besides: whether it came, and how far it is from the data's.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from . import cli
from .backend import BACKENDS, GAN
from .data import Dataset
from .draws import rng
from .metrics.classes import Asked, ClassRow
from .metrics.report import Result, asked_of, cheap_metrics, classes_of, evaluate_samples
from .output import pictures, shares, strict_json
from .output.files import optional, results_in, write_atomically, written
from .spec import UserError
from .training import shown
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


def asked_table(found: Asked) -> str:
    """The classes that were asked for as lines for a terminal, in the data's order, and their
    mean."""
    lines = [
        f"{found.rows[0].samples:,} samples asked for of each class, told by a"
        f" classifier with {found.judge_accuracy:.1%} of {found.held_out:,} held-out images right",
        f"{'class':<17} told as it  at 95%         else       Fréchet  (halves)  images",
    ]
    for row in found.rows:
        low, high = row.interval
        frechet, halves = ("-" if d is None else f"{d:.3g}" for d in (row.frechet, row.halves))
        lines.append(
            f"{row.name:<17} {row.accuracy:<11.1%} {f'{low:.1%} {high:.1%}':<14}"
            f" {(row.taken_for or '-')[:10]:<10} {frechet:<8} {f'({halves})':<9} {row.real:,}"
        )
    return "\n".join([*lines, f"{'all classes':<17} {found.accuracy:.1%}"])


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
    labels = shown.labels_like(recipe, dataset.labels, args.seed, args.num)
    samples = cli.generate(gan, recipe, args.seed, args.num, rng.EVALUATION, labels, ema=args.ema)
    how: dict[str, Any] = {"inception": args.inception, "device": config.device}
    results = evaluate_samples(recipe, dataset, samples, args.seed, **how)
    print(f"{args.num:,} samples of {recipe.name} at step {checkpoint.step:,}, on {dataset.name}")
    print(table(results))
    rows = classes_of(recipe, dataset, samples, args.seed)
    if rows:
        print(class_table(rows))
    report: dict[str, Any] = {
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
    if recipe.conditional:
        report |= _asked(args, gan, dataset)
    text, picture, bars = (out / name for name in ("evaluation.json", "evaluation.png", BARS))
    write_atomically(text, strict_json.dumps(report, indent=1).encode())
    with optional(picture.name):
        picture.unlink(missing_ok=True)
        real = dataset.batch(np.arange(min(len(dataset), 1000 if samples.ndim == 2 else 64)))
        pictures.beside(picture, samples[: len(real)], real, recipe.name)
    with optional(bars.name):
        bars.unlink(missing_ok=True)
        if rows:
            shares.classes(bars, rows, f"{recipe.name} on {dataset.name}")
    print(written(text, picture, bars))


def _asked(args: argparse.Namespace, gan: GAN, dataset: Dataset) -> dict[str, Any]:
    """What a conditional run made of each class, printed, and as `evaluation.json` holds it."""
    recipe, each = gan.recipe, max(1, args.num // gan.recipe.classes)
    asked = np.repeat(np.arange(recipe.classes), each)
    samples = cli.generate(gan, recipe, args.seed, len(asked), rng.EVALUATION, asked, ema=args.ema)
    try:
        found = asked_of(recipe, dataset, samples, asked, args.seed)
    except UserError as error:
        print(f"{'asked for':<17} -        {error}")
        return {"asked": None, "asked_error": str(error)}
    print(asked_table(found))
    return {"asked": dataclasses.asdict(found) | {"accuracy": found.accuracy}, "asked_error": None}


if __name__ == "__main__":
    cli.run_main(main, "ganref.evaluate")
