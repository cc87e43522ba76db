"""python -m checks.default_runs: the default run of every recipe, and what its detectors said.

`python -m ganref.train --recipe R --backend B` as a user would type it, in full width and length;
its files stay in `--out`. Beside a warning or none the table says how near a run came to one: the
least share of its gradient that the loss passed on to G, the least diversity of its samples once
they had any, and the largest loss per example (of an energy: in margins), each against the
detector's limit. A run shorter than a detector's first reading says nothing of it. Exit code 1 if
anything was warned of, or a run failed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import command, report
from benchmarks.workers import finish
from ganref import cli
from ganref.spec import RECIPES
from ganref.training import detectors
from ganref.training.run import RunDirectory


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = command.parser("checks.default_runs", __doc__)
    p.add_argument("--recipes", default=",".join(RECIPES), help="comma-separated (default: all)")
    return p


def run(name: str, backend: str, args: argparse.Namespace, threads: int) -> dict[str, Any]:
    """What one default run said, or `why` it failed."""
    folder = args.out / backend / name
    words = [sys.executable, "-m", "ganref.train", "--recipe", name, "--backend", backend]
    more = ["--seed", str(args.seed), "--threads", str(threads), "--device", "cpu", "--quiet"]
    with tempfile.TemporaryDirectory(prefix="ganref-bench-") as cache:
        done = finish([*words, *more, "--run-dir", str(folder)], threads, Path(cache))
    row = {"recipe": name, "backend": backend, "wall_s": done.seconds}
    return row | ({"why": done.why} if done.why else margins(RunDirectory.open(folder)))


def margins(directory: RunDirectory) -> dict[str, Any]:
    """How near a run came to a warning; None where no detector took a reading."""
    config, rows = directory.read_config(), directory.read_metrics()
    trace = directory.read_steps()
    loss = config.recipe.loss
    unit = loss.unit / loss.per_example(1.0, config.recipe.batch_size)
    window = np.ones(detectors.WINDOW) / detectors.WINDOW
    levels = [np.convolve(v, window, "valid") / unit for v in (trace.loss_D, trace.loss_G)]
    signals = [row["G_signal"] for row in rows if row["G_signal"] is not None]
    looks = [row["diversity"] for row in rows if row["diversity"] is not None]
    had = next((i for i, value in enumerate(looks) if value > detectors.HIGH), len(looks))
    return {
        "steps": len(trace.loss_D),
        "warnings": rows[-1]["warnings"],
        "least_signal": min(signals, default=None),
        "least_diversity": min(looks[had:], default=None),
        "last_diversity": looks[-1] if looks else None,
        "largest_loss": float(np.abs(levels).max()) if len(trace.loss_D) >= len(window) else None,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """All rows for a terminal."""
    lines = [f"{'recipe':<11}{'backend':<9}{'steps':>7}{'wall':>9}{'signal':>9}{'diversity':>11}"
             f"{'loss':>9}  warnings",
             f"{'limit':<36}{detectors.WEAK:>9g}{detectors.LOW:>11g}"
             f"{detectors.UNBOUNDED:>9g}"]  # fmt: skip
    for row in rows:
        head = f"{row['recipe']:<11}{row['backend']:<9}"
        if "why" in row:
            lines.append(f"{head}failed: {row['why']}")
            continue
        signal, diversity, loss = (
            "-" if row[name] is None else f"{row[name]:.3g}"
            for name in ("least_signal", "least_diversity", "largest_loss")
        )
        lines.append(
            f"{head}{row['steps']:>7,}{report.seconds(row['wall_s']):>9}{signal:>9}{diversity:>11}"
            f"{loss:>9}  {', '.join(row['warnings']) or 'none'}"
        )
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    """Run, print, write; exit code 1 if a default run was warned of or failed."""
    args = parser().parse_args(argv)
    names = command.chosen_recipes(args.recipes)
    backends = command.chosen_backends(args.backends)
    threads = command.chosen_threads(args.threads)
    command.prepare(args.out)
    rows = []
    for name in names:
        for backend in backends:
            command.say(f"{name} on {backend}")
            rows.append(run(name, backend, args, threads))
    command.write(args.out / "default_runs.json", args, command.environment(args), rows=rows)
    print(f"{table(rows)}\nwritten: {args.out / 'default_runs.json'}")
    return int(any("why" in row or row["warnings"] for row in rows))


if __name__ == "__main__":
    cli.run_main(main, "checks.default_runs")
