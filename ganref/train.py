"""python -m ganref.train: train a recipe on a backend. With no argument, the toy on NumPy."""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
from pathlib import Path
from typing import Any

from . import cli, data
from .backend import BACKENDS, check_backend, install, is_installed, load_backend
from .spec import RECIPES, TABS, Recipe, UserError, num_parameters, on_data, recipe, with_tab
from .training import logger, loop
from .training.checkpoint import Checkpoint, load_latest
from .training.run import Config, RunDirectory

# Options that define what is computed: a resumed run has them from its config.
DEFINING = (
    "recipe", "tab", "data", "batch_size", "lr", "lr_D", "lr_G", "seed", "dtype", "channels",
    "width", "latent", "latent_dim", "leaky_slope", "generator_loss", "label_smoothing", "margin",
    "repelling", "r1", "ema", "G_updates", "mixed", "strict", "run_dir",
)  # fmt: skip
# Options that are fields of the recipe under the same name.
PLAIN = ("batch_size", "width", "latent", "latent_dim", "leaky_slope", "ema", "G_updates")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="ganref.train", description=__doc__, argument_default=argparse.SUPPRESS)
    number = cli.positive(int)
    p.add_argument("--list", action="store_true", help="recipes, data sets and backends, and exit")
    p.add_argument("--summary", action="store_true", help="the networks and numbers, and exit")
    recipe_options(p)
    p.add_argument("--mixed", action="store_true", help="resize and convert unequal images")
    p.add_argument("--strict", action="store_true", help="refuse unreadable images")
    g = p.add_argument_group("how long")
    length = g.add_mutually_exclusive_group()
    length.add_argument("--epochs", type=number, help="counted from the start of the run")
    length.add_argument("--steps", type=number, help="counted from the start of the run")
    g = p.add_argument_group("where")
    g.add_argument("--backend", help=f"one of {', '.join(BACKENDS)} (default numpy)")
    g.add_argument("--device", help="auto, cpu, cuda or cuda:i (default auto)")
    g.add_argument("--dtype", help="float32 (default), float64, or what the backend has")
    g.add_argument("--compile", choices=("auto", "on", "off"),
                   help="fast path: auto ends soonest, on is steadily fastest (auto)")  # fmt: skip
    g.add_argument("--threads", type=number, help="cores to use (default all)")
    g = p.add_argument_group("what it leaves")
    g.add_argument("--run-dir", help="new or empty (default runs/<recipe>-<backend>-NNN)")
    g.add_argument("--resume", metavar="RUN", help="go on with a run, in any backend")
    g.add_argument("--checkpoint-every", type=number, metavar="STEPS")
    g.add_argument("--keep", type=int, help="checkpoints to keep, 0 is all (default 2)")
    g.add_argument("--evaluate-every", type=number, metavar="EPOCHS",
                   help="metrics of the samples in metrics.jsonl and progress.png")  # fmt: skip
    g.add_argument("--tensorboard", action="store_true", help="event files too")
    g.add_argument("--gif", action="store_true", help="the samples of all epochs as one GIF")
    g.add_argument("--quiet", action="store_true", help="no progress bar")
    return p


def recipe_options(p: argparse.ArgumentParser) -> None:
    """The options that say which GAN: its recipe, data and seed, and every number of it."""
    number, real = cli.positive(int), cli.positive(float)
    g = p.add_argument_group("what to train")
    g.add_argument("--recipe", help=f"one of {', '.join(RECIPES)} (default gaussian)")
    g.add_argument("--tab", help=f"d2l's semantics: one of {', '.join(TABS)} (default aligned)")
    g.add_argument("--data", help="a data set's name, or a folder or zip of images")
    g.add_argument("--seed", type=int, help="of every draw (default 0)")
    g = p.add_argument_group("numbers of the recipe")
    g.add_argument("--batch-size", type=number)
    g.add_argument("--lr", type=real, help="both learning rates")
    g.add_argument("--lr-D", type=real, dest="lr_D")
    g.add_argument("--lr-G", type=real, dest="lr_G")
    g.add_argument("--channels", type=number, help="of the images: 1 is grey, 3 is colour")
    g.add_argument("--width", type=number, help="of the networks (their first width)")
    g.add_argument("--latent", choices=("normal", "uniform"))
    g.add_argument("--latent-dim", type=number)
    g.add_argument("--leaky-slope", type=float, help="0 is ReLU (002, exercise 1)")
    g.add_argument("--generator-loss", choices=("non_saturating", "minimax"))
    g.add_argument("--label-smoothing", type=float, help="real labels are 1 minus this")
    g.add_argument("--margin", type=real, help="of ebgan's loss")
    g.add_argument("--repelling", type=float, help="weight of ebgan's pulling-away term")
    g.add_argument("--r1", type=float, help="weight of the gradient penalty on real data")
    g.add_argument("--ema", type=float, help="decay of the average of G's weights (0.999, say)")
    g.add_argument("--G-updates", type=number, dest="G_updates", help="per update of D")


def build_recipe(args: dict[str, Any]) -> Recipe:
    """The recipe with the command line's numbers. Raises UserError."""
    base = with_tab(recipe(args.get("recipe", "gaussian")), args.get("tab", "aligned"))
    name = args.get("data", base.data)
    base = on_data(base, name, points=name in data.DATASETS and not data.DATASETS[name].channels)
    changes: dict[str, Any] = {name: args[name] for name in PLAIN if name in args}
    # The data asked for bring their channels; the default data take the recipe's.
    known = data.DATASETS[name].channels if "data" in args and name in data.DATASETS else 0
    channels = args.get("channels", known if name != RECIPES[base.name].data else 0)
    if "channels" in args and len(base.data_shape) != 3:
        raise UserError(f"recipe {base.name} takes points; --channels is for images")
    if channels:
        changes["data_shape"] = (channels, *base.data_shape[1:])
    for name, which in (("adam_D", "lr_D"), ("adam_G", "lr_G")):
        rate = args.get(which, args.get("lr"))
        if rate is not None:
            changes[name] = dataclasses.replace(getattr(base, name), lr=rate)
    loss: dict[str, Any] = {
        name: args[name] for name in ("margin", "repelling", "r1") if name in args
    }
    if "generator_loss" in args:
        loss["generator"] = args["generator_loss"]
    if "label_smoothing" in args:
        loss["real_label"] = 1 - args["label_smoothing"]
    if loss:
        changes["loss"] = dataclasses.replace(base.loss, **loss)
    return base.replace(**changes)


def listing() -> str:
    """Recipes, data sets and backends, with what is installed."""
    lines = ["recipes (G and D parameters; source)"]
    for r in RECIPES.values():
        G, D = num_parameters(r)
        shape = "×".join(map(str, r.data_shape))
        lines.append(f"  {r.name:<14} {shape:>8}  G {G:>9,}  D {D:>9,}  {r.source}")
    lines.append("data sets")
    lines += [f"  {name:<14} {entry.description}" for name, entry in data.DATASETS.items()]
    lines.append("backends")
    for name, backend in BACKENDS.items():
        cure = f"missing: {install(backend.extra)}"
        lines.append(f"  {name:<14} {'installed' if is_installed(name) else cure}")
    return "\n".join(lines)


def _new_run(args: dict[str, Any]) -> tuple[Config, data.Dataset]:
    built = build_recipe(args)
    backend = args.get("backend", "numpy")
    check_backend(backend)
    name, seed = args.get("data", built.data), args.get("seed", 0)
    extra: dict[str, bool] = {key: args.get(key, False) for key in ("mixed", "strict")}
    dataset = data.load(name, built, seed, **extra)
    steps = _steps(args, built, name, dataset)
    config = Config(
        recipe=built,
        backend=backend,
        data=name,
        seed=seed,
        device=cli.pick_device(backend, args.get("device", "auto")),
        dtype=args.get("dtype", "float32"),
        compile=args.get("compile", "auto"),
        steps=steps,
        planned_steps=steps,
        **extra,
    )
    return config, dataset


def _steps(args: dict[str, Any], built: Recipe, name: str, dataset: data.Dataset) -> int:
    per_epoch = len(dataset) // built.batch_size
    return args.get("steps") or args.get("epochs", built.epochs_on(name)) * per_epoch


def _resumed(args: dict[str, Any]) -> tuple[Config, data.Dataset, RunDirectory, Checkpoint]:
    for name in DEFINING:
        if name in args:
            option = name.replace("_", "-")
            raise UserError(f"--{option} cannot change with --resume; it belongs to the run")
    run = RunDirectory.open(Path(args["resume"]))
    config = run.read_config()
    checkpoint = load_latest(run.checkpoints)
    if (checkpoint.recipe, checkpoint.seed) != (config.recipe, config.seed):
        raise UserError(f"the checkpoints in {run.path} are of another run than its config.json")
    extra = {"mixed": config.mixed, "strict": config.strict}
    dataset = data.load(config.data, config.recipe, config.seed, **extra)
    changes: dict[str, Any] = {n: args[n] for n in ("backend", "compile") if n in args}
    if "steps" in args or "epochs" in args:
        changes["steps"] = _steps(args, config.recipe, config.data, dataset)
    config = dataclasses.replace(config, **changes)
    if "device" in args or "backend" in args:
        check_backend(config.backend)
        device = cli.pick_device(config.backend, args.get("device", "auto"))
        config = dataclasses.replace(config, device=device)
    if checkpoint.step > config.steps:
        raise UserError(
            f"{run.path} is at step {checkpoint.step:,} already; --steps counts from its start"
        )
    return config, dataset, run, checkpoint


def main(argv: list[str] | None = None) -> int:
    """Train as the command line says. Raises UserError, logger.Diverged or loop.Interrupted."""
    args = vars(parser().parse_args(argv))
    if "list" in args:
        print(listing())
        return 0
    if "summary" in args:
        print(build_recipe(args).summary())
        return 0
    threads = cli.prepare_threads(args.get("threads"))
    checkpoint = None
    if "resume" in args:
        config, dataset, run, checkpoint = _resumed(args)
        gan = cli.create(config, threads, checkpoint)
        run.cut_back(checkpoint.step)
    else:
        config, dataset = _new_run(args)
        gan = cli.create(config, threads)
        if "run_dir" in args:
            run = RunDirectory.create(Path(args["run_dir"]))
        else:
            run = RunDirectory.numbered(Path("runs"), f"{config.recipe.name}-{config.backend}")
    made_with = cli.versions(config.backend)
    about = {
        "versions": made_with,
        "threads": threads,
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "devices": load_backend(config.backend).devices(),
    }
    run.write_config(config, about)
    options = logger.Options(
        checkpoint_every=args.get("checkpoint_every"),
        keep=args.get("keep", 2),
        progress="quiet" not in args,
        tensorboard="tensorboard" in args,
        gif="gif" in args,
        evaluate_every=args.get("evaluate_every"),
        versions=made_with,
    )
    start = checkpoint.step if checkpoint else 0
    row = loop.train(config, gan, dataset, run, options, start)
    print(
        f"{config.recipe.name} on {made_with['framework']} ({config.device}): "
        f"{config.steps:,} steps, loss_D {row['loss_D']:.3f}, loss_G {row['loss_G']:.3f}, "
        f"{row['examples_per_sec']:,.0f} examples/s; results in {run.path}"
    )
    return 0


if __name__ == "__main__":
    cli.run_main(main, "ganref.train")
