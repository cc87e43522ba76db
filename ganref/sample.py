"""python -m ganref.sample RUN_OR_CHECKPOINT: a picture of new samples, from any backend."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from . import cli, data
from .backend import BACKENDS, GAN, check_backend
from .draws import rng
from .output import plots
from .spec import Recipe, UserError
from .spec.precision import storage
from .training.checkpoint import Checkpoint, find
from .training.run import Config

BATCH = 256


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="ganref.sample", description=__doc__)
    p.add_argument("run", type=Path, help="a run directory or a checkpoint file")
    p.add_argument("--backend", help=f"one of {', '.join(BACKENDS)} (default: the run's own)")
    p.add_argument("--num", type=cli.positive(int), default=64, help="how many (default 64)")
    p.add_argument("--seed", type=int, help="of the noise (default: the run's own)")
    p.add_argument("--out", type=Path, default=Path("samples.png"), help="a .png, or a .npy")
    p.add_argument("--device", default="auto")
    p.add_argument("--threads", type=cli.positive(int))
    p.add_argument("--ema", action="store_true", help="use the average of G's weights")
    p.add_argument("--batch-stats", action="store_true", help="normalise by batch statistics")
    return p


def restore(
    checkpoint: Checkpoint, backend: str | None, device: str, threads: int | None
) -> tuple[Config, GAN]:
    """The GAN of a checkpoint, on that backend or the one that wrote it. Raises UserError."""
    count = cli.prepare_threads(threads)
    name = backend or checkpoint.backend
    check_backend(name)
    dtype = storage(checkpoint.dtype)
    where = cli.pick_device(name, device)
    config = Config(checkpoint.recipe, name, checkpoint.data, checkpoint.seed, where, dtype)
    return config, cli.create(config, count, checkpoint)


def generate(
    gan: GAN, recipe: Recipe, seed: int, num: int, stream: int = rng.PICTURES, **how: bool
) -> np.ndarray:
    """`num` samples (num, *data) from the noise of that seed, the same on every backend: each
    256 of them are a step of the stream."""
    noise = rng.Stream(seed, stream)
    parts = []
    for i in range(-(-num // BATCH)):
        count = min(BATCH, num - i * BATCH)
        Z = rng.latent(recipe, noise, range(i, i + 1), (BATCH,))[0][:count]
        parts.append(gan.generate(Z, **how))
    return np.concatenate(parts)


def main(argv: list[str] | None = None) -> int:
    """Draw, save, and say where. Raises UserError."""
    args = parser().parse_args(argv)
    if args.out.suffix not in (".png", ".npy"):
        raise UserError(f"--out must end in .png or .npy, not {args.out.suffix or args.out}")
    checkpoint = find(args.run)
    recipe = checkpoint.recipe
    if args.ema and not recipe.ema:
        raise UserError("this run kept no average of G's weights; train with --ema 0.999, say")
    config, gan = restore(checkpoint, args.backend, args.device, args.threads)
    seed = checkpoint.seed if args.seed is None else args.seed
    samples = generate(gan, recipe, seed, args.num, batch_stats=args.batch_stats, ema=args.ema)
    if args.out.suffix == ".npy":
        with plots.disk_errors(args.out):
            np.save(args.out, samples)
    else:
        real = None
        if samples.ndim == 2 and checkpoint.data in data.DATASETS:
            real = data.load(checkpoint.data, recipe, checkpoint.seed).array[:1000]
        plots.picture(args.out, samples, real)
    print(
        f"{args.num} samples of {recipe.name} at step {checkpoint.step:,} "
        f"on {config.backend}: {args.out}"
    )
    return 0


if __name__ == "__main__":
    cli.run_main(main, "ganref.sample")
