"""python -m ganref.sample RUN_OR_CHECKPOINT: a picture of new samples, from any backend.

Of a conditional run it is one class, or a row of each, and a column is of the same noise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from . import cli, data
from .backend import BACKENDS, GAN
from .output import pictures
from .output.files import disk_errors, results_in
from .spec import UserError
from .spec.layers import BatchNorm
from .training import shown
from .training.checkpoint import Checkpoint


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="ganref.sample", description=__doc__)
    p.add_argument("run", type=cli.path, help="a run directory or a checkpoint file")
    p.add_argument("--backend", help=f"one of {', '.join(BACKENDS)} (default: the run's own)")
    p.add_argument("--num", type=cli.positive(int), help="how many (64), or of each class (8)")
    p.add_argument(
        "--class", dest="asked", metavar="CLASS", help="this class alone: its number, or its name"
    )
    p.add_argument("--seed", type=cli.SEED, help="of the noise (default: the run's own)")
    p.add_argument("--out", type=cli.path, default=Path("samples.png"), help="a .png, or a .npy")
    p.add_argument("--device", default="auto")
    p.add_argument("--threads", type=cli.THREADS)
    p.add_argument("--ema", action="store_true", help="use the average of G's weights")
    p.add_argument("--batch-stats", action="store_true", help="normalise by batch statistics")
    return p


def main(argv: list[str] | None = None) -> int:
    """Draw, save, and say where. Raises UserError."""
    args = parser().parse_args(argv)
    if args.out.suffix not in (".png", ".npy"):
        raise UserError(f"--out must end in .png or .npy, not {args.out.suffix or args.out}")
    checkpoint = cli.trained(args.run, args.ema)
    layers = checkpoint.recipe.generator.layers
    if args.batch_stats and not any(isinstance(layer, BatchNorm) for layer in layers):
        raise UserError("--batch-stats has no effect: no layer of G normalises")
    if args.asked is not None:
        args.asked = shown.class_number(args.asked, checkpoint.recipe, checkpoint.class_names)
    with results_in(args.out.parent):
        _sample(args, checkpoint)
    return 0


def _sample(args: argparse.Namespace, checkpoint: Checkpoint) -> None:
    recipe = checkpoint.recipe
    config, gan = cli.restore(checkpoint, args.backend, args.device, args.threads)
    samples, columns, words = _drawn(args, checkpoint, gan)
    if args.out.suffix == ".npy":
        with disk_errors(args.out):
            np.save(args.out, samples)
    else:
        real = None
        if samples.ndim == 2 and checkpoint.data in data.DATASETS:
            real = data.load(checkpoint.data, recipe, checkpoint.seed).array[:1000]
        pictures.picture(args.out, samples, real, columns)
    print(
        f"{len(samples)} samples of {recipe.name}{words} at step {checkpoint.step:,} "
        f"on {config.backend}: {args.out}"
    )


def _drawn(
    args: argparse.Namespace, checkpoint: Checkpoint, gan: GAN
) -> tuple[np.ndarray, int | None, str]:
    """(samples, the columns of their picture if it has rows of classes, which classes in words)."""
    recipe, names = checkpoint.recipe, checkpoint.class_names
    seed = checkpoint.seed if args.seed is None else args.seed
    how = {"batch_stats": args.batch_stats, "ema": args.ema}
    if not recipe.conditional:
        return cli.generate(gan, recipe, seed, args.num or 64, **how), None, ""
    if args.asked is None:
        columns = args.num or shown.COLUMNS
        samples = cli.generate_rows(gan, recipe, seed, columns, **how)
        return samples, columns, f", a row for each of {recipe.classes} classes,"
    num = args.num or 64
    samples = cli.generate(gan, recipe, seed, num, labels=np.full(num, args.asked), **how)
    called = f" ({names[args.asked]!r:.60})" if names else ""
    return samples, None, f" of class {args.asked}{called}"


if __name__ == "__main__":
    cli.run_main(main, "ganref.sample")
