"""python -m ganref import FILE --recipe R: weights that others have trained, as a run.

The run samples, is measured, goes on and is exported like any other. Nothing in a file is run.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import cli
from .backend import BACKENDS, check_backend
from .draws.weights import initial_weights
from .exchange import importing, profiles
from .exchange.arrays import Arrays, Found
from .exchange.importing import Matched
from .exchange.mapping import Row, weights_of
from .exchange.nets import unmoved
from .exchange.reading import read
from .output.files import LOG, write_atomically
from .spec import Recipe, UserError
from .spec.state import check_state, initial_state
from .training.checkpoint import Checkpoint, save_latest
from .training.log import Log
from .training.run import Config, RunDirectory

MAP = "import.txt"


class Imported(NamedTuple):
    """What a run is made of: its recipe, its state at step 0, and all that is said of it."""

    recipe: Recipe
    state: Arrays
    dtype: str
    lines: list[str]
    warnings: list[str]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = cli.Parser(prog="ganref.import", description=__doc__)
    p.add_argument("files", nargs="*", type=cli.path, metavar="FILE", help="G and D may be in two")
    p.add_argument("--list", action="store_true", help="the profiles, and exit")
    p.add_argument("--recipe", help="what they are weights of, with this recipe's numbers")
    p.add_argument("--profile", help="where they come from, which has numbers that no file has")
    p.add_argument("--net", choices=profiles.NETS, help="this network alone")
    p.add_argument("--part", help="of a file with several networks, what lies under this name")
    p.add_argument("--run-dir", type=cli.path, help="new or empty")
    p.add_argument("--seed", type=cli.SEED, default=0, help="of all that the run will draw (0)")
    p.add_argument(
        "--backend", default="numpy", help=f"the run's: one of {', '.join(BACKENDS)} (numpy)"
    )
    return p


def main(argv: list[str] | None = None) -> int:
    """Read, match, say what was done, and write the run. Raises UserError, with nothing written."""
    args = parser().parse_args(argv)
    if args.list:
        print(profiles.listing())
        return 0
    if not args.files:
        raise UserError("name a file of weights; --list says where they may come from")
    check_backend(args.backend)
    files = [(path, *read(path)) for path in args.files]
    if args.recipe is None and args.profile is None:
        raise UserError(_must_choose([found for _, found, _ in files], args))
    if args.run_dir is None:
        raise UserError("name a folder for the run with --run-dir")
    made = imported(files, args.recipe, args.profile, args.net, args.part, args.seed)
    _write(made, args)
    print("\n".join(made.lines))
    for words in made.warnings:
        LOG.warning("%s", words)
    print(f"written: {args.run_dir}; `ganref sample {args.run_dir}` draws from it")
    return 0


def imported(
    files: list[tuple[Path, Found, str]],
    recipe: str | None,
    profile: str | None,
    net: str | None = None,
    part: str | None = None,
    seed: int = 0,
) -> Imported:
    """The run that these files make. Raises UserError."""
    chosen, own = profiles.chosen(recipe, profile)
    made: list[tuple[Path, Matched]] = []
    lines, warnings = [], []
    for path, found, digest in files:
        try:
            ways = importing.matched(found, chosen, own, net, part)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        made += [(path, way) for way in ways]
        nets = " and ".join(importing.NAMED[way.net] for way in ways)
        lines.append(f"{path}: {found.kind}, by its shapes a {nets} (SHA-256 {digest[:16]}…)")
        lines += [f"  {words}" for words in (*found.said, *_said(ways))]
    if len({way.net for _, way in made}) < len(made):
        raise UserError("the files hold the same network twice; name one of them")
    sized = importing.sized(chosen, [way for _, way in made])
    weights = initial_weights(sized, seed)
    rows: list[Row] = []
    for _, way in made:
        arrays, more = weights_of(way, sized)
        weights |= arrays
        rows += more
        network = sized.networks[profiles.NETS.index(way.net)]
        warnings += _warnings(way, unmoved(network, arrays), own)
    dtype = "float64" if any(weights[row.ours].dtype == np.float64 for row in rows) else "float32"
    state = _state(sized, weights, dtype, rows)
    lines += [*_table(rows), *_numbers(sized, own, chosen, [way for _, way in made])]
    return Imported(sized, state, dtype, lines, warnings)


def _said(ways: list[Matched]) -> list[str]:
    said = []
    for way in ways:
        if way.part.wrapped:
            said.append(f"every name of {way.net} began with {way.part.wrapped!r}: left out")
        said += [
            f"{a} and {b} have the same shapes: taken in the order of their names"
            for a, b in way.fit.alike
        ]
    return said


def _warnings(way: Matched, still: bool, own: profiles.Profile) -> list[str]:
    words = []
    if still:
        words.append(
            f"all running statistics of {way.net} are 0 and 1, as before training: samples in"
            " inference mode may be poor; `ganref sample --batch-stats` takes a batch's own"
        )
    names = own.layers(way.net)
    theirs = {module.name for module in way.fit.pairs.values()}
    if names and (odd := sorted(theirs - set(names))):
        words.append(
            f"{own.name} calls no layer of {way.net} {odd[0]!r}; its numbers are taken all the same"
        )
    return words


def _state(recipe: Recipe, weights: Arrays, dtype: str, rows: list[Row]) -> Arrays:
    """The state at step 0: no moment of Adam has moved. Raises UserError."""
    state = initial_state(recipe, weights, dtype)
    try:
        check_state(recipe, state)
    except UserError as error:
        theirs = {row.ours: row.theirs for row in rows}
        name = str(error).split()[1]
        raise UserError(f"{error} (theirs: {theirs.get(name, 'none')})") from None
    return state


def _table(rows: list[Row]) -> list[str]:
    head = Row("theirs", "ours", "shape", "layout")
    wide = [max(len(row[i]) for row in (head, *rows)) for i in range(3)]
    return [
        "  ".join([*(cell.ljust(n) for cell, n in zip(row, wide, strict=False)), row.change])
        for row in (head, *rows)
    ]


def _numbers(
    recipe: Recipe, own: profiles.Profile, asked: Recipe, ways: list[Matched]
) -> list[str]:
    """What was read from shapes, what from the profile, and what is new."""
    read_ = {n: value for way in ways for n, value in way.fit.sizes.items()}
    source = f"profile {own.name}" if own.name else f"recipe {asked.name}"
    lines = [f"{own.note}"] if own.note else []
    sizes = ", ".join(f"{name.removesuffix('_dim')} {n}" for name, n in read_.items())
    lines.append(f"from the shapes: {sizes or 'no sizes'}")
    lines.append(f"from {source}, since no weights hold them: {profiles.numbers(recipe.networks)}")
    there = {way.net for way in ways}
    lines += [
        f"{net} is not in the files: it has the recipe's initial weights"
        for net in profiles.NETS
        if net not in there
    ]
    if "G" not in there:
        lines.append(f"latent {recipe.latent_dim} is the recipe's: G is not in the files")
    lines.append("Adam's moments are zero: training goes on as from its first step")
    return lines


def _must_choose(found: list[Found], args: argparse.Namespace) -> str:
    fit = []
    for option, recipe, profile in profiles.candidates():
        try:
            for own in found:
                importing.matched(own, recipe, profile, args.net, args.part)
        except UserError:
            continue
        fit.append(option)
    why = "weights do not say their ε, momentum, slopes and paddings"
    if not fit:
        return (
            f"no profile and no recipe has these shapes; --recipe NAME says what is missing ({why})"
        )
    return f"{why}; say where these come from: by their shapes {', '.join(fit)}"


def _write(made: Imported, args: argparse.Namespace) -> None:
    """The run directory, whole or not at all. Raises UserError."""
    threads = cli.prepare_threads(None)
    config = Config(
        recipe=made.recipe,
        backend=args.backend,
        data=made.recipe.data,
        seed=args.seed,
        dtype=made.dtype,
    )
    about = cli.machine(args.backend, threads)
    run = RunDirectory.create(args.run_dir)
    try:
        checkpoint = Checkpoint(
            made.recipe, made.state, args.seed, 0, config.data, made.dtype, args.backend,
            cli.versions(args.backend), Log(),
        )  # fmt: skip
        save_latest(run.checkpoints, checkpoint)
        write_atomically(run.path / MAP, ("\n".join(made.lines + made.warnings) + "\n").encode())
        run.write_config(config, about)
    except BaseException:
        for path in (*run.checkpoints.glob("*"), run.path / MAP, run.config):
            path.unlink(missing_ok=True)
        run.abandon()
        raise


if __name__ == "__main__":
    cli.run_main(main, "ganref.import")
