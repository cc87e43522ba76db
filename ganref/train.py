"""python -m ganref.train: train a recipe on a backend. With no argument, the toy on NumPy."""

from __future__ import annotations

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from . import cli, data
from .backend import BACKENDS, GAN, install, is_installed
from .output import board
from .output.files import DiskRefused
from .spec import RECIPES, UserError, num_parameters
from .spec.engines import Peers, Place
from .training import loop
from .training.run import Config, Options, RunDirectory


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="ganref.train", description=__doc__, argument_default=argparse.SUPPRESS)
    number = cli.positive(int)
    p.add_argument("--list", action="store_true", help="recipes, data sets and backends, and exit")
    p.add_argument("--summary", action="store_true", help="the networks and numbers, and exit")
    cli.recipe_options(p)
    cli.reading_options(p)
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
    g.add_argument(
        "--threads", type=cli.THREADS, help="cores to use (default all, one for small steps)"
    )
    g.add_argument("--workers", type=cli.THREADS, metavar="N",
                   help="processes here that share every batch")  # fmt: skip
    g.add_argument("--patience", type=cli.between(float, 1, 10**6), metavar="SECONDS",
                   help="for a worker that does not join or is silent (60)")  # fmt: skip
    g = p.add_argument_group("what it leaves")
    g.add_argument(
        "--run-dir", type=cli.path, help="new or empty (default runs/<recipe>-<backend>-NNN)"
    )
    g.add_argument(
        "--resume", type=cli.path, metavar="RUN", help="go on with a run, in any backend"
    )
    g.add_argument("--checkpoint-every", type=number, metavar="STEPS")
    g.add_argument(
        "--keep", type=cli.between(int, 0, 10**6), help="checkpoints to keep, 0 is all (default 2)"
    )
    g.add_argument("--evaluate-every", type=number, metavar="EPOCHS",
                   help="metrics of the samples in metrics.jsonl and progress.png")  # fmt: skip
    g.add_argument("--tensorboard", action="store_true", help="event files too")
    g.add_argument("--gif", action="store_true", help="the samples of all epochs as one GIF")
    cli.progress_options(g, "a progress bar instead of a line an epoch")
    return p


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


def main(argv: list[str] | None = None) -> int:
    """Train as the command line says. Raises UserError, Diverged or Interrupted."""
    args = vars(parser().parse_args(argv))
    if "list" in args:
        print(listing())
        return 0
    if "summary" in args:
        recipe = cli.build_recipe(args)
        # Classes are the data's, which are read for nothing else.
        print((cli.with_data(args, recipe)[0] if "conditional" in args else recipe).summary())
        return 0
    place = cli.place(args)
    if place is None and args.get("workers", 1) > 1:
        return cli.start(sys.argv[1:] if argv is None else argv, args)
    # Whoever has started workers here has shared the threads out.
    threads = cli.prepare_threads(None if place and "workers" in args else args.get("threads"))
    if args.get("compile") != "off":
        with contextlib.suppress(UserError):  # a run that is not there is told of below
            cli.keep_compiled(cli.backend_of(args))
    if "tensorboard" in args:
        board.check()
    with contextlib.ExitStack() as until_the_end:
        peers: Peers | None = None
        if place:
            peers, watch = until_the_end.enter_context(cli.joined(place, args, threads))
            if place.rank:
                return _follow(args, threads, place, peers)
        begin = _go_on if "resume" in args else _begin
        config, gan, dataset, run, start = begin(args, threads, until_the_end, place, peers)
        if place:
            watch.advice = f"; go on with `{run.resume} --workers {place.size}`"
        found = cli.versions(config.backend)
        if "quiet" not in args:
            words = f"{config.recipe.name}: trains on {config.data}, {dataset.identity}"
            print(words, file=sys.stderr)
        try:
            row = loop.train(config, gan, dataset, run, _options(args, found), start, peers)
        except DiskRefused as error:
            cure = "free some space" if error.full else "see to that"
            raise UserError(f"{error}; {cure}, then go on with `{run.resume}`") from error
    print(
        f"{config.recipe.name} on {found['framework']} ({config.device}): "
        f"{config.steps:,} steps, loss_D {row['loss_D']:.3f}, loss_G {row['loss_G']:.3f}, "
        f"{row['examples_per_sec']:,.0f} examples/s; results in {run.path}"
    )
    return 0


Begun = tuple[Config, GAN, data.Dataset, RunDirectory, int]  # and the steps that are done


def _begin(
    args: dict[str, Any],
    threads: int,
    until_the_end: contextlib.ExitStack,
    place: Place | None,
    peers: Peers | None,
) -> Begun:
    if place and peers:
        config, dataset = cli.begin_together(args, place, peers)
    else:
        config, dataset = cli.new_run(args)
        threads = cli.useful_threads(config.recipe, threads, args.get("threads"))
    gan = cli.create(config, threads, None, peers)
    about = cli.machine(config.backend, threads, peers)
    if "run_dir" in args:
        run = RunDirectory.create(args["run_dir"])
    else:
        run = RunDirectory.numbered(Path("runs"), f"{config.recipe.name}-{config.backend}")
    try:
        until_the_end.enter_context(run.held())
        run.write_config(config, about)
    except UserError:
        run.abandon()
        raise
    return config, gan, dataset, run, 0


def _go_on(
    args: dict[str, Any],
    threads: int,
    until_the_end: contextlib.ExitStack,
    place: Place | None,
    peers: Peers | None,
) -> Begun:
    cli.check_changes(args)
    run = RunDirectory.open(args["resume"])
    until_the_end.enter_context(run.held())
    config, dataset, checkpoint, log = cli.resumed_run(args, run)
    if peers:
        cli.hand_out(args, peers, config, dataset, checkpoint)
    else:
        threads = cli.useful_threads(config.recipe, threads, args.get("threads"))
    gan = cli.create(config, threads, checkpoint, peers)
    run.go_on(config, cli.machine(config.backend, threads, peers), log)
    return config, gan, dataset, run, checkpoint.step if checkpoint else 0


def _follow(args: dict[str, Any], threads: int, place: Place, peers: Peers) -> int:
    """What all workers but the first do. Raises UserError or Interrupted."""
    every = args.get("checkpoint_every")
    if "resume" not in args:
        config, dataset = cli.begin_together(args, place, peers)
        gan, start = cli.create(config, threads, None, peers), 0
    else:
        config, dataset, start, state = cli.follow(args, peers)
        gan = cli.create(config, threads, None, peers)
        if state:
            gan.load_state(state)
    loop.follow(config, gan, dataset, every, start, peers)
    return 0


def _options(args: dict[str, Any], versions: dict[str, str]) -> Options:
    lines = "none" if "quiet" in args else "lines"
    return Options(
        checkpoint_every=args.get("checkpoint_every"),
        keep=args.get("keep", 2),
        progress="bar" if cli.shows_bar(args) else lines,
        tensorboard="tensorboard" in args,
        gif="gif" in args,
        evaluate_every=args.get("evaluate_every"),
        versions=versions,
    )


if __name__ == "__main__":
    cli.run_main(main, "ganref.train")
