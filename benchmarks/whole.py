"""python -m benchmarks.whole: whole commands against the clock, imports and compilation included.

For each backend the time of `python -m ganref.train --backend B` in a new process, from its start
to its end; of a program that imports the same, draws the same and makes the same steps, without a
run directory, a log or a picture ("bare"); and of one that trains that framework's page instead.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ganref import cli, data
from ganref.backend import load_backend
from ganref.draws import batches
from ganref.draws.weights import initial_weights
from ganref.spec import recipe

from . import command, report
from .pages import training
from .workers import finish

SETTLE = 1.0
WHATS = ("command", "bare", "page")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = command.parser("benchmarks.whole", __doc__, "speed")
    number = cli.positive(int)
    p.add_argument("--recipe", default="gaussian")
    p.add_argument("--steps", type=number, help="default those of the recipe's default run")
    p.add_argument("--compile", choices=("auto", "on", "off"), help="for ganref.train")
    p.add_argument("--repeats", type=number, default=3, help="of each command (default 3)")
    p.add_argument("--warm", action="store_true", help="keep compilers' caches between repetitions"
                   " (default: nothing was compiled before)")  # fmt: skip
    p.add_argument("--alone", nargs=2, metavar=("WHAT", "BACKEND"), help=argparse.SUPPRESS)
    return p


def train_alone(args: argparse.Namespace) -> int:
    """The programs that are measured against: imports, data, weights, draws, steps."""
    threads = cli.prepare_threads(args.threads)
    chosen = recipe(args.recipe)
    dataset = data.load(chosen.data, chosen)
    source = batches.Source(chosen, dataset, 0, "float32")
    steps = args.steps or chosen.epochs_on(chosen.data) * source.steps_per_epoch
    what, backend = args.alone
    weights = initial_weights(chosen)
    gan: Any
    if what == "page":
        gan = training.create(backend, chosen, weights)
    else:
        module = load_backend(backend)
        module.set_threads(threads)
        how = "cpu", "float32", args.compile or "auto", steps
        gan = module.create(chosen, weights, *how)
    losses: Any = None
    for part in batches.plan(source, 0, steps, None):
        batch = source.draw(part)
        losses = gan.train_steps(batch.X, batch.Z, Z_G=batch.Z_G, masks=batch.masks)
    print(f"{steps} steps, loss_D {losses[0][-1]:.3f}, loss_G {losses[1][-1]:.3f}")
    return 0


def commands(args: argparse.Namespace, threads: int) -> dict[tuple[str, str], list[str]]:
    """The commands by (backend, what): "command" is ours, the others the yardsticks."""
    names = command.chosen_backends(args.backends)
    more = ["--recipe", args.recipe, "--threads", str(threads)]
    more += ["--steps", str(args.steps)] if args.steps else []
    how = ["--compile", args.compile] if args.compile else []
    out = {}
    for name in names:
        ours = [sys.executable, "-m", "ganref.train", "--backend", name]
        out[name, "command"] = [*ours, *more, *how, "--device", "cpu"]
        alone = [sys.executable, "-m", "benchmarks.whole", "--alone"]
        out[name, "bare"] = [*alone, "bare", name, *more, *how]
        if training.exists(recipe(args.recipe), name):
            out[name, "page"] = [*alone, "page", name, *more]
    return out


def run(words: list[str], threads: int, cache: Path) -> tuple[float, str]:
    """(seconds from start to end, the command's last line). A failure is the line `failed: …`."""
    with tempfile.TemporaryDirectory(prefix="ganref-bench-") as folder:
        done = finish(words, threads, cache, Path(folder))
    if done.why:
        return done.seconds, f"failed: {done.why}"
    return done.seconds, done.lines[-1] if done.lines else ""


def ratio(rows: dict[str, dict[str, Any]], what: str) -> float | None:
    """How many times as long as the command another program took: the median over the rounds."""
    if not all("seconds" in rows.get(name, {}) for name in (what, "command")):
        return None
    pairs = zip(rows[what]["all"], rows["command"]["all"], strict=True)
    return report.spread([other / own for other, own in pairs])["median"]


def table(rows: list[dict[str, Any]]) -> str:
    """All commands for a terminal."""
    heads = "".join(f"{what:>10}  {'min..max':<18}" for what in WHATS)
    lines = [f"{'backend':<10}{heads}×bare  ×page"]
    for name in dict.fromkeys(row["backend"] for row in rows):
        own = {row["what"]: row for row in rows if row["backend"] == name}
        cells = [f"{name:<10}"]
        for what in WHATS:
            row = own.get(what)
            if row is None or "seconds" not in row:
                cells.append(f"{'failed' if row else '-':>10}  {'':<18}")
                continue
            took = row["seconds"]
            spread = report.seconds(took["min"], took["max"])
            cells.append(f"{report.seconds(took['median']):>10}  {spread:<18}")
        bare, page = ratio(own, "bare"), ratio(own, "page")
        cells.append(f"{1 / bare:<7.2f}" if bare else f"{'-':<7}")
        cells.append(f"{page:.2f}" if page else "-")
        lines.append("".join(cells).rstrip())
    lines += [f"{row['backend']}, {row['what']}: {row['said']}" for row in rows
              if "seconds" not in row]  # fmt: skip
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write; exit code 1 if a command failed."""
    args = parser().parse_args(argv)
    if args.alone:
        return train_alone(args)
    threads = command.chosen_threads(args.threads)
    recipe(args.recipe)
    todo = commands(args, threads)
    command.prepare(args.out)
    rows: dict[Any, dict[str, Any]] = {
        key: {"backend": key[0], "what": key[1], "all": []} for key in todo
    }
    about = command.environment(args)
    shared = Path(tempfile.mkdtemp(prefix="ganref-bench-"))
    try:
        keys = list(todo)
        for turn in range(-1 if args.warm else 0, args.repeats):
            for key in keys[turn % len(keys) :] + keys[: turn % len(keys)]:
                if "failed" in rows[key].get("said", ""):
                    continue
                time.sleep(SETTLE)
                cache = shared if args.warm else Path(tempfile.mkdtemp(dir=shared))
                took, rows[key]["said"] = run(todo[key], threads, cache)
                command.say(f"{key[0]}, {key[1]}: {took:.2f} s")
                if turn >= 0:
                    rows[key]["all"].append(took)
    finally:
        shutil.rmtree(shared, ignore_errors=True)
    for row in rows.values():
        if "failed" not in row["said"]:
            row["seconds"] = report.spread(row["all"])
    command.write(args.out / "whole.json", args, about, rows=list(rows.values()))
    print(table(list(rows.values())))
    print(f"written: {args.out / 'whole.json'}")
    return 1 if any("seconds" not in row for row in rows.values()) else 0


if __name__ == "__main__":
    cli.run_main(main, "benchmarks.whole")
